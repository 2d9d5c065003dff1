"""Pen strokes as the network reads them: the only definition of the preprocessing.

A *drawing* is what people draw: pen lines, each with a list of x and a list of y, in any unit. A *sketch* is its
stroke-3 form, a float32 array (T, 3) of rows (dx, dy, pen). The network reads batches of sketches of one length,
float32 (N, sequence_length, 3), padded with rows of zeros.
"""

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_infer.errors import InputError
from sketch_infer.strokes.pen_lines import PenLines

INPUT_SIZE = 3
"""Values in a row of a sketch: dx, dy, pen."""

MAX_VALUE = 1e6
"""In a row. Differences of scaled coordinates stay within 1; near 1e38 eager PyTorch overflows to NaN, where ONNX
Runtime still has a label."""

PREPROCESSING = (
    "stroke-3: x and y min-max scaled to [0, 1] per axis over the drawing, then differences between points "
    "(the first point dropped); pen = 1 on the last point of a stroke, else 0; zero rows after the last point"
)
"""The convention that `drawing_to_sketch` implements, as the model file records it."""


def drawing_to_sketch(drawing: object) -> FloatArray:
    """Convert a drawing in Quick, Draw!'s simplified form to stroke-3.

    As in Google's Quick, Draw! RNN classifier tutorial: for each axis x' = (x - min) / (max - min), where an axis
    without extent is divided by 1, then first differences.

    Args:
        drawing: list of strokes, each ``[[x...], [y...]]`` or a list of points (see `to_columns`); times are ignored.

    Returns:
        float32 (T, 3) of (dx, dy, pen), where T = number of points - 1.

    Raises:
        InputError: if the drawing has another form, has a value that is not a finite number, or has fewer than two
            points.
    """
    (sketch,) = drawings_to_sketches(PenLines.of([drawing]))
    return sketch


def drawings_to_sketches(drawings: PenLines) -> list[FloatArray]:
    """Bring drawings to stroke-3 as `drawing_to_sketch` does one.

    Returns:
        a float32 (T, 3) each; they share their memory.
    """
    low, high = drawings.bounds()
    # Halved, because the extent of coordinates near the float64 limit would overflow.
    low, extent = low / 2, high / 2 - low / 2
    extent[extent == 0] = 0.5
    of_point = drawings.drawing_of_point()
    scaled = (drawings.points / 2 - low[of_point]) / extent[of_point]
    rows = np.empty((len(scaled), INPUT_SIZE), np.float32)
    rows[1:, :2] = np.diff(scaled, axis=0)
    rows[:, 2] = 0.0
    rows[drawings.line_starts[1:] - 1, 2] = 1.0
    starts = drawings.drawing_starts.tolist()
    # The first point of each drawing has none before it.
    return [rows[first + 1 : end] for first, end in pairwise(starts)]


def as_array(values: object, columns: Sequence[int] = (INPUT_SIZE,)) -> npt.NDArray[Any]:
    """Return one sketch (T, 3) or N of them (N, T, 3) as an array of the dtype that they have.

    Raises:
        InputError: for another dtype than float or integer, another rank or last axis, or masked values.
    """
    shapes = " or ".join(f"(T, {n}) or (N, T, {n})" for n in columns)
    parts = values if isinstance(values, list | tuple) else [values]
    # Where numpy.ma is not imported yet nothing is masked, and to import it takes longer than to classify a sketch.
    if "numpy.ma" in sys.modules and any(np.ma.is_masked(part) for part in parts):
        raise InputError(
            "expected strokes without masked values; fill masked rows at the end with zeros, and remove others"
        )
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # lists of unequal lengths, tensors with gradients
        raise InputError(f"expected strokes as an array {shapes}, found {type(values).__name__}: {error}") from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"expected strokes of a float or integer dtype, found {array.dtype}")
    if array.ndim not in (2, 3) or array.shape[-1] not in columns:
        raise InputError(f"expected strokes as {shapes}, found shape {array.shape}")
    return array


def as_strokes(values: object, first_row: int = 0) -> FloatArray:
    """Check strokes and convert them to float32.

    Args:
        values: one sketch (T, 3) or many (N, T, 3), of any float or integer dtype.
        first_row: number of the first row in messages, for a block of a larger array.

    Returns:
        float32 of the same shape; the input itself if it already is float32.

    Raises:
        InputError: for another dtype or shape, masked values, or values that are NaN, infinite or beyond
            `MAX_VALUE`; it names the rows (of N sketches) or points (of one).
    """
    # What overflows float32 becomes infinite and is refused below, as is NaN, of which some kinds would warn.
    with np.errstate(over="ignore", invalid="ignore"):
        strokes: FloatArray = as_array(values).astype(np.float32, copy=False)
        bad = np.flatnonzero(~(np.abs(strokes) <= MAX_VALUE).all(axis=tuple(range(1, strokes.ndim))))
    if bad.size:
        # ONNX Runtime's CPU LSTM turns such values into plausible probabilities, so they must not reach it.
        where = "row" if strokes.ndim == 3 else "point"
        raise InputError(
            f"expected finite values between -{MAX_VALUE:,.0f} and {MAX_VALUE:,.0f}, found NaN, infinity or larger in "
            f"{where}{'s' * (bad.size > 1)} {_enumerate(bad + first_row)}; remove or repair them"
        )
    return strokes


def _enumerate(numbers: npt.NDArray[np.intp], at_most: int = 8) -> str:
    shown = ", ".join(str(number) for number in numbers[:at_most])
    return shown if len(numbers) <= at_most else f"{shown} and {len(numbers) - at_most} more"


def to_batch(sketches: Sequence[FloatArray], sequence_length: int) -> tuple[FloatArray, int]:
    """Stack sketches into the network's input, padded with zeros or cut to one length.

    Args:
        sketches: N float32 arrays (T, 3), of any T.
        sequence_length: points per sketch that the network reads.

    Returns:
        float32 (N, sequence_length, 3), and the number of sketches that lost points. Dropping rows of zeros, as in
        padding, does not count.
    """
    batch = np.zeros((len(sketches), sequence_length, INPUT_SIZE), np.float32)
    n_cut = 0
    for row, sketch in zip(batch, sketches, strict=True):
        row[: len(sketch)] = sketch[:sequence_length]
        n_cut += bool(np.any(sketch[sequence_length:]))
    return batch, n_cut


def n_points(sketch: npt.NDArray[Any]) -> int:
    """Return the number of rows up to the last that is not padding."""
    if len(sketch) and sketch[-1].any():
        return len(sketch)
    values = sketch.reshape(-1) != 0
    behind = int(values[::-1].argmax()) if values.any() else values.size
    return -(-int(values.size - behind) // int(sketch.shape[1]))
