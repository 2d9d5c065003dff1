"""Weights as small integers times a scale for each row."""

import numpy as np

from sketch_infer.array_types import Array

DOMAIN = "com.microsoft"
"""Of ONNX Runtime's quantized operators."""

WEIGHT_LEVELS = 64
"""Weights are integers from -64 to 64: with activations of 0 to 255 the sum of two products fits into 16 bits, in
which kernels for CPUs without VNNI add (2 * 64 * 255 < 2**15). With 127 they saturate there."""

H_STEPS = 127.5
"""Steps between 0 and 1 of the h that an int8 LSTM reads: uint8 from -1 to 1."""


def quantize(weight: Array, levels: int = WEIGHT_LEVELS) -> tuple[Array, Array]:
    """Round to integers.

    Args:
        weight: (..., rows, columns).
        levels: the largest integer, at most 127.

    Returns:
        int8 of the same shape, and the scales, float32 (..., rows).
    """
    scale = np.abs(weight).max(axis=-1) / levels
    scale[scale == 0] = 1
    return np.rint(weight / scale[..., None]).astype(np.int8), scale.astype(np.float32)
