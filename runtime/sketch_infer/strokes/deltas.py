"""Pen strokes as differences in any unit, the forms of the sketch-rnn project, brought to the network's convention.

A sketch begins at the origin with the pen down: row 0 is drawn. So it is in Google's own files, whose first point was
dropped when differences were taken, and in sketch-rnn itself, whose start token is (0, 0) with the pen down. Rows that
a converter made of absolute points, sketch-rnn's `lines_to_strokes` among them, begin with a move to the first point
instead; `recognize` tells them.
"""

from collections.abc import Sequence

import numpy as np

from sketch_infer.array_types import Array, FloatArray
from sketch_infer.errors import InputError
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.preprocess import drawings_to_sketches
from sketch_infer.strokes.simplify import MAX_POINTS


def stroke_5_to_stroke_3(rows: Array) -> Array:
    """Convert one sketch: rows (T, 5) of dx, dy, pen down, pen up, end become float64 (t, 3).

    The end is the first row that says so, or the last before zero rows. An end row with a difference is a point.

    Raises:
        InputError: if a row before the end has not one 1 and two 0 as its last three values.
    """
    ends = np.flatnonzero(rows[:, 4] == 1)
    drawn = np.flatnonzero(rows.any(axis=1))
    length = int(ends[0]) + 1 if len(ends) else int(drawn.max(initial=-1)) + 1
    rows = rows[:length].astype(np.float64)
    states = rows[:, 2:]
    if not (((states == 0) | (states == 1)).all() and (states.sum(axis=1) == 1).all()):
        raise InputError("expected stroke-5 rows with one of pen down, pen up and end set to 1")
    if len(ends) and not rows[-1, :2].any():
        rows, states = rows[:-1], states[:-1]
    return np.column_stack([rows[:, :2], 1 - states[:, 0]])


def stroke_3_to_sketches(sketches: Sequence[Array], first_row_moves: bool = False) -> list[tuple[FloatArray, float]]:
    """Convert sketches of unscaled rows (dx, dy, pen); zero rows at the end are padding.

    Args:
        sketches: (T, 3) each.
        first_row_moves: whether the first row leads from the origin to the first point, and is not drawn.

    Returns:
        strokes as the network reads them, float32 (t, 3), and width / height of each.

    Raises:
        InputError: if a sketch has fewer than two points or more than `MAX_POINTS`, values that are not finite, or a
            pen that is not 0 or 1.
    """
    points, line_ends, n_lines, n_points = [], [], [0], 0
    for sketch in sketches:
        drawn = np.flatnonzero(sketch.any(axis=1))
        n_drawn = int(drawn[-1]) + 1 if len(drawn) else 0
        if n_drawn > MAX_POINTS:
            raise InputError(f"expected a sketch of at most {MAX_POINTS} points, found {n_drawn}; use fewer points")
        rows = sketch[:n_drawn].astype(np.float64)
        # A first row of zeros is the first point itself: sketch-rnn's start token.
        from_origin = len(rows) > 0 and rows[0].any() and not first_row_moves
        if len(rows) + from_origin < 2:
            raise InputError(f"expected a sketch of at least 2 points, found {len(rows)}")
        if not np.isfinite(rows).all():
            raise InputError("expected finite values, found NaN or infinity")
        check_pens(rows)
        with np.errstate(over="ignore", invalid="ignore"):
            positions = np.cumsum(rows[:, :2], axis=0)
        if not np.isfinite(positions).all():
            raise InputError("expected differences that add up to finite positions; scale the sketch down")
        lifted = rows[:, 2] == 1
        if from_origin:
            positions = np.concatenate([np.zeros((1, 2)), positions])
            lifted = np.concatenate([[False], lifted])
        points.append(positions)
        lifted[-1] = True
        ends = np.flatnonzero(lifted) + 1 + n_points
        line_ends.append(ends)
        n_lines.append(n_lines[-1] + len(ends))
        n_points += len(positions)
    lines = PenLines(np.concatenate(points), np.concatenate([[0], *line_ends]), np.array(n_lines, np.intp))
    return list(zip(drawings_to_sketches(lines), lines.aspects().tolist(), strict=True))


def check_pens(rows: Array) -> None:
    """Check the last column of rows (P, 3).

    Raises:
        InputError: if it has other values than 0 and 1; it says what they look like.
    """
    pens = rows[:, 2]
    odd = pens[(pens != 0) & (pens != 1)]
    if not odd.size:
        return
    hint = "set 1 on the last point of each stroke and 0 on the others"
    bits = [column for column in (0, 1) if np.isin(rows[:, column], (0, 1)).all() and rows[:, column].any()]
    if (rows[rows[:, 2] == -1] == -1).all() and (odd == -1).all():
        hint = "pad sketches with zeros"
    elif bits:
        hint = f"column {bits[0]} looks like the pen: order them as dx, dy, pen"
    raise InputError(f"expected 0 or 1 as the pen, the last of (dx, dy, pen), found {odd[0]:g}; {hint}")
