"""Quick, Draw! drawings: a JSON object a line, or the data set's binary form."""

import gzip
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from sketch_infer.errors import InputError, reading_errors
from sketch_infer.readers.sketch import InputFormat, Reading, Sketch, open_source
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.preprocess import drawings_to_sketches
from sketch_infer.strokes.simplify import SIDE, simplify

MAX_BYTES = 2**22
"""Bytes of one drawing that are read: 50,000 points take half as many, and a file without line ends fits no memory."""

AT_ONCE = 256
"""Drawings prepared together, fewer where they are of more than `MAX_BYTES` together."""

_HEADER = struct.Struct("<Q2sbIH")
"""Of a drawing in binary form: key_id, country, recognized, timestamp, number of strokes."""
_LENGTH = struct.Struct("<H")
"""Of a stroke in binary form: number of points; then x and y follow, a byte a point each."""

Row = tuple[str, object]
"""Where a drawing stands, as messages say it; and its record, a dict, or the InputError that it is none."""


def read_ndjson(
    source: str, input_format: InputFormat, reading: Reading, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read `.ndjson` or `.ndjson.gz`."""
    with reading_errors(source), open_source(source, opened) as file:
        if source.lower().endswith(".gz"):
            with gzip.GzipFile(fileobj=file) as lines:
                yield from read_lines(source, lines, input_format, reading, file)
        else:
            yield from read_lines(source, file, input_format, reading)


def read_lines(
    source: str,
    lines: BinaryIO | gzip.GzipFile,
    input_format: InputFormat,
    reading: Reading,
    file: BinaryIO | None = None,
) -> Iterator[Sketch]:
    """Read a drawing a line.

    Args:
        source: what messages call the lines.
        lines: the text in UTF-8.
        input_format: "auto", "simplified" or "raw".
        reading: hears of what cannot be used.
        file: the file whose position shows how far the reading is, where it is not `lines`.
    """
    called = "standard input" if source == "-" else source
    index = at = 0
    rows = _rows(called, lines)
    while block := _block(rows):
        yield from prepare_drawings(source, index, block, input_format, reading)
        index += len(block)
        if source != "-":
            position = (file or lines).tell()
            reading.advance(position - at)
            at = position
    if index == 0:
        raise InputError(f"{called}: expected a drawing a line, found no line")


def _block(rows: Iterator[tuple[Row, int]]) -> list[Row]:
    """Take the next rows off, which come with their bytes: one or more where there are any."""
    block, total = [], 0
    for row, n_bytes in rows:
        block.append(row)
        total += n_bytes
        if len(block) == AT_ONCE or total >= MAX_BYTES:
            break
    return block


def _rows(called: str, lines: BinaryIO | gzip.GzipFile) -> Iterator[tuple[Row, int]]:
    """Read lines; what ends the reading is the last row, so that those before it are not lost."""
    try:
        yield from _whole_rows(called, lines)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield (called, InputError(f"not a whole gzip file ({error})")), 0
    except OSError as error:
        yield (called, InputError(f"cannot be read: {error.strerror or error}")), 0


def _whole_rows(called: str, lines: BinaryIO | gzip.GzipFile) -> Iterator[tuple[Row, int]]:
    number = 0
    while line := lines.readline(MAX_BYTES + 1):
        number += 1
        where = f"{called}:{number}"
        if len(line) > MAX_BYTES:
            while line and not line.endswith(b"\n"):
                line = lines.readline(MAX_BYTES)
            yield (where, InputError(f"expected a line of at most {MAX_BYTES} bytes, found a longer one")), 0
        elif line.strip():
            yield (where, _record(line)), len(line)


def _record(line: bytes) -> dict[str, Any] | InputError:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # ValueError covers JSON and UTF-8 errors
        return InputError(f"expected a JSON object, found {line[:40]!r}")
    if not isinstance(record, dict) or "drawing" not in record:
        return InputError('expected a JSON object with a "drawing", found none')
    return record


def read_binary(
    source: str, input_format: InputFormat, reading: Reading, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read `.bin`, the data set's binary form: simplified drawings without their words."""
    with reading_errors(source), open_source(source, opened) as file:
        index = at = 0
        rows = _binary_rows(source, file)
        while block := _block(rows):
            yield from prepare_drawings(source, index, block, input_format, reading)
            index += len(block)
            reading.advance(file.tell() - at)
            at = file.tell()
    if index == 0:
        raise InputError(f"{source}: expected drawings in binary form, found none")


def _binary_rows(source: str, file: BinaryIO) -> Iterator[tuple[Row, int]]:
    number = 0
    while header := file.read(_HEADER.size):
        where = f"{source}: drawing {number}"
        try:
            *_, n_strokes = _HEADER.unpack(header)
            drawing = _binary_drawing(file, n_strokes)
        except (struct.error, ValueError):
            # Where the next one begins is not known, so nothing after it can be read.
            error = InputError("expected a whole drawing in binary form, found the file cut off or damaged here")
            yield (where, error), 0
            return
        yield (where, {"drawing": drawing}), sum(2 * len(x) for x, _ in drawing)
        number += 1


def _binary_drawing(file: BinaryIO, n_strokes: int) -> list[tuple[bytes, bytes]]:
    """Read strokes; raises ValueError or struct.error where they are not whole or too many."""
    drawing, n_bytes = [], 0
    for _ in range(n_strokes):
        (n_points,) = _LENGTH.unpack(file.read(_LENGTH.size))
        n_bytes += 2 * n_points
        x, y = file.read(n_points), file.read(n_points)
        if len(y) < n_points or n_bytes > MAX_BYTES:
            raise ValueError
        drawing.append((x, y))
    return drawing


def prepare_drawings(
    source: str, first: int, rows: list[Row], input_format: InputFormat, reading: Reading
) -> Iterator[Sketch]:
    """Prepare rows, all at once where that works, else one by one to learn which one does not.

    Args:
        source: what the sketches carry as their source.
        first: the index of the first row.
        rows: where each stands, and its record or the InputError that it is none.
        input_format: "auto", "simplified" or "raw".
        reading: hears of what cannot be used, in order.
    """
    found: list[Sketch | InputError | None] = [row if isinstance(row, InputError) else None for _, row in rows]
    good = [position for position, outcome in enumerate(found) if outcome is None]
    for chosen in [good, *([position] for position in good)]:
        records: list[Any] = [rows[position][1] for position in chosen]
        if not records or found[chosen[0]] is not None:
            continue
        try:
            prepared = _to_sketches([record["drawing"] for record in records], input_format)
        except InputError as error:
            if len(chosen) == 1:
                found[chosen[0]] = InputError(str(error))  # without the traceback, which holds this whole block
            continue
        for position, record, (strokes, aspect) in zip(chosen, records, prepared, strict=True):
            word = record.get("word")
            label = word if isinstance(word, str) else None
            found[position] = Sketch(source, first + position, strokes, label, aspect)
    for (where, _), outcome in zip(rows, found, strict=True):
        if isinstance(outcome, Sketch):
            yield outcome
        elif outcome is not None:
            reading.bad(InputError(f"{where}: {outcome}"))


def _to_sketches(drawings: list[Any], input_format: InputFormat) -> list[tuple[Any, float]]:
    """Return each drawing's strokes, float32 (T, 3), and its width / height."""
    lines = PenLines.of(drawings)
    raw = _look_raw(drawings, lines) if input_format == "auto" else np.full(len(drawings), input_format == "raw")
    if raw.all():
        lines = simplify(lines)
    elif raw.any():
        simplified, kept = iter(simplify(lines.where(raw)).each()), iter(lines.where(~raw).each())
        lines = PenLines.join([next(simplified if is_raw else kept) for is_raw in raw])
    return list(zip(drawings_to_sketches(lines), lines.aspects().tolist(), strict=True))


def _look_raw(drawings: list[Any], lines: PenLines) -> Any:
    """Tell drawings with times, or with points that are not whole numbers from 0 to 255, bool (N,).

    Those two are what the simplified form never has.
    """
    timed = np.array([any(len(stroke) > 2 for stroke in drawing) for drawing in drawings])
    if timed.all():
        return timed
    fits = ((lines.points >= 0) & (lines.points <= SIDE) & (lines.points == np.rint(lines.points))).all(axis=1)
    return timed | ~np.logical_and.reduceat(fits, lines.drawing_starts[:-1])
