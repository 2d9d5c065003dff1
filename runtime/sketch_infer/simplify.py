"""Google's simplification of Quick, Draw! drawings: pen points as they were sampled become few corner points.

A network trained on the simplified data set needs its strokes in that density; a pen samples ten times more.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .strokes import drawing_to_sketch

Points = npt.NDArray[np.float64]

SIDE = 255.0
"""The larger side of a simplified drawing."""

EPSILON = 2.0
"""How far, in units of `SIDE`, a left-out point may stand from the line that replaces it."""


def simplify_drawing(drawing: Sequence[Any], epsilon: float = EPSILON) -> list[list[list[int]]]:
    """Simplify a drawing by the data set's recipe.

    The drawing is shifted to (0, 0) and scaled so that its larger side is 255; each stroke is resampled at a
    spacing of 1 and reduced by the Ramer-Douglas-Peucker algorithm.

    Args:
        drawing: list of strokes, each ``[[x...], [y...]]`` in any unit; further lists (times) are not read.
            Strokes without points are left out.
        epsilon: largest distance of a left-out point from the line that replaces it.

    Returns:
        list of strokes ``[[x...], [y...]]`` of integers 0..255.

    Raises:
        InputError: if the drawing is not built as above, is not finite, or has fewer than two points.
    """
    drawing_to_sketch(drawing)  # refuses what is no drawing, so that messages are those of the preprocessing
    lines = [np.column_stack(stroke[:2]).astype(np.float64) for stroke in drawing if len(stroke[0])]
    points = np.concatenate(lines)
    low = points.min(axis=0)
    with np.errstate(over="ignore"):
        extent = float((points.max(axis=0) - low).max())
    if not np.isfinite(extent):
        raise InputError("expected coordinates whose extent is finite; bring the drawing to a smaller unit")
    scale = SIDE / extent if extent else 1.0
    kept = [_corners(_resample((line - low) * scale), epsilon) for line in lines]
    return [np.rint(line).astype(int).T.tolist() for line in kept]


def _resample(line: Points) -> Points:
    """Return points 1 apart along a line (P, 2), from its first point to its last."""
    lengths = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    if along[-1] == 0:
        return line[[0, -1]]  # a dot is written as its point twice, as in the data set
    at = np.append(np.arange(0.0, along[-1], 1.0), along[-1])
    return np.column_stack([np.interp(at, along, axis) for axis in line.T])


def _corners(line: Points, epsilon: float) -> Points:
    """Reduce a line (P, 2) by Ramer-Douglas-Peucker."""
    kept = np.zeros(len(line), bool)
    kept[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        distances = _distances(line[first + 1 : last], line[first], line[last])
        farthest = int(distances.argmax())
        if distances[farthest] > epsilon:
            corner = first + 1 + farthest
            kept[corner] = True
            spans += [(first, corner), (corner, last)]
    return line[kept]


def _distances(points: Points, start: Points, end: Points) -> Points:
    """Distance of points (P, 2) to the line through start and end; to start if they are one point."""
    direction = end - start
    length = np.hypot(*direction)
    offsets = points - start
    if length == 0:
        distances: Points = np.hypot(offsets[:, 0], offsets[:, 1])
    else:
        distances = np.abs(offsets[:, 0] * direction[1] - offsets[:, 1] * direction[0]) / length
    return distances
