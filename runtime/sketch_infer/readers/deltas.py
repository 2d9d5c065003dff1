"""Pen strokes as differences in any unit, the forms of the sketch-rnn project, brought to the network's convention.

A row moves the pen; the first row moves it to the sketch's first point, as sketch-rnn draws it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_infer.errors import InputError
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.preprocess import FloatArray, drawings_to_sketches

Array = npt.NDArray[Any]


def stroke_5_to_stroke_3(rows: Array) -> Array:
    """Convert one sketch: rows (T, 5) of dx, dy, pen down, pen up, end become float64 (t, 3), up to the end.

    Raises:
        InputError: if a row's last three values are not one 1 and two 0.
    """
    states = rows[:, 2:]
    if not (((states == 0) | (states == 1)).all() and (states.sum(axis=1) == 1).all()):
        raise InputError("expected stroke-5 rows with one of pen down, pen up and end set to 1")
    ends = np.flatnonzero(states[:, 2])
    length = int(ends[0]) if len(ends) else len(rows)
    return np.column_stack([rows[:length, :2], states[:length, 1]]).astype(np.float64)


def stroke_3_to_sketches(sketches: Sequence[Array]) -> list[tuple[FloatArray, float]]:
    """Convert sketches of unscaled rows (dx, dy, pen); zero rows at the end are padding.

    Args:
        sketches: (T, 3) each.

    Returns:
        strokes as the network reads them, float32 (t, 3), and width / height of each.

    Raises:
        InputError: if a sketch has fewer than two points or values that are not finite.
    """
    points, line_ends, n_lines, n_points = [], [], [0], 0
    for sketch in sketches:
        drawn = np.flatnonzero(sketch.any(axis=1))
        rows = sketch[: drawn[-1] + 1 if len(drawn) else 0].astype(np.float64)
        if len(rows) < 2:
            raise InputError(f"expected a sketch of at least 2 points, found {len(rows)}")
        if not np.isfinite(rows).all():
            raise InputError("expected finite values, found NaN or infinity")
        with np.errstate(over="ignore", invalid="ignore"):
            positions = np.cumsum(rows[:, :2], axis=0)
        if not np.isfinite(positions).all():
            raise InputError("expected differences that add up to finite positions; bring the sketch to a smaller unit")
        points.append(positions)
        lifted = rows[:, 2] > 0.5
        lifted[-1] = True
        ends = np.flatnonzero(lifted) + 1 + n_points
        line_ends.append(ends)
        n_lines.append(n_lines[-1] + len(ends))
        n_points += len(rows)
    lines = PenLines(np.concatenate(points), np.concatenate([[0], *line_ends]), np.array(n_lines, np.intp))
    return list(zip(drawings_to_sketches(lines), lines.aspects().tolist(), strict=True))
