"""`sketch_infer.strokes.simplify` as a graph: pen points as they were sampled become few corner points.

Shapes are named as in `preparation`.
"""

from math import inf

from sketch_export.pen_points.parts import part
from sketch_export.pen_points.pen_lines import Points, bounds
from sketch_export.pen_points.tensors import BOOL, DOUBLE, INT64, Tensor, concat, where
from sketch_infer.strokes.simplify import EPSILON, GRID, MAX_POINTS, SIDE, SMALLEST, TIE

_NONE = 2**62
"""No corner: larger than the number of any point."""


@part
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


@part
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


@part
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


def norm(vectors: Points) -> Tensor:
    """Return the lengths of vectors, (n,)."""
    return (vectors.x * vectors.x + vectors.y * vectors.y).sqrt()


def in_turn(first: Tensor, second: Tensor) -> Tensor:
    """Take elements of two tensors in turn: (n,) each to (2 n,)."""
    return concat(first.column(), second.column(), axis=1).reshape(-1)
