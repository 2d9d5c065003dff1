"""`sketch_infer.strokes.preprocess` as a graph: corner points become the zero-padded rows that the network reads.

Shapes are named as in `preparation`.
"""

from sketch_export.pen_points.parts import part
from sketch_export.pen_points.pen_lines import Points, bounds
from sketch_export.pen_points.tensors import FLOAT, INT64, Tensor, concat, where


@part
def drawings_to_sketches(drawing: Tensor, points: Points, ends_line: Tensor, counts: Tensor) -> Tensor:
    """Bring points, double (K,) each, to stroke-3, float32 (K, 3); the first row of a drawing means nothing."""
    columns = []
    for axis in points:
        low, high = bounds(axis, drawing, counts.shape())
        extent = high - low
        extent = where(extent.equals(0.0), 1.0, extent)
        scaled = (axis - low.take(drawing)) / extent.take(drawing)
        columns.append((scaled - concat(scaled[:1], scaled)[:-1]).astype(FLOAT).column())
    return concat(*columns, ends_line.astype(FLOAT).column(), axis=1)


@part
def count_steps(drawing: Tensor, counts: Tensor) -> Tensor:
    """Return the steps from corner to corner of each drawing, int64 (b,)."""
    writer = drawing.writer
    ones = writer.full(1, INT64, drawing.shape())
    return writer.full(-1, INT64, counts.shape()).scatter(drawing, ones, "add")


@part
def to_batch(rows: Tensor, drawing: Tensor, counts: Tensor, sequence_length: int) -> Tensor:
    """Lay out rows, float32 (K, 3), as the network's input, zero-padded or cut; the first of a drawing is left out."""
    writer = rows.writer
    starts = ~drawing.equals(concat(writer.ints(-1), drawing)[:-1])
    before = starts.nonzero().take(starts.astype(INT64).cumsum() - 1)
    position = writer.arange(drawing.shape()) - before - 1
    fits = (position >= 0) & (position < sequence_length)
    at = (drawing * sequence_length + position).where(fits)
    n_rows = writer.op("Max", counts.shape(), writer.ints(1), dtype=INT64) * sequence_length
    empty = writer.full(0.0, FLOAT, n_rows, writer.ints(3))
    filled = writer.op("ScatterND", empty, at.column(), rows.where(fits), dtype=FLOAT)
    return filled.reshape(-1, sequence_length, 3)
