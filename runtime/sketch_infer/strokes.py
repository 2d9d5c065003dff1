"""Pen strokes as the network reads them: the one definition of the preprocessing.

A *drawing* is what people draw: pen lines, each a pair of x and y lists, in any unit. A *sketch* is its
stroke-3 form, a float32 array (T, 3) of rows (dx, dy, pen). The network reads batches of sketches brought to
one length, float32 (N, sequence_length, 3), padded with zero rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError

FloatArray = npt.NDArray[np.float32]

INPUT_SIZE = 3
"""Values in a row of a sketch: dx, dy, pen."""

PREPROCESSING = (
    "stroke-3: x and y min-max scaled to [0, 1] per axis over the drawing, then differences between points "
    "(the first point dropped); pen = 1 on the last point of a stroke, else 0; zero rows after the last point"
)
"""The convention that `drawing_to_sketch` implements, as the model file records it."""


def drawing_to_sketch(drawing: object) -> FloatArray:
    """Bring a drawing in Quick, Draw! form to stroke-3.

    The recipe is that of Google's Quick, Draw! RNN classifier tutorial: per axis x' = (x - min) / (max - min),
    an axis without extent divided by 1 instead, then first differences.

    Args:
        drawing: list of strokes, each ``[[x...], [y...]]``; further lists in a stroke (times) are not read.

    Returns:
        float32 (T, 3) of (dx, dy, pen), T = number of points - 1.

    Raises:
        InputError: if the drawing is not built as above, has a value that is not a finite number, or has
            fewer than two points.
    """
    if not isinstance(drawing, list | tuple):
        raise InputError(f"expected a drawing as a list of strokes [[x...], [y...]], found {_kind(drawing)}")
    lines = [_stroke_points(stroke, number) for number, stroke in enumerate(drawing)]
    points = np.concatenate(lines) if lines else np.empty((0, 2))
    if len(points) < 2:
        raise InputError(f"expected a drawing of at least 2 points, found {len(points)}")
    if not np.isfinite(points).all():
        raise InputError("expected finite coordinates, found NaN or infinity")
    pen = np.zeros(len(points))
    pen[np.cumsum([len(line) for line in lines]) - 1] = 1.0
    low = points.min(axis=0)
    # Halved, because the extent of coordinates near the float64 limit would overflow.
    extent = points.max(axis=0) / 2 - low / 2
    extent[extent == 0] = 0.5
    scaled = (points / 2 - low / 2) / extent
    return np.column_stack([np.diff(scaled, axis=0), pen[1:]]).astype(np.float32)


def _stroke_points(stroke: Any, number: int) -> npt.NDArray[np.float64]:
    """Return one stroke's points as float64 (P, 2)."""
    if not isinstance(stroke, list | tuple) or len(stroke) < 2:
        raise InputError(f"expected stroke {number} as [[x...], [y...]], found {_kind(stroke)}")
    try:
        x, y = (np.asarray(axis) for axis in stroke[:2])
    except ValueError as error:  # lists of lists of unequal length
        raise InputError(f"expected the x and y of stroke {number} as flat lists of numbers") from error
    if x.ndim != 1 or y.ndim != 1 or (x.size and x.dtype.kind not in "fiu") or (y.size and y.dtype.kind not in "fiu"):
        raise InputError(f"expected the x and y of stroke {number} as flat lists of numbers")
    if len(x) != len(y):
        raise InputError(f"expected as many x as y in stroke {number}, found {len(x)} x and {len(y)} y")
    return np.column_stack([x, y]).astype(np.float64)


def _kind(value: object) -> str:
    return f"a list of length {len(value)}" if isinstance(value, list) else f"a value of type {type(value).__name__}"


def as_strokes(values: object, first_row: int = 0) -> FloatArray:
    """Check strokes and convert them to float32.

    Args:
        values: one sketch (T, 3) or N of them (N, T, 3), of any float or integer dtype.
        first_row: what messages count the rows from, for a block of a larger array.

    Returns:
        float32 of the same shape; the input itself if it already is float32.

    Raises:
        InputError: for another dtype, rank or last axis, or for values that are NaN, infinite or too large
            for float32; it names the rows (of N sketches) or points (of one).
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # lists of unequal lengths, tensors with gradients
        found = f"{type(values).__name__}: {error}"
        raise InputError(
            f"expected strokes as an array (T, {INPUT_SIZE}) or (N, T, {INPUT_SIZE}), found {found}"
        ) from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"expected strokes of a float or integer dtype, found {array.dtype}")
    if array.ndim not in (2, 3) or array.shape[-1] != INPUT_SIZE:
        raise InputError(f"expected strokes as (T, {INPUT_SIZE}) or (N, T, {INPUT_SIZE}), found shape {array.shape}")
    with np.errstate(over="ignore"):  # what overflows float32 becomes infinite and is refused below
        strokes: FloatArray = array.astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(strokes).all(axis=tuple(range(1, strokes.ndim))))
    if bad.size:
        # ONNX Runtime's CPU LSTM turns such values into plausible probabilities, so they must not reach it.
        where = "row" if strokes.ndim == 3 else "point"
        raise InputError(
            f"expected finite float32 values, found NaN, infinity or overflow in {where}{'s' * (bad.size > 1)} "
            f"{_enumerate(bad + first_row)}; remove or repair them"
        )
    return strokes


def _enumerate(numbers: npt.NDArray[np.intp], at_most: int = 8) -> str:
    shown = ", ".join(str(number) for number in numbers[:at_most])
    return shown if len(numbers) <= at_most else f"{shown} and {len(numbers) - at_most} more"


def to_batch(sketches: Sequence[FloatArray], sequence_length: int) -> tuple[FloatArray, int]:
    """Stack sketches to the network's input, zero-padded or cut to one length.

    Args:
        sketches: N float32 arrays (T, 3), T free.
        sequence_length: points per sketch that the network reads.

    Returns:
        float32 (N, sequence_length, 3), and how many sketches lost points by the cut. Dropping rows that are
        zero, as padding is, loses nothing and does not count.
    """
    batch = np.zeros((len(sketches), sequence_length, INPUT_SIZE), np.float32)
    n_cut = 0
    for row, sketch in zip(batch, sketches, strict=True):
        row[: len(sketch)] = sketch[:sequence_length]
        n_cut += bool(np.any(sketch[sequence_length:]))
    return batch, n_cut
