"""The drawings as given, as flat tensors: whose each point is, how far they reach, and which of them are refused.

Shapes are named as in `preparation`.
"""

from typing import NamedTuple

from sketch_export.pen_points.parts import part
from sketch_export.pen_points.tensors import DOUBLE, FLOAT, INT64, Tensor, concat, where
from sketch_infer.strokes.simplify import MAX_POINTS

_LARGEST = 3.4028234663852886e38
"""The largest float32."""


class Points(NamedTuple):
    """x and y of points, apart: operators on (n, 2) with one number a row take ONNX Runtime thirty times as long."""

    x: Tensor
    y: Tensor


@part
def check_counts(points: Tensor, counts: Tensor) -> Tensor:
    """Return the points as they are; fails in its Reshape if counts do not add up to them or one is negative."""
    n = points.shape()
    total = where((counts >= 0) & (counts <= n), counts, n + 1).sum(axis=0)
    sizes = concat(total.reshape(1), points.writer.ints(3))
    points.writer.part += ".they_must_add_up_to_n_points"
    return points.writer.op("Reshape", points, sizes, dtype=FLOAT, allowzero=1)


@part
def drawing_of_point(counts: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Number each point's drawing, int64 (n,), and tell the last points of drawings, bool (n,)."""
    writer = counts.writer
    marks = writer.full(0, INT64, points.shape() + 1)
    marks = marks.scatter(counts.cumsum(), writer.full(1, INT64, counts.shape()), "add")
    return marks[:-1].cumsum(), marks[1:] > 0


@part
def check_points(points: Tensor, counts: Tensor) -> tuple[Points, Tensor, Tensor]:
    """Refuse drawings as `PenLines.of` does, but by a mark.

    Returns:
        x and y, double (n,) each; whether the pen ends a stroke, bool (n,); refused, bool (b,).
    """
    writer = points.writer
    x, y, pen = (
        writer.op("Slice", points, writer.ints(at), writer.ints(at + 1), writer.ints(1), dtype=FLOAT).reshape(-1)
        for at in range(3)
    )
    finite = (x.abs() <= _LARGEST) & (y.abs() <= _LARGEST)
    ends_stroke = pen.equals(1.0)
    good = finite & (pen.equals(0.0) | ends_stroke)
    # NaN compares false, so it is not good.
    good_before = concat(writer.ints(0), good.astype(INT64).cumsum())
    ends = counts.cumsum()
    all_good = (good_before.take(ends) - good_before.take(ends - counts)).equals(counts)
    refused = ~(all_good & (counts >= 2) & (counts <= MAX_POINTS))
    usable = Points(*(where(good, axis, 0.0).astype(DOUBLE) for axis in (x, y)))
    return usable, ends_stroke, refused


def bounds(values: Tensor, drawing: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Return each drawing's smallest and largest x or y, two double (b,); the wrong way around where it has none."""
    low, high = (values.writer.full(start, DOUBLE, batch) for start in (1e300, -1e300))
    return low.scatter(drawing, values, "min"), high.scatter(drawing, values, "max")
