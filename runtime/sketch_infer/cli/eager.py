"""`--compare-eager`: the same strokes through eager PyTorch, where torch is installed."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_infer.checks.parity.compare import compare_outputs
from sketch_infer.checks.parity.report import ParityReport
from sketch_infer.errors import DependencyError, InputError, ModelFileError
from sketch_infer.inference.predictions import Predictions
from sketch_infer.model.contract.tensors import OUTPUTS


class EagerComparison:
    """Runs eager PyTorch on the very arrays that a model file ran on, and compares.

    Args:
        checkpoint: a SketchRNN checkpoint that `sketch_models` reads.

    Raises:
        DependencyError: if torch or sketch_models is not installed.
        ModelFileError: if the checkpoint cannot be used.
    """

    def __init__(self, checkpoint: Path) -> None:
        try:
            import sketch_models
        except ImportError as error:
            raise DependencyError(
                f"--compare-eager runs PyTorch, and {error.name} is not installed; "
                "install it with: pip install torch, and in a clone of this project: pip install ."
            ) from error
        self._run_eager = sketch_models.run_eager
        self._model = sketch_models.load_checkpoint(checkpoint).model
        self._checkpoint = checkpoint
        self._eager: list[dict[str, npt.NDArray[np.floating]]] = []
        self._onnx: list[Predictions] = []

    def add(self, batch: FloatArray, predictions: Predictions) -> None:
        """Run eager PyTorch on a batch, float32 (N, sequence_length, 3), and keep its outputs beside the model file's.

        Raises:
            ModelFileError: if the checkpoint's network does not take these strokes.
        """
        try:
            self._eager.append(self._run_eager(self._model, batch))
        except ValueError as error:
            raise ModelFileError(f"{self._checkpoint}: its network does not fit the model file: {error}") from error
        self._onnx.append(predictions)

    def report(self) -> ParityReport:
        """Compare all outputs so far.

        Raises:
            InputError: if there was no batch.
        """
        if not self._eager:
            raise InputError("no sketches to compare: the input is empty")
        eager = {name: np.concatenate([outputs[name] for outputs in self._eager]) for name in OUTPUTS}
        onnx = {name: np.concatenate([getattr(predictions, name) for predictions in self._onnx]) for name in OUTPUTS}
        return compare_outputs(f"{len(onnx['logits'])} sketches", eager, onnx)
