"""`sketch_infer.strokes` as a graph: pen points of many drawings to the strokes that the network reads.

The functions carry the names of the numpy code and compute the same to the last bit. What there is a range of a flat
array per line or drawing is here a number per point: of its line, of its drawing.

Shapes: n points as given, P points walked to, K points kept, S spans, b drawings.
"""

from collections.abc import Callable
from functools import wraps
from math import inf
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from sketch_export.pen_points.tensors import BOOL, DOUBLE, FLOAT, INT64, Tensor, concat, where
from sketch_infer.strokes.simplify import EPSILON, GRID, MAX_POINTS, SIDE, SMALLEST, TIE

_NONE = 2**62
"""No corner: larger than the number of any point."""

_LARGEST = 3.4028234663852886e38
"""The largest float32."""


class Points(NamedTuple):
    """x and y of points, apart: operators on (n, 2) with one number a row take ONNX Runtime thirty times as long."""

    x: Tensor
    y: Tensor


P = ParamSpec("P")
R = TypeVar("R")


def _part(function: Callable[Concatenate[Tensor, P], R]) -> Callable[Concatenate[Tensor, P], R]:
    """Name the nodes that a function writes after it."""

    @wraps(function)
    def named(first: Tensor, /, *args: P.args, **kwargs: P.kwargs) -> R:
        writer = first.writer
        before, writer.part = writer.part, f"points.{function.__name__}"
        try:
            return function(first, *args, **kwargs)
        finally:
            writer.part = before

    return named


class Prepared(NamedTuple):
    """What the preparation makes of b drawings.

    Attributes:
        strokes: float32 (max(b, 1), sequence_length, 3); a row of zeros where there is no drawing, as ONNX Runtime's
            LSTM aborts the process on none.
        steps: int64 (b,), from corner to corner, of which the first sequence_length are in the strokes.
        refused: bool (b,), drawings that have no answer.
    """

    strokes: Tensor
    steps: Tensor
    refused: Tensor


def prepare(points: Tensor, counts: Tensor, sequence_length: int) -> Prepared:
    """Prepare drawings.

    Args:
        points: float32 (n, 3), x, y and pen, 1 on the last point of a stroke, else 0.
        counts: int64 (b,), points of each drawing; the graph fails if they do not add up to n.
        sequence_length: points that the network reads.
    """
    points = check_counts(points, counts)
    drawing, last_of_drawing = drawing_of_point(counts, points)
    given, pen, refused = check_points(points, counts)
    walked, line, owner = resample(pen | last_of_drawing, scale(drawing, given, refused))
    kept, ends_line = corners(line, walked)
    corner = Points(*(axis.take(kept).rint() for axis in walked))
    of_corner = drawing.take(owner.take(kept))
    rows = drawings_to_sketches(of_corner, corner, ends_line, counts)
    steps = where(refused, 0, count_steps(of_corner, counts))
    return Prepared(to_batch(rows, of_corner, counts, sequence_length), steps, refused)


@_part
def check_counts(points: Tensor, counts: Tensor) -> Tensor:
    """Return the points as they are; fails in its Reshape if counts do not add up to them or one is negative."""
    n = points.shape()
    total = where((counts >= 0) & (counts <= n), counts, n + 1).sum(axis=0)
    sizes = concat(total.reshape(1), points.writer.ints(3))
    points.writer.part += ".they_must_add_up_to_n_points"
    return points.writer.op("Reshape", points, sizes, dtype=FLOAT, allowzero=1)


