"""One ONNX Runtime session over one model file, held to its contract."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_infer.errors import InputError, ModelFileError, ProviderError
from sketch_infer.inference.cuda import CUDA
from sketch_infer.inference.providers import PROVIDER_CHOICES, ProviderChoice, import_onnxruntime, start_session
from sketch_infer.model.codes import BITS_IN_BYTE, CODE, CODES, EMBEDDING
from sketch_infer.model.contract.metadata import ModelMetadata
from sketch_infer.model.contract.tensors import INT8_RANGE, OUTPUTS, POINTS, STROKES, Feeds, points_feeds
from sketch_infer.model.model_file import ModelFile
from sketch_infer.strokes.pen_points import Sketches
from sketch_infer.strokes.preprocess import INPUT_SIZE

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_MOST_VALUES = 2**31
"""ONNX Runtime's CUDA kernel for reversing sequences indexes an LSTM's output, steps x rows x hidden units, with an
int32, which overflows beyond this."""

_WIDEST_LSTM = 2**13
"""Hidden units: the weights of a wider bidirectional LSTM do not fit into a model file."""

_FIRST_RUN_TOLERANCE = 1e-3
"""Largest difference from eager PyTorch's logits, in units of the row's scale, with which CUDA may start: well above
rounding, which the self-check judges, and well below the error of a wrong answer."""


class Session:
    """Run a model file on batches that are already brought to its sequence length.

    Attributes:
        metadata: what the file says of itself.
        provider: the execution provider that really runs, "CPUExecutionProvider" or "CUDAExecutionProvider".
        cuda_missing: why `provider="auto"` did not take CUDA; empty otherwise.
        content_sha256: hash of the file, which tells it from another one under the same path.
        state_shapes: (n_layers * 2, hidden_size) of the initial-state inputs by name; empty for a model without.
        has_control_flow: whether the graph branches or loops, for which a GPU waits for the CPU.
        max_rows: most sketches that `run` takes in one call.
        outputs: names of all that the model answers.
    """

    def __init__(self, model: str | Path | ModelFile, provider: ProviderChoice = "auto", threads: int = 1) -> None:
        """Open the file.

        Args:
            model: path of an `.onnx` file that sketch-export wrote, or the file read already.
            provider: "cuda", "cpu", or "auto" for CUDA where it starts and else the CPU.
            threads: threads that share each operator's work; more than one is for a sketch at a time.

        Raises:
            ModelFileError: if the file is missing, damaged or breaks the contract.
            ProviderError: if CUDA was asked for and did not start.
            DependencyError: if onnxruntime is not installed.
            ValueError: for another provider.
        """
        if provider not in PROVIDER_CHOICES:
            raise ValueError(f"expected provider {' or '.join(PROVIDER_CHOICES)}, found {provider!r}")
        file = ModelFile.read(model)
        import_onnxruntime()  # while the file's hash is computed
        checked = file.check()  # before ONNX Runtime sees the file
        self.metadata, self.content_sha256 = checked.metadata, checked.content_sha256
        self.state_shapes, self.has_control_flow = checked.state_shapes, checked.has_control_flow
        not_for_cuda = _why_not_cuda(self.metadata)
        if not_for_cuda and provider == "cuda":
            raise ProviderError(f"{file.name}: {not_for_cuda}; use an fp32 model of strokes for CUDA")
        with file.named():
            self._session, reason = start_session(
                file.content, "cpu" if not_for_cuda else provider, threads, first_run=self._check_first_run
            )
        self.cuda_missing = not_for_cuda if provider == "auto" and not_for_cuda else reason
        self.provider: str = self._session.get_providers()[0]
        most_on_cuda = max(1, _MOST_VALUES // (self.metadata.sequence_length * _WIDEST_LSTM))
        self.outputs = (*OUTPUTS, *CODES) if self.metadata.code_bits else OUTPUTS
        self.max_rows = most_on_cuda if self.provider == CUDA else sys.maxsize

    def zero_state(self, rows: int) -> dict[str, FloatArray]:
        """Return the initial state that PyTorch takes when none is given, for the inputs that the model has."""
        shapes = self.state_shapes.items()
        return {name: np.zeros((layers, rows, hidden), np.float32) for name, (layers, hidden) in shapes}

    def empty(self, rows: int, outputs: Sequence[str] = OUTPUTS) -> dict[str, npt.NDArray[Any]]:
        """Return arrays for the outputs of so many sketches, by name."""
        classes, bits = len(self.metadata.labels), self.metadata.code_bits or 0
        width = dict.fromkeys(OUTPUTS, classes) | {EMBEDDING: bits, CODE: bits // BITS_IN_BYTE}
        return {name: np.empty((rows, width[name]), np.uint8 if name == CODE else np.float32) for name in outputs}

    def run(
        self,
        sketches: Sketches,
        state: Mapping[str, FloatArray] | None = None,
        outputs: Sequence[str] = OUTPUTS,
    ) -> dict[str, npt.NDArray[Any]]:
        """Run one batch, as it is, in one call.

        Args:
            sketches: finite strokes, in one array or in a sequence of (sequence_length, 3); or pen points.
            state: for a model with initial-state inputs, h_0 and c_0, each float32 (n_layers * 2, batch,
                hidden_size); zeros when None.
            outputs: names of what is wanted, of those that the model has. ONNX Runtime computes all of them anyway.

        Returns:
            the outputs by name: log_probs and logits, each float32 (batch, classes), embedding, float32 (batch,
            code_bits), and code, uint8 (batch, code_bits / 8). From pen points, NaN for a drawing that cannot be used,
            and a code of zeros; and there also strokes and steps, as `contract` has them.

        Raises:
            InputError: if the sketches' shape or dtype is not as above, they are more than `max_rows`, the model has no
                such state inputs, or it is an int8 model of strokes and a value is beyond its range.
            ModelFileError: if ONNX Runtime fails on the batch.
        """
        if self.metadata.input_form == POINTS:
            feeds = _points(sketches)
        else:
            feeds = self._strokes(sketches)
            if not len(sketches):
                # ONNX Runtime's CPU LSTM aborts the process on a batch of zero rows.
                return self.empty(0, outputs)
        state = self.zero_state(len(sketches)) if state is None else state
        found = {name: array.shape for name, array in state.items()}
        needed = {name: (layers, len(sketches), hidden) for name, (layers, hidden) in self.state_shapes.items()}
        if found != needed:
            raise InputError(f"expected initial states {needed or 'none'}, found {found}")
        try:
            results = self._session.run(outputs, {**feeds, **state})
        except Exception as error:  # its exception classes share no base but Exception
            reason = " ".join(str(error).split())
            raise ModelFileError(f"the model does not run on a batch of {len(sketches)}: {reason}") from error
        return dict(zip(outputs, results, strict=True))

    def _strokes(self, sketches: Sketches) -> Feeds:
        expected = (len(sketches), self.metadata.sequence_length, INPUT_SIZE)
        strokes = sketches if isinstance(sketches, np.ndarray) else np.stack(sketches)
        if strokes.dtype != np.float32 or strokes.shape != expected:
            raise InputError(f"expected float32 strokes {expected}, found {strokes.dtype} {strokes.shape}")
        if len(strokes) > self.max_rows:
            raise InputError(f"expected at most {self.max_rows} sketches a call on CUDA, found {len(strokes)}")
        if self.metadata.precision == "int8" and (largest := float(np.abs(strokes).max(initial=0.0))) > INT8_RANGE:
            raise InputError(
                f"expected strokes between -{INT8_RANGE:g} and {INT8_RANGE:g} for an int8 model, found {largest:g}; "
                "min-max scale the drawings, or use the fp32 model"
            )
        return {STROKES: strokes}

    def _check_first_run(self, session: "InferenceSession") -> None:
        """Raise where a session's answers to the file's own sketches are not eager PyTorch's."""
        probes = self.metadata.probes
        (found,) = session.run(["logits"], {**probes.feeds(), **self.zero_state(len(probes.names))})
        expected = probes.outputs["logits"]
        scale = np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
        difference = float((np.abs(found - expected) / scale).max())
        if not difference <= _FIRST_RUN_TOLERANCE:  # true for NaN
            raise ProviderError(
                f"its answers to the file's own sketches are wrong: {difference:.1e} of the row's scale from eager "
                f"PyTorch's, expected at most {_FIRST_RUN_TOLERANCE:.0e}"
            )


def _points(drawings: Sketches) -> Feeds:
    for points in drawings:
        if points.dtype != np.float32 or points.ndim != 2 or points.shape[1] != INPUT_SIZE:
            raise InputError(f"expected float32 pen points (n, {INPUT_SIZE}), found {points.dtype} {points.shape}")
    return points_feeds(drawings)


def _why_not_cuda(metadata: ModelMetadata) -> str:
    """Say why a model runs on the CPU only; nothing if CUDA takes it."""
    if metadata.precision == "int8":
        return "ONNX Runtime has no int8 LSTM for CUDA"
    if metadata.input_form == POINTS:
        return "a model of pen points is proven on the CPU only"
    return ""
