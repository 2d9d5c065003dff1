"""Do model files behave like eager PyTorch on labeled drawings: labels, accuracy, and rows that keep to themselves?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.checks.evaluation import Evaluation, evaluate
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE, INT8_AGREEMENT
from sketch_infer.checks.report import Check, Table
from sketch_infer.checks.row_coupling import row_coupling
from sketch_infer.errors import InputError
from sketch_infer.inference.classifier import Classifier
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import POINTS
from sketch_infer.model.model_file import ModelFile
from sketch_infer.strokes.preprocess import drawing_to_sketch, to_batch
from sketch_models import SketchRNN, run_eager
from sketch_models.training.data.dataset import read_drawings

_ROWS_FOR_COUPLING = 64
"""Drawings that are run alone, in another order and beside an outlier; more would not show more."""

_SHOWN = 20
"""Disagreements that a table lists."""


@dataclass(frozen=True)
class Disagreement:
    """A drawing that a model file and eager PyTorch name differently.

    Attributes:
        drawing: its label, and its number among those of the folder, from 0.
        eager, onnx: the names.
        eager_margin, onnx_margin: how much larger its logit is than the other's name's; a near tie has a small one.
        scale: max(1, largest |logit| of eager PyTorch).
    """

    drawing: str
    eager: str
    onnx: str
    eager_margin: float
    onnx_margin: float
    scale: float


@dataclass(frozen=True)
class Agreement:
    """One model file beside eager PyTorch on N labeled drawings.

    Attributes:
        evaluation: its accuracy.
        agreement: share of drawings with eager PyTorch's label.
        max_difference: largest |ONNX - eager| of a logit.
        disagreements: all others, the largest margin first.
        coupling: see `row_coupling`.
        precision: of the file.
    """

    evaluation: Evaluation
    agreement: float
    max_difference: float
    disagreements: tuple[Disagreement, ...]
    coupling: dict[str, float]
    precision: str

    @property
    def checks(self) -> tuple[Check, ...]:
        """What has to hold: in fp32 only ties within the tolerance may fall otherwise, in int8 one drawing in 100."""
        worst = max(self.coupling.values())
        rows = Check(
            "rows are independent",
            worst <= FP32_TOLERANCE,
            ", ".join(f"{how} {moved:.1e}" for how, moved in self.coupling.items()) + " of the row's scale",
        )
        found = f"{self.agreement:.4%} of {len(self.evaluation)} drawings have eager PyTorch's label"
        if self.precision == "int8":
            return Check("labels", self.agreement >= INT8_AGREEMENT, f"{found} (expected {INT8_AGREEMENT:.0%})"), rows
        decided = [one for one in self.disagreements if one.eager_margin > 2 * FP32_TOLERANCE * one.scale]
        return Check("labels", not decided, f"{found}; {len(decided)} others are more than near ties"), rows


def compare_agreement(
    models: Sequence[ModelFile], network: SketchRNN, folder: Path, provider: ProviderChoice = "cpu"
) -> tuple[Evaluation, dict[ModelFile, Agreement], list[str]]:
    """Run eager PyTorch and model files on a folder of Quick, Draw! drawings (`CLASS.ndjson` or `.ndjson.gz`).

    Args:
        models: model files of one network, in one or several precisions, with the same labels.
        network: the network that they must be.
        folder: the drawings.
        provider: where to run the files.

    Returns:
        eager PyTorch's accuracy, each file's agreement, and which drawings were left out, and why.

    Raises:
        ModelFileError: if a file cannot be used.
        InputError: if the folder cannot be used, holds words that are none of the labels, or the files' labels differ.
        ProviderError: if CUDA was asked for and did not start.
    """
    classifiers = {file: Classifier(file, provider) for file in models}
    classes = classifiers[models[0]].metadata.labels
    if of_points := [file.name for file, one in classifiers.items() if one.metadata.input_form == POINTS]:
        raise InputError(f"{of_points[0]}: reads pen points, not simplified drawings; compare it without --strokes")
    if odd := [file.name for file, one in classifiers.items() if one.metadata.labels != classes]:
        raise InputError(f"{odd[0]}: expected the labels of {models[0].name}, found others; compare them one by one")
    drawings, reading = read_drawings(folder, classes)
    batch, _ = to_batch(
        [drawing_to_sketch(drawings.strokes(row)) for row in range(len(drawings))], network.config.sequence_length
    )
    eager = run_eager(network, batch)
    names = [f"{classes[label]} {row}" for row, label in enumerate(drawings.labels)]
    agreements = {}
    for file, classifier in classifiers.items():
        found = classifier.predict(batch, input_format="network")
        session = Session(file, provider)
        same = found.logits.argmax(axis=1) == eager["logits"].argmax(axis=1)
        others = [
            _disagreement(int(row), names, classes, eager["logits"], found.logits) for row in np.flatnonzero(~same)
        ]
        agreements[file] = Agreement(
            evaluation=evaluate(found.log_probs, drawings.labels, classes),
            agreement=float(same.mean()),
            max_difference=float(np.abs(found.logits - eager["logits"]).max()),
            disagreements=tuple(sorted(others, key=lambda one: -one.eager_margin)),
            coupling=row_coupling(
                session,
                batch[:: max(1, len(batch) // _ROWS_FOR_COUPLING)][:_ROWS_FOR_COUPLING],
            ),
            precision=session.metadata.precision,
        )
    return evaluate(eager["log_probs"], drawings.labels, classes), agreements, reading.bad_lines


def _disagreement(
    row: int, names: Sequence[str], classes: Sequence[str], eager: FloatArray, onnx: FloatArray
) -> Disagreement:
    ours, theirs = int(onnx[row].argmax()), int(eager[row].argmax())
    return Disagreement(
        drawing=names[row],
        eager=classes[theirs],
        onnx=classes[ours],
        eager_margin=float(eager[row, theirs] - eager[row, ours]),
        onnx_margin=float(onnx[row, ours] - onnx[row, theirs]),
        scale=max(1.0, float(np.abs(eager[row]).max())),
    )


def agreement_tables(
    eager: Evaluation, agreements: dict[ModelFile, Agreement], left_out: Sequence[str]
) -> tuple[Table, ...]:
    """Lay accuracy and agreement side by side, and the disagreements of each file below."""
    rows = [("eager PyTorch", f"{eager.top1:.4%}", f"{eager.top5:.4%}", f"{eager.loss:.4f}", "", "")]
    tables = []
    for file, one in agreements.items():
        name = Path(file.name).name
        rows.append(
            (
                f"{name} ({one.precision})",
                f"{one.evaluation.top1:.4%}",
                f"{one.evaluation.top5:.4%}",
                f"{one.evaluation.loss:.4f}",
                f"{one.agreement:.4%}",
                f"{one.max_difference:.1e}",
            )
        )
        others = [
            (other.drawing, other.eager, f"{other.eager_margin:.3f}", other.onnx, f"{other.onnx_margin:.3f}")
            for other in one.disagreements[:_SHOWN]
        ]
        if others:
            title = f"{name}: {len(one.disagreements)} drawings named differently, the clearest first"
            header = ("drawing", "eager PyTorch", "by a logit of", "ONNX Runtime", "by a logit of")
            tables.append(Table(title, header, tuple(others)))
    if left_out:
        title = f"{len(left_out)} drawings left out because they cannot be used"
        tables.append(Table(title, ("drawing and reason",), tuple((reason,) for reason in left_out[:_SHOWN])))
    columns = ("network", "top-1", "top-5", "mean -log p", "eager's label", "largest logit difference")
    return (Table(f"Behavior on {len(eager)} labeled drawings", columns, tuple(rows)), *tables)