@_part
def drawing_of_point(counts: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Number each point's drawing, int64 (n,), and tell the last points of drawings, bool (n,)."""
    writer = counts.writer
    marks = writer.full(0, INT64, points.shape() + 1)
    marks = marks.scatter(counts.cumsum(), writer.full(1, INT64, counts.shape()), "add")
    return marks[:-1].cumsum(), marks[1:] > 0


@_part
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


@_part
def scale(drawing: Tensor, points: Points, refused: Tensor) -> Points:
    """Shift each drawing to (0, 0) and scale its larger side to `SIDE`.

    What was refused becomes a dot: it costs nothing, however large it is.
    """
    writer = drawing.writer
    (low_x, high_x), (low_y, high_y) = (bounds(axis, drawing, refused.shape()) for axis in points)
    extents = writer.op("Max", high_x - low_x, high_y - low_y, dtype=DOUBLE)
    scales = writer.constant(SIDE, DOUBLE) / where(extents > SMALLEST, extents, SIDE)
    of_point = where(refused, 0.0, scales).take(drawing)
    return Points((points.x - low_x.take(drawing)) * of_point, (points.y - low_y.take(drawing)) * of_point)


@_part
def resample(line_end: Tensor, points: Points) -> tuple[Points, Tensor, Tensor]:
    """Walk along each line in steps of 1; of a segment, the first and the last step, then the line's last point.

    Args:
        line_end: bool (n,), the last points of lines.
        points: double (n,) each.

    Returns:
        the points walked to, double (P,) each; the number of their line and of the point before or at them, int64 (P,).
    """
    writer = line_end.writer
    # None between lines.
    steps = Points(*(where(line_end, 0.0, concat(axis[1:], axis[-1:]) - axis) for axis in points))
    lengths = (norm(steps) * GRID).rint().astype(INT64)
    starts_line = concat(writer.ints(1), line_end.astype(INT64))[:-1]
    line = starts_line.cumsum() - 1
    along = lengths.cumsum(exclusive=True)
    along = along - along.where(starts_line.astype(BOOL)).take(line)
    start = along.astype(DOUBLE) / GRID
    first_step = start.ceil()
    last_step = ((along + lengths).astype(DOUBLE) / GRID).ceil() - 1
    # A line's last point follows its steps; a dot, whose line has no length, is written twice, as in the data set.
    dot = line_end & along.equals(0)
    stands = in_turn((last_step >= first_step) | line_end, (last_step > first_step) | dot)
    owner = stands.nonzero() / 2
    length = where(lengths > 0, lengths.astype(DOUBLE) / GRID, 1.0)
    share = (in_turn(first_step, last_step).where(stands) - start.take(owner)) / length.take(owner)
    walked = (axis.take(owner) + share * step.take(owner) for axis, step in zip(points, steps, strict=True))
    return Points(*walked), line.take(owner), owner


@_part
def corners(line: Tensor, points: Points) -> tuple[Tensor, Tensor]:
    """Choose the points that Ramer-Douglas-Peucker keeps, of all lines at once: level by level of its recursion.

    Args:
        line: int64 (P,), two points a line or more.
        points: double (P,) each.

    Returns:
        the numbers of the kept points, int64 (K,), and whether each ends its line, bool (K,).
    """
    writer = line.writer
    starts_line = ~line.equals(concat(writer.ints(-1), line)[:-1])
    ends_line = ~line.equals(concat(line, writer.ints(-1))[1:])
    ends = starts_line | ends_line
    squares = points.x * points.x + points.y * points.y

    def level(index: Tensor, span: Tensor, first: Tensor, last: Tensor, found: Tensor) -> list[Tensor]:
        """Split spans at their farthest points.

        Args:
            index: points that may yet be kept, int64 (a,).
            span: the span of each, int64 (a,).
            first: where spans start, int64 (S,).
            last: where they end, int64 (S,).
            found: corners that were found before.
        """
        chord, length = _chords(points, first, last)
        a, b, c, d = (term.take(span) for term in chord)
        crosses = points.x.take(index) * a + points.y.take(index) * b + c + squares.take(index) * d
        crosses = crosses.abs()
        largest = writer.full(-1.0, DOUBLE, first.shape()).scatter(span, crosses, "max")
        split = largest > length * (EPSILON + TIE)
        farthest = crosses >= where(split, largest - length * TIE, inf).take(span)
        none = writer.full(_NONE, INT64, first.shape())
        corner = none.scatter(span.where(farthest), index.where(farthest), "min")  # the first of the farthest
        own = corner.take(span)
        half = (split.astype(INT64).cumsum() * 2 - 2).take(span) + (index > own).astype(INT64)
        rest = (own < _NONE) & ~index.equals(own)
        corner = corner.where(split)
        return [
            index.where(rest),
            half.where(rest),
            in_turn(first.where(split), corner),
            in_turn(corner, last.where(split)),
            concat(found, corner),
        ]

    inner = (~ends).nonzero()
    nothing = inner[:0]
    spans = [inner, line.take(inner), starts_line.nonzero(), ends_line.nonzero(), nothing]
    found = writer.while_any(spans, level, at_most=2 * MAX_POINTS)[-1]
    kept = ends.scatter(found, writer.full(1, BOOL, found.shape())).nonzero()
    return kept, ends_line.take(kept)


def _chords(points: Points, first: Tensor, last: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Return the chords of spans as a, b, c and d, double (S,) each, and their lengths: see the numpy code."""
    x, y = (axis.take(first) for axis in points)
    dx, dy = points.x.take(last) - x, points.y.take(last) - y
    length = norm(Points(dx, dy))
    closed = length.equals(0.0)
    c = where(closed, (x * x + y * y) / EPSILON, y * dx - x * dy)
    a, b = where(closed, x * (-2 / EPSILON), dy), where(closed, y * (-2 / EPSILON), dx * -1.0)
    return (a, b, c, closed.astype(DOUBLE) / EPSILON), where(closed, 1.0, length)


@_part
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


@_part
def count_steps(drawing: Tensor, counts: Tensor) -> Tensor:
    """Return the steps from corner to corner of each drawing, int64 (b,)."""
    writer = drawing.writer
    ones = writer.full(1, INT64, drawing.shape())
    return writer.full(-1, INT64, counts.shape()).scatter(drawing, ones, "add")


@_part
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


def norm(vectors: Points) -> Tensor:
    """Return the lengths of vectors, (n,)."""
    return (vectors.x * vectors.x + vectors.y * vectors.y).sqrt()


def in_turn(first: Tensor, second: Tensor) -> Tensor:
    """Take elements of two tensors in turn: (n,) each to (2 n,)."""
    return concat(first.column(), second.column(), axis=1).reshape(-1)
