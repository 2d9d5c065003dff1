"""Google's simplification of Quick, Draw! drawings: pen points as they were sampled become few corner points.

A network trained on the simplified data set needs its strokes in that density; a pen samples five times more.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_infer.errors import InputError
from sketch_infer.strokes.pen_lines import Indices, PenLines, Points

SIDE = 255.0
"""The larger side of a simplified drawing."""

EPSILON = 2.0
"""How far, in units of `SIDE`, a left-out point may stand from the line that replaces it."""

MAX_POINTS = 50_000
"""Points of a drawing that are simplified: the work may grow with their square. A pen that samples 200 times a second
draws four minutes for so many."""

SMALLEST = 1e-300
"""A drawing of no larger extent is a dot: what scales it up would be beyond float64."""

_DENSE_POINTS = 16
_DENSE_STEP = 20.0
_DENSE_KEPT = 0.65
"""A dense drawing has that many points or more, that far apart on average or less, in units of `SIDE`, and the recipe
keeps a smaller share of them. Of 100,000 simplified drawings that is none; of 15,800 raw ones whose points were rounded
to whole numbers from 0 to 255, 98.6%."""
GRID = 2.0**32
"""Lengths are rounded to whole multiples of 1 / GRID: integer sums are exact, whatever is summed before."""

TIE = 1e-9
"""Points whose distances from a chord differ by less are equally far, and the first of them is the corner. Otherwise
rounding would choose: on another machine another one, and for 1 drawing in 800 not the one of the data set."""

_AT_ONCE = 64
"""Drawings whose arrays stay in a core's cache: with 512 it takes a third longer."""

POINTS_CONVENTION = (
    "pen points: x to the right and y down in any unit, pen = 1 on the last point of a stroke, else 0; the file scales "
    "the larger side to 255, resamples at 1, simplifies by Ramer-Douglas-Peucker at 2, and goes on as for stroke-3"
)
"""What a model file that prepares pen points itself does with them, as it records it."""

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def simplify_drawing(drawing: Sequence[Any], epsilon: float = EPSILON) -> list[list[list[int]]]:
    """Simplify a drawing by the recipe of the Quick, Draw! data set.

    The drawing is moved to (0, 0) and scaled so that its larger side is 255. Each stroke is resampled with a spacing
    of 1 and reduced by the Ramer-Douglas-Peucker algorithm.

    Args:
        drawing: list of strokes, each ``[[x...], [y...]]`` or a list of points (see `to_columns`), in any unit; times
            are ignored. Strokes without points are dropped.
        epsilon: largest distance of a dropped point from the line that replaces it.

    Returns:
        list of strokes ``[[x...], [y...]]`` of integers from 0 to 255.

    Raises:
        InputError: if the drawing has another form, is not finite, or has fewer than two points or more than
            `MAX_POINTS`.
    """
    (strokes,) = simplify(PenLines.of([drawing]), epsilon).to_drawings()
    return [[[int(value) for value in axis] for axis in stroke] for stroke in strokes]


def simplify(drawings: PenLines, epsilon: float = EPSILON) -> PenLines:
    """Simplify drawings as `simplify_drawing` does one; the points are whole numbers.

    Raises:
        InputError: if a drawing's extent is not finite, or it has more than `MAX_POINTS` points.
    """
    parts = [_simplify(drawings[start : start + _AT_ONCE], epsilon) for start in range(0, len(drawings), _AT_ONCE)]
    return PenLines.join(parts)


def are_dense(drawings: PenLines) -> Mask:
    """Tell drawings that were not simplified, whatever the unit of their points: bool (N,)."""
    n_points = np.diff(drawings.drawing_starts)
    low, high = drawings.bounds()
    steps = np.zeros(len(drawings.points))
    with np.errstate(over="ignore", invalid="ignore"):
        extents = (high - low).max(axis=1)
        steps[:-1] = np.hypot(*np.diff(drawings.points, axis=0).T)
        steps[drawings.line_starts[1:] - 1] = 0  # from a line's end to the next one's start
        drawn = np.add.reduceat(steps, drawings.drawing_starts[:-1])
        n_steps = n_points - np.diff(drawings.drawing_lines)
        dense: Mask = (n_points >= _DENSE_POINTS) & (drawn * SIDE < _DENSE_STEP * n_steps * extents)
    dense &= n_points <= MAX_POINTS
    if dense.any():
        chosen = drawings.where(dense)
        kept = np.diff(simplify(chosen).drawing_starts) / np.diff(chosen.drawing_starts)
        dense[dense] = kept < _DENSE_KEPT
    return dense


def usable_bounds(drawings: PenLines) -> tuple[Points, Floats]:
    """Return each drawing's smallest x and y, (N, 2), and its larger side, (N,).

    Raises:
        InputError: if a drawing's extent is not finite, or it has more than `MAX_POINTS` points.
    """
    if (most := int(np.diff(drawings.drawing_starts).max())) > MAX_POINTS:
        raise InputError(f"expected a drawing of at most {MAX_POINTS} points, found {most}; use fewer points")
    low, high = drawings.bounds()
    with np.errstate(over="ignore"):
        extents = (high - low).max(axis=1)
    if not np.isfinite(extents).all():
        raise InputError("expected coordinates whose extent is finite; scale the drawing down")
    return low, extents


