"""Pen points as a model file takes them that prepares them itself: arrays of x, y and pen."""

from collections.abc import Sequence

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.errors import InputError
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.preprocess import INPUT_SIZE, drawings_to_sketches, to_batch
from sketch_infer.strokes.simplify import SMALLEST, simplify, usable_bounds

Sketches = FloatArray | Sequence[FloatArray]
"""A batch as a model reads it: strokes, float32 (batch, sequence_length, 3); or a sequence of pen points, rows of x, y
and pen, float32 (n, 3) for each drawing."""


def to_pen_points(drawings: PenLines) -> list[FloatArray]:
    """Return each drawing's points, float32 (n, 3): x, y, and pen, 1 on the last point of a stroke, else 0.

    The drawing is shifted to (0, 0) and its unit multiplied by a power of two, because float32 does not tell points
    apart that are far from the origin. That changes nothing in what comes of them.

    Raises:
        InputError: if a drawing's extent is not finite, or it has more than `MAX_POINTS` points.
    """
    low, extents = usable_bounds(drawings)
    exponents = np.where(extents > SMALLEST, np.frexp(extents)[1], 0)
    of_point = drawings.drawing_of_point()
    points = np.zeros((len(drawings.points), INPUT_SIZE), np.float32)
    points[:, :2] = np.ldexp(drawings.points - low[of_point], -exponents[of_point, None])
    points[drawings.line_starts[1:] - 1, 2] = 1.0
    return np.split(points, drawings.drawing_starts[1:-1])


def from_pen_points(drawings: Sequence[FloatArray]) -> PenLines:
    """Read what `to_pen_points` returns; the last point of a drawing ends a stroke, whatever its pen is.

    Raises:
        InputError: if one is no array (n, 3) of finite numbers, n >= 2, or a pen is neither 0 nor 1; it says which.
    """
    checked = []
    for number, drawing in enumerate(drawings):
        try:
            checked.append(_checked(drawing))
        except InputError as error:
            raise InputError(f"drawing {number}: {error}") from error
    counts = [len(points) for points in checked]
    points = np.concatenate(checked)
    drawing_ends = np.cumsum(counts)
    ends_line = points[:, 2] == 1
    ends_line[drawing_ends - 1] = True
    line_starts = np.concatenate([[0], np.flatnonzero(ends_line) + 1])
    drawing_lines = np.concatenate([[0], np.cumsum(ends_line)[drawing_ends - 1]])
    return PenLines(points[:, :2].astype(np.float64), line_starts, drawing_lines)


def _checked(drawing: FloatArray) -> FloatArray:
    points = np.asarray(drawing)
    if points.dtype.kind not in "fiu" or points.ndim != 2 or points.shape[1] != INPUT_SIZE or len(points) < 2:
        found = f"{points.dtype} {points.shape}"
        raise InputError(f"expected at least 2 points of x, y and pen, numbers (n, {INPUT_SIZE}), found {found}")
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        points = points.astype(np.float32, copy=False)
    if not np.isfinite(points).all():
        raise InputError("expected finite coordinates, found NaN, infinity or what is too large for float32")
    if not np.isin(points[:, 2], (0, 1)).all():
        raise InputError("expected a pen of 1 on the last point of a stroke and 0 elsewhere, found other values")
    return points


def network_input(sketches: Sketches, sequence_length: int) -> FloatArray:
    """Return what the network reads of a batch: strokes as they are, pen points as such a model file prepares them.

    Raises:
        InputError: as `from_pen_points`; or if a drawing has more than `MAX_POINTS` points.
    """
    if isinstance(sketches, np.ndarray):
        return sketches
    return to_batch(drawings_to_sketches(simplify(from_pen_points(sketches))), sequence_length)[0]
