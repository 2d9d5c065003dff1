"""The proof that a model file is the network: structure, declared shapes, and values at several batch sizes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch

from sketch_infer.errors import ModelFileError, ParityError
from sketch_infer.model_file import STATES
from sketch_infer.parity import ParityReport, compare_outputs
from sketch_infer.providers import ProviderChoice
from sketch_infer.session import Session
from sketch_infer.strokes import INPUT_SIZE, FloatArray
from sketch_models import SketchRNN, run_eager

from .weights import weights_sha256

BATCHES = (1, 2, 3, 7, 64)
"""The export is traced at one batch size, 3; one that is baked into the graph fails at the others."""

NEWEST_OPSET, NEWEST_IR_VERSION = 20, 10
"""ONNX Runtime registers no CUDA kernels for newer Conv and LSTM, and older releases refuse newer files."""


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
    path: Path,
    model: SketchRNN,
    provider: ProviderChoice = "cpu",
    batches: Sequence[int] = BATCHES,
    extra: tuple[str, FloatArray] | None = None,
) -> ParityReport:
    """Prove a model file against eager PyTorch and against the same network in float64.

    Args:
        path: the file.
        model: the network that it must be.
        provider: where to run the file.
        batches: batch sizes.
        extra: name and strokes, float32 (N, sequence_length, 3), of a further case.

    Returns:
        the comparison of both outputs in every case; true when all hold.

    Raises:
        ModelFileError: if the file breaks ONNX's rules or the contract of the model file.
        ParityError: if it was exported from other weights than the model's.
        ProviderError: if CUDA was asked for and did not start.
    """
    check_structure(path)
    session = Session(path, provider)
    _check_origin(path, session, model)
    cases = [(f"batch {batch}", proof_strokes(batch, model.config.sequence_length)) for batch in batches]
    probes = session.metadata.probes
    report = ParityReport((), session.provider)
    report += compare_outputs("recorded probes", run_eager(model, probes.strokes), probes.outputs)
    for case, strokes in [*cases, *([extra] if extra else [])]:
        report += _compare(case, session, model, strokes, None)
        if session.state_shapes:
            random = np.random.default_rng(len(strokes))
            state = {
                name: random.uniform(-1, 1, (layers, len(strokes), hidden)).astype(np.float32)
                for name, (layers, hidden) in session.state_shapes.items()
            }
            report += _compare(f"{case}, {' and '.join(STATES)}", session, model, strokes, state)
    return report


def check_structure(path: Path) -> None:
    """Check a model file by ONNX's full checker, and that it is one file.

    Raises:
        ModelFileError: if it is not valid, newer than ONNX Runtime's CUDA kernels, or keeps weights outside.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf raises classes of its own
        raise ModelFileError(f"{path}: not an ONNX file: {' '.join(str(error).split())}") from error
    opset = max((entry.version for entry in model.opset_import), default=0)
    if opset > NEWEST_OPSET or model.ir_version > NEWEST_IR_VERSION:
        raise ModelFileError(
            f"{path}: expected opset <= {NEWEST_OPSET} and IR version <= {NEWEST_IR_VERSION}, for which ONNX Runtime "
            f"has kernels everywhere, found {opset} and {model.ir_version}"
        )
    outside = [tensor.name for tensor in model.graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise ModelFileError(f"{path}: expected all weights inside the file, found outside: {', '.join(outside)}")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelFileError(f"{path}: not a valid ONNX file: {' '.join(str(error).split())}") from error


def _check_origin(path: Path, session: Session, model: SketchRNN) -> None:
    expected, found = weights_sha256(model), session.metadata.weights_sha256
    if expected != found:
        raise ParityError(
            f"{path}: exported from other weights: it records sha256 {found[:12]}..., "
            f"the checkpoint has {expected[:12]}..."
        )


def _compare(
    case: str, session: Session, model: SketchRNN, strokes: FloatArray, state: dict[str, FloatArray] | None
) -> ParityReport:
    try:
        outputs = session.run(strokes, state)
    except ModelFileError as error:
        return ParityReport.of_failure(case, str(error))
    return compare_outputs(
        case,
        eager=run_eager(model, strokes, state),
        onnx=outputs,
        float64=run_eager(model, strokes, state, torch.float64),
    )