def _simplify(drawings: PenLines, epsilon: float) -> PenLines:
    low, extents = usable_bounds(drawings)
    scales = SIDE / np.where(extents > SMALLEST, extents, SIDE)
    of_point = drawings.drawing_of_point()
    points, line_starts = _resample((drawings.points - low[of_point]) * scales[of_point, None], drawings.line_starts)
    kept = _corners(points, line_starts, epsilon)
    kept_before = np.concatenate([[0], np.cumsum(kept)])
    return PenLines(np.rint(points[kept]), kept_before[line_starts], drawings.drawing_lines)


def _resample(points: Points, line_starts: Indices) -> tuple[Points, Indices]:
    """Walk along each line in steps of 1 and return where one stands, once at most before and once after each point.

    The steps between lie on the straight line between those two: no one of them is farther from any chord, so that
    Ramer-Douglas-Peucker would pick none of them. The walk ends at the line's last point.

    Returns:
        points (Q, 2) of all lines, two or more each, and (L + 1,) where each line's begin, and Q.
    """
    x, y = np.ascontiguousarray(points.T)
    x_steps, y_steps = np.diff(x), np.diff(y)
    ends = line_starts[1:] - 1
    lengths = np.rint(_norm(x_steps, y_steps) * GRID).astype(np.int64)
    lengths[ends[:-1]] = 0  # from a line's end to the next one's start
    along = np.concatenate([[0], lengths.cumsum()])
    along -= np.repeat(along[line_starts[:-1]], np.diff(line_starts))
    # Of each segment, from a point to the next: the first and the last step that stand on it, if any.
    start = along[:-1] / GRID
    first_step = np.ceil(start)
    last_step = np.ceil((along[:-1] + lengths) / GRID) - 1
    n_steps = (last_step >= first_step).astype(np.intp) + (last_step > first_step)
    n_steps_before = np.concatenate([[0], np.cumsum(n_steps), [n_steps.sum()]])
    segment = np.repeat(np.arange(len(n_steps)), n_steps)
    second = np.zeros(len(segment), bool)
    second[1:] = segment[1:] == segment[:-1]
    past = np.where(second, last_step[segment], first_step[segment]) - start[segment]
    share = past / (lengths[segment] / GRID)
    walked = np.column_stack([x[segment] + share * x_steps[segment], y[segment] + share * y_steps[segment]])
    # A line's last point follows its steps; a dot, whose line has no length, is written twice, as in the data set.
    n_last = 1 + (along[ends] == 0)
    line_of_last = np.repeat(np.arange(len(ends)), n_last)
    where = n_steps_before[line_starts[1:]][line_of_last]
    resampled = np.insert(walked, where, points[ends][line_of_last], axis=0)
    n_points = np.diff(n_steps_before[line_starts]) + n_last
    return resampled, np.concatenate([[0], np.cumsum(n_points)])


def _corners(points: Points, line_starts: Indices, epsilon: float) -> Mask:
    """Choose the points that Ramer-Douglas-Peucker keeps, of all lines at once: level by level of its recursion.

    Args:
        points: (Q, 2).
        line_starts: (L + 1,), two points a line or more.
        epsilon: largest distance of a left-out point.

    Returns:
        bool (Q,).
    """
    x, y = np.ascontiguousarray(points.T)
    kept = np.zeros(len(points), bool)
    first, last = line_starts[:-1], line_starts[1:] - 1
    kept[first] = kept[last] = True
    while (open_ := last - first > 1).any():  # spans of two kept points with others between them
        first, last = first[open_], last[open_]
        inner = last - first - 1
        begins = np.cumsum(inner) - inner
        index = np.arange(int(inner.sum())) + np.repeat(first + 1 - begins, inner)
        (a, b, c, d), length = _chords(x, y, first, last, epsilon)
        squares = x[index] * x[index] + y[index] * y[index]
        a, b, c, d = (np.repeat(term, inner) for term in (a, b, c, d))
        crosses = np.abs(x[index] * a + y[index] * b + c + squares * d)
        largest = np.maximum.reduceat(crosses, begins)
        split = largest > (epsilon + TIE) * length
        hits = np.flatnonzero(crosses >= np.repeat(largest - TIE * length, inner))
        corner = index[hits[np.searchsorted(hits, begins[split])]]  # the first farthest point of each span
        kept[corner] = True
        first, last = (np.column_stack(ends).ravel() for ends in ([first[split], corner], [corner, last[split]]))
    return kept


def _chords(
    x: Floats, y: Floats, first: Indices, last: Indices, epsilon: float
) -> tuple[tuple[Floats, Floats, Floats, Floats], Floats]:
    """Return the chords of spans as a, b, c and d, each (S,), and their lengths, (S,).

    |a x + b y + c + d (x^2 + y^2)| is the distance of a point from the line through the span's ends times the length;
    d is 0. Where the ends are one point, it is the squared distance to that over epsilon, and the length is 1: both
    are epsilon at a distance of epsilon.
    """
    x_first, y_first = x[first], y[first]
    dx, dy = x[last] - x_first, y[last] - y_first
    length = _norm(dx, dy)
    closed = length == 0
    c = y_first * dx - x_first * dy
    if closed.any():
        length[closed] = 1.0
        squares = x_first * x_first + y_first * y_first
        dy = np.where(closed, x_first * (-2 / epsilon), dy)
        dx = np.where(closed, y_first * (2 / epsilon), dx)
        c = np.where(closed, squares / epsilon, c)
    return (dy, -dx, c, closed / epsilon), length


def _norm(x: Floats, y: Floats) -> Floats:
    """Return the lengths of vectors. Coordinates are at most 255, so no square overflows."""
    norm: Floats = np.sqrt(x * x + y * y)
    return norm
