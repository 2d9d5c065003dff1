"""Strokes in, labels out: the library's front door."""

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .engine import DEFAULT_BATCH_SIZE, run_all, usable_cores
from .errors import InputError, ModelFileError
from .model_file import ModelMetadata, Precision
from .providers import CPU, ProviderChoice
from .session import Session
from .strokes import INPUT_SIZE, FloatArray, as_strokes

_DEFAULT_MODELS = {"fp32": "default.onnx", "int8": "default_int8.onnx"}
"""Files inside this package; `make export` writes them and the wheel carries them."""


class TruncationWarning(UserWarning):
    """Sketches had more points than the network reads; their tails were ignored."""


def default_model(precision: Precision = "fp32") -> Path:
    """Return the path of the model that comes with this installation.

    Args:
        precision: "fp32", or "int8" for the smaller and faster one.

    Raises:
        ModelFileError: if it has none.
    """
    path = Path(__file__).with_name(_DEFAULT_MODELS[precision])
    if not path.is_file():
        raise ModelFileError(
            f"this installation has no default {precision} model; run `make export` or name a model file"
        )
    return path


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the network says of N sketches.

    Attributes:
        log_probs: float32 (N, classes), natural logarithms of the probabilities.
        logits: float32 (N, classes).
        classes: class names in the order of the columns.
    """

    log_probs: FloatArray
    logits: FloatArray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.log_probs)

    @property
    def probabilities(self) -> FloatArray:
        """float32 (N, classes); each row sums to 1."""
        return np.exp(self.log_probs)

    @property
    def labels(self) -> list[str]:
        """The likeliest class of each sketch."""
        return [self.classes[column] for column in self.log_probs.argmax(axis=1)]

    def top_k(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """Return for each sketch the k likeliest classes with their probabilities, likeliest first.

        Equally likely classes stand in the order of `classes`; k beyond their number gives all.

        Raises:
            ValueError: if k is below 1.
        """
        if k < 1:
            raise ValueError(f"expected k >= 1, found {k}")
        columns: npt.NDArray[np.intp] = np.argsort(-self.log_probs, axis=1, kind="stable")[:, :k]
        chosen = np.take_along_axis(self.probabilities, columns, axis=1)
        return [
            [(self.classes[column], float(probability)) for column, probability in zip(*row, strict=True)]
            for row in zip(columns, chosen, strict=True)
        ]


class Classifier:
    """Classify sketches with an exported model.

    Args:
        model: path of an `.onnx` file that sketch-export wrote; the installation's own when None.
        provider: "cuda", "cpu", or "auto" for CUDA where it starts and else the CPU.
        batch_size: sketches per call into ONNX Runtime.
        threads: batches that run at a time, each on one thread; None for as many as there are cores to use, and for one
            on CUDA. With two or more, an fp32 model asked about one sketch at a time shares it between two threads,
            from the second time on: that takes the memory of the model again.

    Raises:
        ModelFileError: if the file is missing, damaged or breaks the contract.
        ProviderError: if CUDA was asked for and did not start.
        DependencyError: if onnxruntime is not installed.
        ValueError: for another provider, or a batch_size or threads below 1.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        provider: ProviderChoice = "auto",
        batch_size: int = DEFAULT_BATCH_SIZE,
        threads: int | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"expected batch_size >= 1, found {batch_size}")
        if threads is not None and threads < 1:
            raise ValueError(f"expected threads >= 1, found {threads}")
        self._model = default_model() if model is None else model
        self._session = Session(self._model, provider)
        self._shared: Session | None = None
        self._single_calls = 0
        self._opening = threading.Lock()
        self._batch_size = batch_size
        self._workers = threads or (usable_cores() if self.provider == CPU else 1)

    @property
    def metadata(self) -> ModelMetadata:
        """What the model file says of itself: labels, sequence length, preprocessing and so on."""
        return self._session.metadata

    @property
    def provider(self) -> str:
        """The execution provider that really runs, for example "CPUExecutionProvider"."""
        return self._session.provider

    @property
    def cuda_missing(self) -> str:
        """Why provider="auto" did not take CUDA; empty otherwise."""
        return self._session.cuda_missing

    def predict(self, strokes: npt.ArrayLike | Sequence[npt.ArrayLike]) -> Predictions:
        """Classify one sketch or many.

        Args:
            strokes: rows of (dx, dy, pen), any float or integer dtype: one sketch (T, 3), an array of sketches
                (N, T, 3), or a list of N sketches (T, 3) of mixed lengths. Shorter sketches are zero-padded;
                longer ones are cut with a TruncationWarning.

        Returns:
            predictions for the N sketches in order (N = 1 for one sketch; N may be 0).

        Raises:
            InputError: if the strokes have another shape or dtype, or values that are not finite.
        """
        sketches = _as_sketches(strokes)
        session = self._session_for_one() if len(sketches) == 1 else self._session
        outputs, n_cut = run_all(session, sketches, self._batch_size, self._workers)
        if n_cut:
            message = f"cut {n_cut} of {len(sketches)} sketches to {self.metadata.sequence_length} points"
            warnings.warn(message, TruncationWarning, stacklevel=2)
        return Predictions(outputs["log_probs"], outputs["logits"], self.metadata.labels)

    def _session_for_one(self) -> Session:
        """Return the session whose two threads share a sketch, where that is worth it and not for a first call alone.

        In int8 a step is too short to share.
        """
        if self._workers < 2 or self.provider != CPU or self.metadata.precision != "fp32":
            return self._session
        with self._opening:
            self._single_calls += 1
            if self._single_calls > 1 and self._shared is None:
                self._shared = self._open_shared()
            return self._shared or self._session

    def _open_shared(self) -> Session:
        try:
            shared = Session(self._model, "cpu", threads=2)
        except ModelFileError:  # the file is gone: what is open still works
            return self._session
        return shared if shared.content_sha256 == self._session.content_sha256 else self._session  # or was replaced


def _as_sketches(strokes: object) -> list[FloatArray]:
    """Split what `Classifier.predict` accepts into float32 sketches (T, 3)."""
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
