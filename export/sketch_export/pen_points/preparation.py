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
    xy, pen, refused = check_points(points, counts)
    walked, line, owner = resample(scale(xy, drawing, refused), pen | last_of_drawing)
    kept, ends_line = corners(walked, line)
    corner = walked.take(kept).rint()
    of_corner = drawing.take(owner.take(kept))
    rows = drawings_to_sketches(corner, of_corner, ends_line, counts)
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
def check_points(points: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Refuse drawings as `PenLines.of` does, but by a mark.

    Returns:
        x and y, double (n, 2); whether the pen ends a stroke, bool (n,); refused, bool (b,).
    """
    writer = points.writer
    xy, pen = (
        writer.op("Slice", points, writer.ints(first), writer.ints(end), writer.ints(1), dtype=FLOAT)
        for first, end in ((0, 2), (2, 3))
    )
    pen = pen.reshape(-1)
    finite = (xy.abs() <= _LARGEST).astype(INT64).sum(axis=1).equals(2)
    good = finite & (pen.equals(0.0) | pen.equals(1.0))
    # NaN compares false, so it is not good.
    good_before = concat(writer.ints(0), good.astype(INT64).cumsum())
    ends = counts.cumsum()
    all_good = (good_before.take(ends) - good_before.take(ends - counts)).equals(counts)
    refused = ~(all_good & (counts >= 2) & (counts <= MAX_POINTS))
    return where(good.column(), xy, 0.0).astype(DOUBLE), pen.equals(1.0), refused


@_part
def bounds(points: Tensor, drawing: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Return each drawing's smallest and largest x and y, two double (b, 2); the wrong way around where it has none."""
    writer = points.writer
    index = drawing.column().expand(concat(points.shape(), writer.ints(2)))
    low, high = (writer.full(start, DOUBLE, batch, writer.ints(2)) for start in (1e300, -1e300))
    return low.scatter(index, points, "min"), high.scatter(index, points, "max")


@_part
def scale(points: Tensor, drawing: Tensor, refused: Tensor) -> Tensor:
    """Shift each drawing to (0, 0) and scale its larger side to `SIDE`, double (n, 2).

    What was refused becomes a dot: it costs nothing, however large it is.
    """
    low, high = bounds(points, drawing, refused.shape())
    extents = (high - low).max(axis=1)
    scales = points.writer.constant(SIDE, DOUBLE) / where(extents > SMALLEST, extents, SIDE)
    scales = where(refused.column(), 0.0, scales)
    return (points - low.take(drawing)) * scales.take(drawing)


@_part
def resample(points: Tensor, line_end: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Walk along each line in steps of 1; of a segment, the first and the last step, then the line's last point.

    Args:
        points: double (n, 2).
        line_end: bool (n,), the last points of lines.

    Returns:
        the points walked to, double (P, 2); the number of their line and of the point before or at them, int64 (P,).
    """
    writer = points.writer
    steps = where(line_end.column(), 0.0, concat(points[1:], points[-1:]) - points)  # none between lines
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
    stands = concat(((last_step >= first_step) | line_end).column(), ((last_step > first_step) | dot).column(), axis=1)
    past = concat(first_step.column(), last_step.column(), axis=1) - start.column()
    share = past / where(lengths > 0, lengths.astype(DOUBLE) / GRID, 1.0).column()
    walked = (points.reshape(-1, 1, 2) + share.reshape(-1, 2, 1) * steps.reshape(-1, 1, 2)).reshape(-1, 2)
    chosen = stands.reshape(-1).nonzero()
    owner = chosen / 2
    return walked.take(chosen), line.take(owner), owner


@_part
def corners(points: Tensor, line: Tensor) -> tuple[Tensor, Tensor]:
    """Choose the points that Ramer-Douglas-Peucker keeps, of all lines at once: level by level of its recursion.

    Args:
        points: double (P, 2).
        line: int64 (P,), two points a line or more.

    Returns:
        the numbers of the kept points, int64 (K,), and whether each ends its line, bool (K,).
    """
    writer = points.writer
    starts_line = ~line.equals(concat(writer.ints(-1), line)[:-1])
    ends_line = ~line.equals(concat(line, writer.ints(-1))[1:])
    ends = starts_line | ends_line
    ones = writer.full(1.0, DOUBLE, points.shape(), writer.ints(1))
    places = concat(points, ones, (points * points).sum(axis=1).column(), axis=1)

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
        crosses = (places.take(index) * chord.take(span)).sum(axis=1).abs()
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
            concat(first.where(split).column(), corner.column(), axis=1).reshape(-1),
            concat(corner.column(), last.where(split).column(), axis=1).reshape(-1),
            concat(found, corner),
        ]

    inner = (~ends).nonzero()
    nothing = inner[:0]
    spans = [inner, line.take(inner), starts_line.nonzero(), ends_line.nonzero(), nothing]
    found = writer.while_any(spans, level, at_most=2 * MAX_POINTS)[-1]
    kept = ends.scatter(found, writer.full(1, BOOL, found.shape())).nonzero()
    return kept, ends_line.take(kept)


def _chords(points: Tensor, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Return the chords of spans as (a, b, c, d), double (S, 4), and their lengths: see the numpy code."""
    start = points.take(first)
    step = points.take(last) - start
    length = norm(step)
    closed = length.equals(0.0)
    normal = step.take_columns(1, 0) * points.writer.doubles(1.0, -1.0)
    squares = (start * start).sum(axis=1) / EPSILON
    c = where(closed, squares, (start * normal).sum(axis=1) * -1.0)
    normal = where(closed.column(), start * (-2 / EPSILON), normal)
    d = closed.astype(DOUBLE) / EPSILON
    return concat(normal, c.column(), d.column(), axis=1), where(closed, 1.0, length)


@_part
def drawings_to_sketches(points: Tensor, drawing: Tensor, ends_line: Tensor, counts: Tensor) -> Tensor:
    """Bring points, double (K, 2), to stroke-3, float32 (K, 3); the first row of a drawing means nothing."""
    low, high = bounds(points, drawing, counts.shape())
    extent = high - low
    extent = where(extent.equals(0.0), 1.0, extent)
    scaled = (points - low.take(drawing)) / extent.take(drawing)
    differences = (scaled - concat(scaled[:1], scaled)[:-1]).astype(FLOAT)
    return concat(differences, ends_line.astype(FLOAT).column(), axis=1)


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


def norm(vectors: Tensor) -> Tensor:
    """Return the lengths of vectors, (n, 2) to (n,)."""
    return (vectors * vectors).sum(axis=1).sqrt()
