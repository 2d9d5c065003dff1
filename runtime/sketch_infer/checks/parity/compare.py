"""The comparison of two runs of a network, which exporter, tests and runtime share (NumPy only)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_infer.checks.parity.report import HISTOGRAM_EDGES, OutputParity, ParityReport
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE, INT8_EQUAL_BITS
from sketch_infer.model.codes import CODE, EMBEDDING
from sketch_infer.model.contract.tensors import OUTPUTS

Outputs = Mapping[str, npt.NDArray[Any]]
"""log_probs and logits by name, each (N, classes); of a model with codes also embedding, (N, code_bits), and code."""


def compare_outputs(
    case: str,
    eager: Outputs,
    onnx: Outputs,
    float64: Outputs | None = None,
    tolerance: float = FP32_TOLERANCE,
    min_agreement: float = 0.0,
) -> ParityReport:
    """Compare the outputs of one run with eager PyTorch's on the same strokes.

    Args:
        case: what was run, for the report.
        eager: eager PyTorch's outputs in float32.
        onnx: the outputs to judge.
        float64: the outputs of the same network computed in float64; adds the bound on the distance from it.
        tolerance: bound on ``|onnx - eager|`` in units of a row's scale.
        min_agreement: bound on the share of rows with the same largest entry.
    """
    rows = [_compare(case, name, eager, onnx[name], float64, tolerance, min_agreement) for name in OUTPUTS]
    if EMBEDDING in eager:
        # Its largest entry means nothing.
        rows.append(_compare(case, EMBEDDING, eager, onnx[EMBEDDING], float64, tolerance, 0.0))
        rows.append(_compare_codes(case, eager, onnx[CODE], tolerance, INT8_EQUAL_BITS if min_agreement else 0.0))
    return ParityReport(tuple(rows))


def _compare(
    case: str,
    name: str,
    eager: Outputs,
    onnx: npt.NDArray[np.floating],
    float64: Outputs | None,
    tolerance: float,
    min_agreement: float,
) -> OutputParity:
    expected = eager[name]
    max_abs = max_scaled = eager_error = onnx_error = float("nan")
    top1_agreement = 0.0
    histogram: tuple[int, ...] = ()
    if expected.shape == onnx.shape:
        scale = _scale(eager)
        difference = np.abs(onnx.astype(np.float64) - expected.astype(np.float64))
        max_abs = _largest(difference)
        max_scaled = _largest(difference / scale)
        histogram = tuple(np.histogram(difference / scale, HISTOGRAM_EDGES)[0].tolist())
        if float64 is not None:
            eager_error = _largest(np.abs(expected - float64[name]) / scale)
            onnx_error = _largest(np.abs(onnx - float64[name]) / scale)
        same_top1 = expected.argmax(axis=1) == onnx.argmax(axis=1)
        top1_agreement = float(same_top1.mean()) if len(onnx) else 1.0
    return OutputParity(
        case=case,
        output=name,
        eager_shape=expected.shape,
        onnx_shape=onnx.shape,
        eager_dtype=expected.dtype.name,
        onnx_dtype=onnx.dtype.name,
        max_abs=max_abs,
        max_scaled=max_scaled,
        tolerance=tolerance,
        eager_error=eager_error,
        onnx_error=onnx_error,
        top1_agreement=top1_agreement,
        min_agreement=min_agreement,
        histogram=histogram,
    )


def _compare_codes(
    case: str, eager: Outputs, onnx: npt.NDArray[Any], tolerance: float, min_agreement: float
) -> OutputParity:
    expected, embedding = eager[CODE], np.abs(eager[EMBEDDING].astype(np.float64))
    max_abs = max_scaled = float("nan")
    equal = 0.0
    if (expected.shape, expected.dtype) == (onnx.shape, onnx.dtype):
        differs = np.unpackbits(expected ^ onnx, axis=1).astype(bool)
        max_abs, max_scaled = _largest(embedding[differs]), _largest((embedding / _scale(eager))[differs])
        equal = 1 - float(differs.mean()) if differs.size else 1.0
    return OutputParity(
        case=case,
        output=CODE,
        eager_shape=expected.shape,
        onnx_shape=onnx.shape,
        eager_dtype=expected.dtype.name,
        onnx_dtype=onnx.dtype.name,
        max_abs=max_abs,
        max_scaled=max_scaled,
        tolerance=tolerance,
        eager_error=float("nan"),
        onnx_error=float("nan"),
        top1_agreement=equal,
        min_agreement=min_agreement,
    )


def _scale(eager: Outputs) -> npt.NDArray[np.float64]:
    """Return each row's scale, float64 (N, 1)."""
    logits: npt.NDArray[np.float64] = eager["logits"].astype(np.float64)
    largest: npt.NDArray[np.float64] = np.abs(logits).max(axis=1, keepdims=True, initial=1.0)
    return largest


def _largest(values: npt.NDArray[np.floating]) -> float:
    return float(values.max(initial=0.0))  # NaN if any value is NaN
