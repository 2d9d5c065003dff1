"""The proof that a model file is the network: structure, declared shapes, and values at several batch sizes.

In int8 the values are near and not equal: there the proof is that drawings get eager PyTorch's labels.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import torch

from sketch_export.passes.directions import DIRECTIONS
from sketch_export.passes.head_blocks import QUANTIZED_MATMUL
from sketch_export.passes.int8_lstm import PINS, QUANTIZED_LSTM
from sketch_export.passes.low_rank_head import FACTORED_HEAD
from sketch_export.pen_points.examples import proof_points, varied_points
from sketch_export.sample_drawings import varied_sketches
from sketch_export.weights import weights_sha256
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.parity.compare import compare_outputs
from sketch_infer.checks.parity.report import ParityReport
from sketch_infer.checks.parity.tolerances import INT8_AGREEMENT, INT8_TOLERANCE
from sketch_infer.errors import ModelFileError, ParityError
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.inference.session import Session
from sketch_infer.model.codes import BITS_IN_BYTE, CODE
from sketch_infer.model.contract.metadata import ModelMetadata
from sketch_infer.model.contract.tensors import POINTS, STATES
from sketch_infer.model.model_file import ModelFile
from sketch_infer.strokes.pen_points import Sketches, network_input
from sketch_infer.strokes.preprocess import INPUT_SIZE, to_batch
from sketch_models import CONVOLUTIONS, SketchRNN, run_eager

BATCHES = (1, 2, 3, 7, 64)
"""The export is traced at one batch size, 3; one that is baked into the graph fails at the others."""

NEWEST_OPSET, NEWEST_IR_VERSION = 20, 10
"""ONNX Runtime registers no CUDA kernels for newer Conv and LSTM, and older releases refuse newer files."""


INT8_DRAWINGS = 512
"""Drawings that an int8 file is judged on: variations of those made in code."""


def proof_strokes(batch: int, sequence_length: int, seed: int = 0) -> FloatArray:
    """Make sketches for a proof, float32 (batch, sequence_length, 3).

    Lengths run from empty to full; the first sketch is full, so that a batch of 1 has no padding to hide in.
    """
    random = np.random.default_rng([seed, batch])
    strokes = random.normal(0, 0.2, (batch, sequence_length, INPUT_SIZE)).astype(np.float32)
    strokes[:, :, 2] = random.random((batch, sequence_length)) < 0.1
    lengths = random.integers(0, sequence_length + 1, batch)
    lengths[0] = sequence_length
    strokes[np.arange(sequence_length) >= lengths[:, None]] = 0
    return strokes


def prove(
    path: Path | ModelFile,
    model: SketchRNN,
    provider: ProviderChoice = "cpu",
    batches: Sequence[int] = BATCHES,
    extra: tuple[str, FloatArray] | None = None,
) -> ParityReport:
    """Prove a model file against eager PyTorch and, in fp32, against the same network in float64.

    Args:
        path: the file's path, or the file as it was read.
        model: the network that it must be.
        provider: where to run the file.
        batches: batch sizes.
        extra: name and strokes, float32 (N, sequence_length, 3), of one more case; drawings, for int8.

    Returns:
        the comparison of both outputs in every case; true if all hold.

    Raises:
        ModelFileError: if the file breaks ONNX's rules or the contract of model files, or claims to be int8 and is not.
        ParityError: if it was exported from other weights.
        ProviderError: if CUDA was requested and did not start.
    """
    file = ModelFile.read(path)
    file.check()
    check_structure(file)
    session = Session(file, provider)
    _check_origin(file, session, model)
    length, probes = session.metadata.sequence_length, session.metadata.probes
    of_points = session.metadata.input_form == POINTS
    if extra and of_points:
        raise ModelFileError(f"{path}: reads pen points; verify its strokes on the file without --input points")
    cases: list[tuple[str, Sketches]] = [
        (f"batch {batch}", proof_points(batch) if of_points else proof_strokes(batch, length)) for batch in batches
    ]
    drawings: list[tuple[str, Sketches]] = [extra] if extra else []
    if session.metadata.precision == "int8":
        check_int8(file, session.metadata)
        varied = varied_points if of_points else lambda count: to_batch(varied_sketches(count), length)[0]
        drawings.append((f"{INT8_DRAWINGS} drawings", varied(INT8_DRAWINGS)))
    report = ParityReport((), session.provider)
    expected = run_eager(model, network_input(probes.sketches, length))
    report += compare_outputs("recorded probes", expected, probes.answers())
    for case, sketches in cases:
        report += _compare(case, session, model, sketches, None)
    for case, sketches in drawings:
        report += _compare(case, session, model, sketches, None, on_drawings=True)
    if session.state_shapes:
        for case, sketches in [*cases, *drawings]:
            random = np.random.default_rng(len(sketches))
            state = {
                name: random.uniform(-1, 1, (layers, len(sketches), hidden)).astype(np.float32)
                for name, (layers, hidden) in session.state_shapes.items()
            }
            report += _compare(f"{case}, {' and '.join(STATES)}", session, model, sketches, state)
    return replace(report, notes=_count_bits(report))


def _count_bits(report: ParityReport) -> tuple[str, ...]:
    codes = [row for row in report.rows if row.output == CODE and len(row.onnx_shape) == 2]
    n_bits = [BITS_IN_BYTE * math.prod(row.onnx_shape) for row in codes]
    differ = sum(round((1 - row.top1_agreement) * n) for row, n in zip(codes, n_bits, strict=True))
    return (f"codes: {differ} of {sum(n_bits)} bits differ from eager PyTorch's",) if codes else ()


def int8_agreement(report: ParityReport) -> dict[str, float]:
    """Return what the proof of an int8 file found on drawings, for its metadata."""
    logits = next(row for row in report.rows if row.case == f"{INT8_DRAWINGS} drawings" and row.output == "logits")
    return {
        "drawings": INT8_DRAWINGS,
        "top1_agreement": logits.top1_agreement,
        "max_logit_difference": logits.max_abs,
    }


def check_structure(file: ModelFile) -> None:
    """Check a model file by ONNX's full checker.

    Raises:
        ModelFileError: if it is not valid, or newer than ONNX Runtime's CUDA kernels.
    """
    model = onnx.load_model_from_string(file.content)
    opset = max((entry.version for entry in model.opset_import), default=0)
    if opset > NEWEST_OPSET or model.ir_version > NEWEST_IR_VERSION:
        raise ModelFileError(
            f"{file.name}: expected opset <= {NEWEST_OPSET} and IR version <= {NEWEST_IR_VERSION}, for which ONNX "
            f"Runtime has kernels everywhere, found {opset} and {model.ir_version}"
        )
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelFileError(f"{file.name}: not a valid ONNX file: {' '.join(str(error).split())}") from error


def check_int8(path: Path | ModelFile, metadata: ModelMetadata) -> None:
    """Check that all LSTMs and the whole head of a model file are in int8.

    Raises:
        ModelFileError: if one is not.
    """
    file = ModelFile.read(path)
    model = ir.from_proto(onnx.load_model_from_string(file.content))
    nodes = list(ir.traversal.RecursiveGraphIterator(model.graph))
    lstms = [node for node in nodes if node.op_type == QUANTIZED_LSTM]
    if not lstms or any(node.op_type in ("LSTM", "Conv") for node in nodes):
        raise ModelFileError(f"{file.name}: says int8, expected {QUANTIZED_LSTM} and no LSTM or Conv in float")
    # A factored head has few weights, stored as integers; a whole one has its products in int8, too.
    stored = [model.graph.initializers.get(f"{FACTORED_HEAD.format(direction)}.int8") for direction in DIRECTIONS]
    factored = [value for value in stored if value is not None and value.dtype == ir.DataType.INT8]
    heads = [node.inputs[1] for node in nodes if node.op_type == QUANTIZED_MATMUL]
    weights = [value.const_value for value in heads if value is not None and value.const_value is not None]
    found = sum(weight.size for weight in weights if weight.dtype == ir.DataType.INT8)
    windows = metadata.sequence_length - sum(kernel - 1 for _, kernel in CONVOLUTIONS)
    hidden = lstms[-1].attributes.get_int("hidden_size", 0) - PINS
    expected = windows * (len(DIRECTIONS) - len(factored)) * hidden * len(metadata.labels)
    if found != expected:
        raise ModelFileError(f"{file.name}: says int8, expected {expected} weights of the head in int8, found {found}")


def _check_origin(file: ModelFile, session: Session, model: SketchRNN) -> None:
    expected, found = weights_sha256(model), session.metadata.weights_sha256
    if expected != found:
        raise ParityError(
            f"{file.name}: exported from other weights: it records sha256 {found[:12]}..., "
            f"the checkpoint has {expected[:12]}..."
        )


def _compare(
    case: str,
    session: Session,
    model: SketchRNN,
    sketches: Sketches,
    state: dict[str, FloatArray] | None,
    on_drawings: bool = False,
) -> ParityReport:
    try:
        outputs = session.run(sketches, state, session.outputs)
    except ModelFileError as error:
        return ParityReport.of_failure(case, str(error))
    strokes = network_input(sketches, session.metadata.sequence_length)
    eager = run_eager(model, strokes, state)
    if session.metadata.precision == "int8":
        # The classes of random strokes are often near ties, and so are all classes of random weights.
        least = INT8_AGREEMENT if on_drawings and not session.metadata.random_weights else 0.0
        return compare_outputs(case, eager, outputs, tolerance=INT8_TOLERANCE, min_agreement=least)
    return compare_outputs(case, eager, outputs, run_eager(model, strokes, state, torch.float64))
