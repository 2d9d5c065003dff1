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

_SMALLEST = 1e-300
"""A drawing of no larger extent is a dot: what scales it up would be beyond float64."""

_DENSE_POINTS = 16
_DENSE_STEP = 20.0
_DENSE_KEPT = 0.65
"""A dense drawing has that many points or more, that far apart on average or less, in units of `SIDE`, and the recipe
keeps a smaller share of them. Of 100,000 simplified drawings that is none; of 15,800 raw ones whose points were rounded
to whole numbers from 0 to 255, 98.6 %."""

_AT_ONCE = 64
"""Drawings whose arrays stay in a core's cache: with 512 it takes a third longer."""

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def simplify_drawing(drawing: Sequence[Any], epsilon: float = EPSILON) -> list[list[list[int]]]:
    """Simplify a drawing by the data set's recipe.

    The drawing is shifted to (0, 0) and scaled so that its larger side is 255; each stroke is resampled at a
    spacing of 1 and reduced by the Ramer-Douglas-Peucker algorithm.

    Args:
        drawing: list of strokes, each ``[[x...], [y...]]`` or a list of points (see `to_columns`), in any unit; times
            are not read. Strokes without points are left out.
        epsilon: largest distance of a left-out point from the line that replaces it.

    Returns:
        list of strokes ``[[x...], [y...]]`` of integers 0..255.

    Raises:
        InputError: if the drawing is not built as above, is not finite, or has fewer than two points or more than
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


def _simplify(drawings: PenLines, epsilon: float) -> PenLines:
    if (most := int(np.diff(drawings.drawing_starts).max())) > MAX_POINTS:
        raise InputError(f"expected a drawing of at most {MAX_POINTS} points, found {most}; thin it out")
    low, high = drawings.bounds()
    with np.errstate(over="ignore"):
        extents = (high - low).max(axis=1)
    if not np.isfinite(extents).all():
        raise InputError("expected coordinates whose extent is finite; bring the drawing to a smaller unit")
    scales = SIDE / np.where(extents > _SMALLEST, extents, SIDE)
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
    lengths = np.hypot(x_steps, y_steps)
    along = np.zeros(len(points))
    for first, end in zip(line_starts[:-1].tolist(), line_starts[1:].tolist(), strict=True):
        # By line, because a sum over all would round a line's lengths by what stands before it.
        lengths[first : end - 1].cumsum(out=along[first + 1 : end])
    ends = line_starts[1:] - 1
    # Of each segment, from a point to the next: the first and the last step that stand on it, if any.
    first_step = np.ceil(along[:-1])
    last_step = np.ceil(along[1:]) - 1
    n_steps = (last_step >= first_step).astype(np.intp) + (last_step > first_step)
    n_steps[ends[:-1]] = 0  # from a line's end to the next one's start
    n_steps_before = np.concatenate([[0], np.cumsum(n_steps), [n_steps.sum()]])
    segment = np.repeat(np.arange(len(n_steps)), n_steps)
    second = np.zeros(len(segment), bool)
    second[1:] = segment[1:] == segment[:-1]
    past = np.where(second, last_step[segment], first_step[segment]) - along[segment]
    with np.errstate(invalid="ignore", divide="ignore"):  # segments of no length, where no step stands
        share = past / lengths[segment]
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
        crosses, length = _crosses(x, y, index, first, last, inner)
        largest = np.maximum.reduceat(crosses, begins)
        split = largest > epsilon * length
        hits = np.flatnonzero(crosses == np.repeat(largest, inner))
        corner = index[hits[np.searchsorted(hits, begins[split])]]  # the first farthest point of each span
        kept[corner] = True
        first, last = (np.column_stack(ends).ravel() for ends in ([first[split], corner], [corner, last[split]]))
    return kept


def _crosses(
    x: Floats, y: Floats, index: Indices, first: Indices, last: Indices, inner: Indices
) -> tuple[Floats, Floats]:
    """Return each inner point's distance to the line through its span's ends times the span's length, and the lengths.

    Of a span whose ends are one point: the distance to it, and 1.
    """
    dx, dy = x[last] - x[first], y[last] - y[first]
    length = np.hypot(dx, dy)
    x_offsets = x[index] - np.repeat(x[first], inner)
    y_offsets = y[index] - np.repeat(y[first], inner)
    crosses: Floats = np.abs(x_offsets * np.repeat(dy, inner) - y_offsets * np.repeat(dx, inner))
    closed = length == 0
    if closed.any():
        length[closed] = 1.0
        of_closed = np.repeat(closed, inner)
        crosses[of_closed] = np.hypot(x_offsets[of_closed], y_offsets[of_closed])
    return crosses, length
