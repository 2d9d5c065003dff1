"""The main class of the library: strokes in, labels out."""

import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_infer.errors import InputError, ModelFileError
from sketch_infer.inference.batching import default_batch_size, run_all
from sketch_infer.inference.cores import usable_cores
from sketch_infer.inference.installed import MODEL_NAMES, find_model
from sketch_infer.inference.predictions import Predictions
from sketch_infer.inference.providers import CPU, ProviderChoice
from sketch_infer.inference.session import Session
from sketch_infer.inference.sessions import Sessions
from sketch_infer.inference.taught import Taught
from sketch_infer.model.codes import CODE, CODES, EMBEDDING
from sketch_infer.model.contract.metadata import ModelMetadata
from sketch_infer.model.contract.tensors import OUTPUTS, POINTS
from sketch_infer.model.labels import choose_labels
from sketch_infer.model.model_file import ModelFile
from sketch_infer.strokes.each import prepare_each
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.pen_points import from_pen_points, to_pen_points
from sketch_infer.strokes.preprocess import drawings_to_sketches
from sketch_infer.strokes.rows import RowFormat, as_sketches
from sketch_infer.strokes.simplify import simplify

if TYPE_CHECKING:
    from typing import Self  # Python 3.11

_DRAWINGS_AT_ONCE = 512


class TruncationWarning(UserWarning):
    """Sketches had more points than the network reads; the rest was ignored."""


class ConversionWarning(UserWarning):
    """Rows were not in the form that the network reads, and were converted; the message says how."""


