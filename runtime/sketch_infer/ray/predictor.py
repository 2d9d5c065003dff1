"""The class that Ray's actors are made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray

from sketch_infer.array_types import FloatArray
from sketch_infer.errors import InputError, ModelFileError
from sketch_infer.inference.classifier import Classifier
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.inference.stream import classify_sketches
from sketch_infer.model.contract.tensors import POINTS
from sketch_infer.model.model_file import ModelFile
from sketch_infer.ray.columns import answers, strokes_of
from sketch_infer.readers.drawings import Row, prepare_drawings
from sketch_infer.readers.files import as_drawing_format
from sketch_infer.readers.listener import CollectingListener
from sketch_infer.readers.sketch import InputFormat, OnError, Sketch, check_on_error
from sketch_infer.strokes.preprocess import INPUT_SIZE
from sketch_infer.strokes.rows import RowForm, prepare
from sketch_infer.writers.text import to_records

_INPUTS = ("strokes", "drawing")


def refuse_points(classifier: Classifier) -> None:
    """Refuse a model that reads pen points, which the rows of a data set do not hold.

    Raises:
        ModelFileError: if it does.
    """
    if classifier.metadata.input_form == POINTS:
        raise ModelFileError(
            "the model reads pen points, and on Ray rows are prepared before; use the model that "
            "sketch-export wrote without --input points, whose answers are the same"
        )


class SketchPredictor:
    """Classify batches of a Ray Dataset: the model is opened once an actor, and runs on one thread.

        dataset.map_batches(SketchPredictor, batch_format="pyarrow", batch_size=512, concurrency=4, num_cpus=1)

    Args:
        model: path of a model file that every machine has there, the installation's own when None, or a reference to
            the bytes of one, ``ray.put(Path("mine.onnx").read_bytes())``.
        labels: some of the model's classes to choose among; all when None.
        reject: whether sketches that are probably none of the classes get no label.
        top_k: classes to name a sketch.
        logits: whether to add them.
        provider: "cpu", or "cuda" for actors that Ray gives a GPU (`num_gpus`).
        batch_size: sketches per call into ONNX Runtime, taken from the batch in order of length; 16 if None, or
            256 on CUDA.
        input_format: of drawings: "auto", "simplified" or "raw".
        on_error: "stop" at a row that cannot be used, or "skip" it: its answers are null and `error` says why.

    Raises:
        InputError: if `on_error` is another word.
        ModelFileError: if the model cannot be used, or reads pen points.
        ProviderError: if CUDA was asked for and did not start.
    """

    def __init__(
        self,
        model: "str | Path | ray.ObjectRef | None" = None,
        *,
        labels: Sequence[str] | None = None,
        reject: bool = False,
        top_k: int = 5,
        logits: bool = False,
        provider: ProviderChoice = "cpu",
        batch_size: int | None = None,
        input_format: InputFormat = "auto",
        on_error: OnError = "stop",
    ) -> None:
        check_on_error(on_error)
        if isinstance(model, ray.ObjectRef):
            file = ModelFile("the model in Ray's object store", ray.get(model))
            self._classifier = Classifier(file, provider, batch_size, 1, labels, reject)
        else:
            self._classifier = Classifier(model, provider, batch_size, 1, labels, reject)
        refuse_points(self._classifier)
        self._top_k, self._logits = top_k, logits
        self._input_format, self._skips = input_format, on_error == "skip"

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Classify a batch.

        Args:
            batch: with a column `strokes`, float32 dx, dy, pen of one point after the other, as the network reads
                them, or `drawing`, strokes in Quick, Draw! form; rows with an `error` are passed on.

        Returns:
            the batch's other columns; label, probability, top, aspect (the drawing's width / height, from a column of
            that name beside strokes, else 1) and, where asked for, logits, float32; cut, whether points beyond the
            network's length were left out; error.

        Raises:
            InputError: if there is no such column or, with "stop", a row cannot be used.
        """
        if not isinstance(batch, pa.Table):
            raise InputError(f"expected batch_format='pyarrow' in map_batches, found {type(batch).__name__}")
        outcomes: list[dict[str, Any]] = [{"error": reason} for reason in _column(batch, "error")]
        sketches = self._sketches(batch, outcomes)
        listener = CollectingListener(self._skips)
        answers_in_order = []
        for found, predictions in classify_sketches(self._classifier, sketches.values(), listener):
            records = to_records(found, predictions, self._top_k)
            for sketch, record, logits in zip(found, records, predictions.logits, strict=True):
                answers_in_order.append({**record, "logits": logits, "cut": sketch.cut})
        refused = {position: {"error": str(error)} for position, error in listener.errors}
        answered_rows = iter(answers_in_order)
        for position, row in enumerate(sketches):
            outcomes[row].update(refused.get(position) or next(answered_rows))
        columns = answers(self._logits)
        answered = pa.Table.from_pylist(outcomes, columns)
        kept = [name for name in batch.column_names if name not in (*_INPUTS, *columns.names)]
        table = batch.select(kept)
        for field in columns:
            table = table.append_column(field, answered[field.name])
        return table

    def _sketches(self, batch: pa.Table, outcomes: list[dict[str, Any]]) -> dict[int, Sketch]:
        """Return the sketches by their rows, and put the errors of the others into their outcomes."""
        if "strokes" in batch.column_names:
            return self._from_strokes(batch, outcomes)
        if "drawing" not in batch.column_names:
            raise InputError(f"expected a column strokes or drawing, found {', '.join(batch.column_names)}")
        rows = [row for row, outcome in enumerate(outcomes) if outcome["error"] is None]
        drawings = batch["drawing"].to_pylist()
        records: list[Row] = [(f"row {row} of a batch", {"drawing": drawings[row]}) for row in rows]
        listener = CollectingListener(self._skips)
        prepared = prepare_drawings("", [records], as_drawing_format("a batch", self._input_format), listener)
        sketches = {rows[sketch.index]: sketch for sketch in prepared}
        for position, error in listener.errors:
            outcomes[rows[position or 0]]["error"] = str(error)
        return sketches

    def _from_strokes(self, batch: pa.Table, outcomes: list[dict[str, Any]]) -> dict[int, Sketch]:
        column = batch["strokes"]
        try:
            column = column.cast(pa.list_(pa.float32()))
        except pa.ArrowException as error:
            raise InputError(f"expected strokes as list<float>, 3 numbers per point, found {column.type}") from error
        sources, indices, aspects = (_column(batch, name) for name in ("source", "index", "aspect"))
        sketches = {}
        for row, values in enumerate(strokes_of(column)):
            if outcomes[row]["error"] is not None:
                continue
            try:
                strokes = _points(values, as_they_are=self._input_format == "network")
            except InputError as error:
                if not self._skips:
                    raise
                outcomes[row]["error"] = str(error)
            else:
                # A message may name them; a data set that has none is called what it is.
                index = row if indices[row] is None else indices[row]
                aspect = 1.0 if aspects[row] is None else float(aspects[row])
                sketches[row] = Sketch(str(sources[row] or "a batch"), index, strokes, aspect=aspect)
        return sketches


def _points(values: FloatArray | None, as_they_are: bool) -> FloatArray:
    if values is None or len(values) % INPUT_SIZE:
        found = "null" if values is None else f"{len(values)} numbers"
        raise InputError(f"expected strokes of {INPUT_SIZE} numbers per point, found {found}")
    ((strokes, _),) = prepare([values.reshape(-1, INPUT_SIZE)], RowForm("network", found_out=not as_they_are))
    return strokes


def _column(batch: pa.Table, name: str) -> list[Any]:
    values: list[Any] = batch[name].to_pylist() if name in batch.column_names else [None] * len(batch)
    return values
