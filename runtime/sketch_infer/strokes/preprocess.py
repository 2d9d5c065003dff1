"""Pen strokes as the network reads them: the one definition of the preprocessing.

A *drawing* is what people draw: pen lines, each a pair of x and y lists, in any unit. A *sketch* is its
stroke-3 form, a float32 array (T, 3) of rows (dx, dy, pen). The network reads batches of sketches brought to
one length, float32 (N, sequence_length, 3), padded with zero rows.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sketch_infer.errors import InputError
from sketch_infer.strokes.pen_lines import PenLines

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
    # What overflows float32 becomes infinite and is refused below, as is NaN, of which some kinds would warn.
    with np.errstate(over="ignore", invalid="ignore"):
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


def as_sketches(strokes: object) -> list[FloatArray]:
    """Split one sketch or many into float32 sketches (T, 3).

    Args:
        strokes: one sketch (T, 3), an array (N, T, 3), or a list of sketches (T, 3) of mixed lengths.

    Raises:
        InputError: if the strokes have another shape or dtype, or values that are not finite; it says which sketch.
    """
    if not isinstance(strokes, list | tuple) or (strokes and _is_point(strokes[0])):
        array = as_strokes(strokes)
        return list(array if array.ndim == 3 else array[None])
    if strokes and all(_is_float32_sketch(values) for values in strokes) and np.isfinite(np.concatenate(strokes)).all():
        return list(strokes)  # checked all at once: one by one would take a tenth of the time of an int8 model
    sketches = []
    for position, values in enumerate(strokes):
        try:
            sketch = as_strokes(values)
        except InputError as error:
            raise InputError(f"sketch {position}: {error}") from error
        if sketch.ndim != 2:
            raise InputError(f"sketch {position}: expected shape (T, {INPUT_SIZE}), found {sketch.shape}")
        sketches.append(sketch)
    return sketches


def _is_float32_sketch(values: object) -> bool:
    return (
        isinstance(values, np.ndarray)
        and values.dtype == np.float32
        and values.ndim == 2
        and values.shape[1] == INPUT_SIZE
    )


def _is_point(value: object) -> bool:
    """Tell a point, a row of one sketch, from a sketch."""
    return isinstance(value, list | tuple | np.ndarray) and len(value) > 0 and np.isscalar(value[0])


def n_points(sketch: FloatArray) -> int:
    """Return the number of rows up to the last that is not padding."""
    if len(sketch) and sketch[-1].any():
        return len(sketch)
    return int(np.flatnonzero(sketch.any(axis=1)).max(initial=-1)) + 1