class Classifier:
    """Classify sketches with an exported model.

    Threads can share one classifier. A pickled copy opens the same file again where it is unpickled, and refuses a
    file with other content. A forked process must open its own, because ONNX Runtime's threads are not copied.
    `close`, or the end of a `with` block, frees the memory.

    Args:
        model: path of an `.onnx` file written by sketch-export, or the name of an installed model, "quickdraw-40" (the
            default) or "quickdraw-345"; or a `ModelFile` that was read already.
        provider: "cuda", "cpu", or "auto" for CUDA if it starts, otherwise the CPU.
        batch_size: sketches per call into ONNX Runtime; None for 16, 6 in int8, or 256 on CUDA.
        threads: number of batches that run in parallel, each on one thread; None for one per usable core, or one on
            CUDA. With two or more, an fp32 model that is asked about one sketch at a time shares it between two
            threads from the second call on, which takes the model's memory a second time.
        labels: choose only among these classes of the model, in any order, with probabilities that sum to 1; None for
            all classes.
        reject: whether `Predictions.rejected` says which sketches are probably none of the model's classes.
        codes: whether `Predictions.embeddings` and `.codes` say which sketches are similar.
        taught: a file of `save_taught`, whose classes take the place of the model's own.

    Attributes:
        classes: the classes to choose among, in the order of the prediction's columns.

    Raises:
        ModelFileError: if the file is missing, damaged or breaks the contract.
        ProviderError: if CUDA was requested and did not start.
        DependencyError: if onnxruntime is not installed.
        InputError: if a label is unknown, repeated or the only one; or if sketches are to be rejected, and the model
            has no threshold for it or `labels` leaves classes out; or if the taught classes are another model's; or
            if codes are wanted of a model without.
        ValueError: for an unknown provider, or a batch_size or threads below 1.
    """

    def __init__(
        self,
        model: str | Path | ModelFile | None = None,
        provider: ProviderChoice = "auto",
        batch_size: int | None = None,
        threads: int | None = None,
        labels: Sequence[str] | None = None,
        reject: bool = False,
        codes: bool = False,
        taught: str | Path | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"expected batch_size >= 1, found {batch_size}")
        if threads is not None and threads < 1:
            raise ValueError(f"expected threads >= 1, found {threads}")
        self._model = model if isinstance(model, ModelFile) else find_model(model)
        self._sessions = Sessions(self._model, provider)
        opened = self._sessions.open()
        self._metadata, self._provider = opened.metadata, opened.provider
        labels = labels if labels is None or isinstance(labels, str) else tuple(labels)
        self._columns = None if labels is None else choose_labels(labels, self._metadata.labels)
        self.classes = self._metadata.labels if labels is None else tuple(labels)
        self._reject_below = _threshold(self._metadata, labels) if reject else None
        if codes and not self._metadata.code_bits:
            raise InputError("this model has no codes; export a checkpoint that sketch-train --codes wrote")
        self._outputs = (*OUTPUTS, *CODES) if codes else OUTPUTS
        self._taught: Taught | None = None
        self._teaching = threading.Lock()
        if taught is not None:
            self._answer_with(Taught.load(taught, self.content_sha256, len(self._metadata.labels)))
        self._cuda_missing, self._has_control_flow = opened.cuda_missing, opened.has_control_flow
        # An own path is kept whole, so that it is found from another folder; a name is each installation's own model.
        name = model.name if isinstance(model, ModelFile) else model
        kept = name if name is None or name in MODEL_NAMES else Path(name).absolute()
        options = {
            "provider": provider,
            "batch_size": batch_size,
            "threads": threads,
            "labels": labels,
            "reject": reject,
            "codes": codes,
        }
        self._arguments = {"model": kept, **options}
        self._batch_size = batch_size or default_batch_size(opened)
        self._workers = threads or (usable_cores() if self.provider == CPU else 1)

    @property
    def metadata(self) -> ModelMetadata:
        """The model file's metadata, such as labels, sequence length and preprocessing."""
        return self._metadata

    @property
    def provider(self) -> str:
        """The execution provider in use, for example "CPUExecutionProvider"."""
        return self._provider

    @property
    def cuda_missing(self) -> str:
        """Why provider="auto" did not choose CUDA; empty otherwise."""
        return self._cuda_missing

    @property
    def has_control_flow(self) -> bool:
        """Whether the model's graph branches or loops, for which a GPU waits for the CPU; `--graph plain` has none."""
        return self._has_control_flow

    @property
    def content_sha256(self) -> str:
        """Hash of the model file's content."""
        return self._sessions.open().content_sha256

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model's memory. Later calls of `predict` fail; closing twice does nothing."""
        self._sessions.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"arguments": self._arguments, "content_sha256": self.content_sha256, "taught": self._taught}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state["arguments"])  # type: ignore[misc]  # as when it was made
        if self.content_sha256 != state["content_sha256"]:
            raise ModelFileError(f"{self._model}: expected the pickled classifier's model, found another one")
        if state["taught"]:
            self._answer_with(state["taught"])

    def predict(
        self,
        strokes: npt.ArrayLike | Sequence[npt.ArrayLike] | Iterator[npt.ArrayLike],
        input_format: RowFormat = "auto",
    ) -> Predictions:
        """Classify one sketch or many.

        Args:
            strokes: rows of (dx, dy, pen), of any float or integer dtype: one sketch (T, 3), an array of sketches
                (N, T, 3), or a list or iterator of N sketches (T, 3) of different lengths. Shorter sketches are padded
                with zeros; longer ones are cut, with a TruncationWarning.
            input_format: the form of the rows, as for `--input-format`. "network" takes them as they are; "auto"
                detects unscaled rows and scales them, with a ConversionWarning.

        Returns:
            predictions for the N sketches in order (N = 1 for one sketch; N may be 0).

        Raises:
            InputError: if the strokes have a wrong shape or dtype or values that are not finite; if they are not
                differences, or have a pen other than 0 and 1, unless taken as they are; or if the model reads pen
                points.
            ClassifierStateError: if the classifier was closed, or copied by a fork.
        """
        opened = self._sessions.open()
        if self.metadata.input_form == POINTS:
            raise InputError(
                f"{self._model} reads pen points, not strokes: call predict_drawings with what the pen drew, or open a "
                "model that sketch-export wrote without --input points"
            )
        sketches, form = as_sketches(list(strokes) if isinstance(strokes, Iterator) else strokes, input_format)
        if form.note:
            warnings.warn(form.note, ConversionWarning, stacklevel=2)
        return self._predict(opened, sketches)

    def _predict(self, opened: Session, sketches: list[FloatArray]) -> Predictions:
        predictions = self._run(opened, sketches)
        if self._taught:
            return self._taught.answer(predictions)
        if self._columns is not None:
            predictions = predictions.among(self._columns)
        return predictions if self._reject_below is None else predictions.rejecting(self._reject_below)

    def _run(self, opened: Session, sketches: list[FloatArray]) -> Predictions:
        shares = len(sketches) == 1 and self._workers > 1
        session = self._sessions.for_one_sketch(opened) if shares else opened
        outputs, n_cut = run_all(session, sketches, self._batch_size, self._workers, self._outputs)
        if n_cut:
            message = f"cut {n_cut} of {len(sketches)} sketches to {self.metadata.sequence_length} points"
            warnings.warn(message, TruncationWarning, stacklevel=4)
        return Predictions(
            outputs["log_probs"],
            outputs["logits"],
            self.metadata.labels,
            embeddings=outputs.get(EMBEDDING),
            codes=outputs.get(CODE),
        )

    def predict_drawing(self, drawing: Sequence[Any]) -> Predictions:
        """Classify one drawing, given as a pen sampled it.

        The points are simplified and scaled like the network's training data: see `simplify_drawing`. For a drawing in
        Quick, Draw!'s simplified form, call ``predict(drawing_to_sketch(drawing))``.

        Args:
            drawing: list of strokes, each a list of points ``[x, y]`` or ``{"x": ..., "y": ...}``, an array (n, 2), or
                columns ``[[x...], [y...]]``; x to the right and y down, in any unit; times are ignored. A drawing whose
                strokes all have two or three lists is taken as columns.

        Returns:
            predictions for the one drawing.

        Raises:
            InputError: if the drawing has another form, is not finite, or has fewer than two points.
            ClassifierStateError: if the classifier was closed, or copied by a fork.
        """
        return self.predict_drawings([drawing])

    def predict_drawings(self, drawings: Iterable[Sequence[Any]]) -> Predictions:
        """Classify drawings as `predict_drawing` does one.

        Args:
            drawings: any number of drawings; an iterator is fine.

        Raises:
            InputError: if a drawing cannot be used; the message says which.
        """
        return self._predict(self._sessions.open(), self._prepare_all(drawings))

    def _prepare_all(self, drawings: Iterable[Sequence[Any]]) -> list[FloatArray]:
        sketches: list[FloatArray] = []
        remaining = iter(drawings)
        while block := list(islice(remaining, _DRAWINGS_AT_ONCE)):
            for outcome in prepare_each(block, lambda some: self._prepare(PenLines.of(some))):
                if isinstance(outcome, InputError):
                    raise InputError(f"drawing {len(sketches)}: {outcome}")
                sketches.append(outcome)
        return sketches

    def teach(self, label: str, drawings: Iterable[Sequence[Any]]) -> None:
        """Teach a class of your own with a few drawings; five are enough.

        From the first one on, this classifier answers with taught classes in the place of the model's own: with the
        one whose drawings are the most alike, or with none of them (`Predictions.rejected`).

        Args:
            label: its name; a name that was taught before gets further examples.
            drawings: at least one, as for `predict_drawings`.

        Raises:
            InputError: if a drawing cannot be used, there is none, the label is empty or no line of text, or this
                classifier was opened with `labels` or `reject`.
            ClassifierStateError: if the classifier was closed, or copied by a fork.
        """
        predictions = self._run(self._sessions.open(), self._prepare_all(drawings))
        with self._teaching:  # threads share a classifier
            taught = self._taught or Taught(self.content_sha256)
            self._answer_with(taught.teach(label, predictions.logits))

    def save_taught(self, path: str | Path) -> None:
        """Write the taught classes to a small JSON file, for `Classifier(taught=path)`.

        Raises:
            InputError: if none was taught.
            OutputError: if the file cannot be written.
        """
        if not self._taught:
            raise InputError("expected taught classes to save, found none; call teach first")
        self._taught.save(path)

    def _answer_with(self, taught: Taught) -> None:
        if self._columns is not None or self._reject_below is not None:
            raise InputError("taught classes take the place of the model's own: open it without labels and reject")
        self._taught, self.classes = taught, taught.labels

    def _prepare(self, drawings: PenLines) -> list[FloatArray]:
        """Return drawings as the model reads them."""
        if self.metadata.input_form == POINTS:
            return to_pen_points(drawings)
        return drawings_to_sketches(simplify(drawings))

    def predict_points(self, drawings: Sequence[FloatArray]) -> Predictions:
        """Classify drawings given as rows of x, y and pen.

        Args:
            drawings: float32 (n, 3) each; x to the right and y down, in any unit; pen is 1 on the last point of a
                stroke, otherwise 0.

        Raises:
            InputError: if a drawing cannot be used; the message says which.
            ClassifierStateError: if the classifier was closed, or copied by a fork.
        """
        opened = self._sessions.open()
        return self._predict(opened, self._prepare(from_pen_points(drawings)) if len(drawings) else [])


def _threshold(metadata: ModelMetadata, labels: Sequence[str] | None) -> float:
    if metadata.reject_below is None:
        raise InputError("this model has no threshold below which a drawing is none of its classes; do not reject")
    if labels is not None:
        raise InputError("rejecting needs all of the model's classes: its threshold was measured with them")
    return metadata.reject_below
