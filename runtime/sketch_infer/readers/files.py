"""Sketches from files: arrays, Quick, Draw! drawings in text or binary, raw pen points."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sketch_infer.errors import InputError
from sketch_infer.readers.sketch import INPUT_FORMATS, InputFormat, Reading, Sketch

__all__ = ["INPUT_FORMATS", "STDIN", "SUFFIXES", "InputFormat", "Reading", "Sketch", "expand_folders", "read_sketches"]

STDIN = "-"

SUFFIXES = (".npy", ".npz", ".ndjson", ".ndjson.gz", ".parquet", ".bin")
"""Endings of the files that can be read, in lower case."""

_ARRAY_FORMATS = ("auto", "network", "stroke-3", "stroke-5")
_DRAWING_FORMATS = ("auto", "simplified", "raw")


def expand_folders(sources: Iterable[str]) -> list[str]:
    """Replace each folder by the files below it that can be read, sorted by name; hidden ones are left out.

    Raises:
        InputError: if a folder has no such file.
    """
    files: list[str] = []
    for source in sources:
        folder = Path(source)
        if source == STDIN or not folder.is_dir():
            files.append(source)
            continue
        found = sorted(
            str(path)
            for path in folder.rglob("*")
            if path.name.lower().endswith(SUFFIXES)
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
            and path.is_file()
        )
        if not found:
            raise InputError(f"{source}: expected {', '.join(SUFFIXES)} files in this folder, found none")
        files += found
    return files


def read_sketches(
    source: str, input_format: InputFormat = "auto", reading: Reading | None = None, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read a file's sketches one by one, in bounded memory.

    Args:
        source: `.npy` of one sketch (T, 3 or 5) or of many (N, T, 3 or 5); `.npz` of such arrays; `.ndjson` or
            `.ndjson.gz` with one Quick, Draw! drawing a line; `.parquet` with one a row; `.bin`, their binary form; `-`
            for `.ndjson` on standard input.
        input_format: what the numbers mean; "auto" finds out as the table in docs/input.md says.
        reading: hears of what cannot be used; None to stop there.
        opened: the file itself, seekable and at its start, where `source` is but its name: one in an object store.

    Raises:
        InputError: when the file cannot be used, at the first sketch that shows it; it names file and row or
            line. With a `reading` that goes on, it is told instead.
    """
    reading = reading or Reading()
    try:
        yield from _open(source, input_format, reading, opened)
    except InputError as error:
        reading.bad(error)


def _open(source: str, input_format: InputFormat, reading: Reading, opened: BinaryIO | None) -> Iterator[Sketch]:
    if source == STDIN:
        if sys.stdin is None:
            raise InputError("standard input: expected drawings, found it closed")
        _check_format(source, input_format, _DRAWING_FORMATS)
        from sketch_infer.readers.drawings import read_lines  # late, as one file needs one of the readers

        return read_lines(source, sys.stdin.buffer, input_format, reading)
    path = Path(source)
    if not opened and path.is_dir():
        raise InputError(f"{source}: expected a file, found a folder; name the files in it")
    if not opened and not path.exists():
        raise InputError(f"{source}: no such file")
    name = path.name.lower()
    if name.endswith((".npy", ".npz")):
        _check_format(source, input_format, _ARRAY_FORMATS)
        from sketch_infer.readers.arrays import read_npy, read_npz

        return (read_npy if name.endswith(".npy") else read_npz)(source, input_format, reading, opened)
    if name.endswith((".ndjson", ".ndjson.gz")):
        _check_format(source, input_format, _DRAWING_FORMATS)
        from sketch_infer.readers.drawings import read_ndjson

        return read_ndjson(source, input_format, reading, opened)
    if name.endswith(".parquet"):
        _check_format(source, input_format, _DRAWING_FORMATS)
        from sketch_infer.readers.parquet import read_parquet

        return read_parquet(source, input_format, reading, opened)
    if name.endswith(".bin"):
        _check_format(source, input_format, _DRAWING_FORMATS)
        from sketch_infer.readers.drawings import read_binary

        return read_binary(source, input_format, reading, opened)
    raise InputError(f"{source}: expected a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file")


def _check_format(source: str, input_format: InputFormat, allowed: tuple[str, ...]) -> None:
    if input_format not in allowed:
        raise InputError(
            f"{source}: expected --input-format {', '.join(allowed[:-1])} or {allowed[-1]} for such a file, "
            f"found {input_format}"
        )
