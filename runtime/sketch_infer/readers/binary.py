"""Quick, Draw! drawings in the data set's binary form: simplified, and without their words."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from sketch_infer.errors import InputError, reading_errors
from sketch_infer.readers.drawings import MAX_BYTES, DrawingFormat, Row, blocks_of, prepare_drawings
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.sketch import Sketch, open_source

_HEADER = struct.Struct("<Q2sbIH")
"""Of a drawing in binary form: key_id, country, recognized, timestamp, number of strokes."""
_LENGTH = struct.Struct("<H")
"""Of a stroke in binary form: number of points; then x and y follow, a byte a point each."""


def read_binary(
    source: str, input_format: DrawingFormat, listener: ReadListener, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read `.bin`."""
    with reading_errors(source), open_source(source, opened) as file:
        blocks = blocks_of(source, _rows(source, file), listener, file)
        yield from prepare_drawings(source, blocks, input_format, listener)


def _rows(source: str, file: BinaryIO) -> Iterator[tuple[Row, int]]:
    number = 0
    while header := file.read(_HEADER.size):
        where = f"{source}: drawing {number}"
        try:
            *_, n_strokes = _HEADER.unpack(header)
            drawing = _drawing(file, n_strokes)
        except (struct.error, ValueError):
            # Where the next one begins is not known, so nothing after it can be read.
            error = InputError("expected a complete drawing in binary form, found a truncated or damaged one")
            yield (where, error), 0
            return
        yield (where, {"drawing": drawing}), sum(2 * len(x) for x, _ in drawing)
        number += 1


def _drawing(file: BinaryIO, n_strokes: int) -> list[tuple[bytes, bytes]]:
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
