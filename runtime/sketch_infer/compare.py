"""`--compare-eager`: the same strokes through eager PyTorch, where torch is installed."""

from pathlib import Path

import numpy as np

from .classifier import Predictions
from .errors import DependencyError, InputError, ModelFileError
from .model_file import OUTPUTS
from .parity import ParityReport, compare_outputs
from .strokes import FloatArray


class EagerComparison:
    """Collects batches with their predictions and runs eager PyTorch on the very same arrays.

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
                "install it with: pip install sketchrnn-edge torch"
            ) from error
        self._run_eager = sketch_models.run_eager
        self._model = sketch_models.load_checkpoint(checkpoint).model
        self._checkpoint = checkpoint
        self._batches: list[tuple[FloatArray, Predictions]] = []

    def add(self, batch: FloatArray, predictions: Predictions) -> None:
        """Keep a batch, float32 (N, sequence_length, 3), with what the model file said of it."""
        self._batches.append((batch, predictions))

    def report(self) -> ParityReport:
        """Run eager PyTorch on all batches and compare.

        Raises:
            InputError: if there was no batch.
            ModelFileError: if the checkpoint's network does not take these strokes.
        """
        if not self._batches:
            raise InputError("no sketches to compare on: the input has no rows")
        strokes = np.concatenate([batch for batch, _ in self._batches])
        onnx = {
            name: np.concatenate([getattr(predictions, name) for _, predictions in self._batches]) for name in OUTPUTS
        }
        try:
            eager = self._run_eager(self._model, strokes)
        except ValueError as error:
            raise ModelFileError(f"{self._checkpoint}: its network does not fit the model file: {error}") from error
        return compare_outputs(f"{len(strokes)} sketches", eager, onnx)
