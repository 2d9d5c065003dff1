"""Sketches from files: `.npy` arrays and Quick, Draw! drawings (`.ndjson`, `.ndjson.gz`, `-` for stdin)."""

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .errors import InputError
from .strokes import FloatArray, as_strokes, drawing_to_sketch

STDIN = "-"

_BLOCK_ROWS = 1024
"""Rows of a memory-mapped array that are read at a time: 2.4 MB of float32 sketches of 196 points."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A sketch and where it came from.

    Attributes:
        source: the file as the user named it.
        index: 0-based position among the file's sketches.
        strokes: float32 (T, 3).
    """

    source: str
    index: int
    strokes: FloatArray


def read_sketches(source: str) -> Iterator[Sketch]:
    """Read a file's sketches one by one, in bounded memory.

    Args:
        source: `.npy` of one sketch (T, 3) or of many (N, T, 3); `.ndjson` or `.ndjson.gz` with one Quick, Draw!
            drawing a line; `-` for such lines on standard input.

    Raises:
        InputError: when the file cannot be used, at the first sketch that shows it; it names file and row or
            line.
    """
    if source == STDIN:
        if sys.stdin is None:
            raise InputError("standard input: expected drawings, found it closed")
        return _read_drawings(source, sys.stdin.buffer)
    path = Path(source)
    if path.is_dir():
        raise InputError(f"{source}: expected a file, found a folder; name the files in it")
    if not path.exists():
        raise InputError(f"{source}: no such file")
    name = path.name.lower()
    if name.endswith(".npy"):
        return _read_array(source)
    if name.endswith((".ndjson", ".ndjson.gz")):
        return _read_drawing_file(source)
    raise InputError(f"{source}: expected a .npy, .ndjson or .ndjson.gz file")


def _read_array(source: str) -> Iterator[Sketch]:
    try:
        # Not np.load: it would also unpickle or unzip. This one maps plain arrays and refuses all else.
        array = np.lib.format.open_memmap(source, mode="r")
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from error
    except Exception as error:  # a damaged header is parsed as Python and raises whatever it triggers
        if "Python objects" in str(error):
            raise InputError(f"{source}: expected a float or integer array, found Python objects (pickled)") from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{source}: not a whole .npy array ({reason}); write it again") from error
    try:
        if array.ndim != 3:
            yield Sketch(source, 0, np.array(as_strokes(array)))
            return
        as_strokes(array[:0])  # dtype and shape are wrong also when there are no rows
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    for start in range(0, len(array), _BLOCK_ROWS):
        try:
            strokes = as_strokes(array[start : start + _BLOCK_ROWS], first_row=start)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
        for offset, sketch in enumerate(strokes):
            yield Sketch(source, start + offset, sketch)


def _read_drawing_file(source: str) -> Iterator[Sketch]:
    try:
        with gzip.open(source) if source.lower().endswith(".gz") else Path(source).open("rb") as lines:
            yield from _read_drawings(source, lines)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{source}: not a whole gzip file ({error})") from error
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}") from error


def _read_drawings(source: str, lines: BinaryIO | gzip.GzipFile) -> Iterator[Sketch]:
    index = 0
    for line_number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Sketch(source, index, drawing_to_sketch(_parse_drawing(line)))
        except InputError as error:
            raise InputError(f"{_called(source)}:{line_number}: {error}") from error
        index += 1
    if index == 0:
        raise InputError(f"{_called(source)}: expected a drawing a line, found no line")


def _called(source: str) -> str:
    return "standard input" if source == STDIN else source


def _parse_drawing(line: bytes) -> object:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:  # ValueError covers JSON and UTF-8 errors
        raise InputError(f"expected a JSON object, found {line[:40]!r}") from error
    if not isinstance(record, dict) or "drawing" not in record:
        raise InputError('expected a JSON object with a "drawing", found none')
    return record["drawing"]
