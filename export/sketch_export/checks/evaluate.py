"""Accuracy of networks on labeled drawings, side by side: eager PyTorch for a checkpoint, ONNX for a model file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sketch_export.checks.hard_cases import Rejection, first_part, rejection
from sketch_export.checks.recorded import recorded_threshold
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.evaluation import Evaluation, evaluate
from sketch_infer.errors import InputError, ModelFileError
from sketch_infer.inference.classifier import Classifier
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.model.contract.tensors import POINTS
from sketch_infer.readers.files import expand_folders, read_sketches
from sketch_infer.readers.listener import CollectingListener
from sketch_infer.readers.sketch import Sketch
from sketch_infer.strokes.preprocess import INPUT_SIZE, to_batch
from sketch_infer.tables import format_table
from sketch_models import Checkpoint, load_checkpoint, run_eager


@dataclass(frozen=True)
class Comparison:
    """Networks judged on the same drawings.

    Attributes:
        evaluations: by the network's file.
        unfinished: the same after a part of each drawing's points, by that part.
        rejections: by what the drawings of other classes are, then by the network's file.
        bad: a message for each drawing that cannot be used, which names file and line.
        n_cut: drawings with more points than the networks read.
    """

    evaluations: Mapping[Path, Evaluation]
    unfinished: Mapping[float, Mapping[Path, Evaluation]]
    rejections: Mapping[str, Mapping[Path, Rejection]]
    bad: Sequence[str]
    n_cut: int


def compare_accuracy(
    networks: Sequence[Path],
    folder: Path,
    provider: ProviderChoice = "auto",
    restrict: bool = False,
    others: Sequence[Path] = (),
    unfinished: Sequence[float] = (),
) -> Comparison:
    """Evaluate networks on a folder of Quick, Draw! drawings (`CLASS.ndjson` or `.ndjson.gz`).

    Args:
        networks: checkpoints, run in eager PyTorch, and `.onnx` model files, all of the same classes and length.
        folder: labeled drawings, in any form that sketch-infer reads; all are read, whether the game recognized them
            or not. Those that cannot be used are left out.
        provider: where to run the model files.
        restrict: choose among the classes of `folder` alone.
        others: folders of drawings of which those count whose class the networks do not have: they are to be rejected.
        unfinished: parts of each drawing's points, in (0, 1), after which to judge as well.

    Raises:
        ModelFileError: if a network cannot be used, names no classes, differs from the first in classes or length, or
            records a threshold for `others` that is no probability.
        InputError: if a folder cannot be used, or `folder` holds words that are none of the classes.
        ProviderError: if CUDA was asked for and did not start.
    """
    opened = {path: _open(path, provider) for path in networks}
    classes, sequence_length = _traits(networks[0], opened[networks[0]])
    for path, network in opened.items():
        if _traits(path, network) != (classes, sequence_length):
            raise ModelFileError(f"{path}: expected the classes and sequence length of {networks[0]}, found others")
    listener = CollectingListener()
    sketches = _read(folder, listener)
    labels = _labels(sketches, classes)
    columns = np.unique(labels) if restrict else np.arange(len(classes))
    chosen = [classes[column] for column in columns]
    labels = np.searchsorted(columns, labels)
    thresholds = {path: _threshold(path, network) for path, network in opened.items()} if others else {}
    unknown = {path: _of_other_classes(path, classes, listener) for path in others}

    def judge(strokes: Sequence[FloatArray]) -> dict[Path, FloatArray]:
        batch, _ = to_batch(strokes, sequence_length)
        answers = {path: _log_probs(network, batch)[:, columns] for path, network in opened.items()}
        return {path: log_probs - np.logaddexp.reduce(log_probs, 1)[:, None] for path, log_probs in answers.items()}

    strokes = [sketch.strokes for sketch in sketches]
    answers = judge(strokes)
    rejections = {
        f"{len(drawings)} drawings of other classes: {source.name}": {
            path: rejection(answers[path], log_probs, thresholds[path]) for path, log_probs in judge(drawings).items()
        }
        for source, drawings in unknown.items()
    }

    def evaluations(answers: Mapping[Path, FloatArray]) -> dict[Path, Evaluation]:
        return {path: evaluate(log_probs, labels, chosen) for path, log_probs in answers.items()}

    return Comparison(
        evaluations(answers),
        {part: evaluations(judge([first_part(one, part) for one in strokes])) for part in unfinished},
        rejections,
        [str(error) for _, error in listener.errors],
        to_batch(strokes, sequence_length)[1],
    )


def further_figures(comparison: Comparison) -> str:
    """Lay out what `compare_accuracy` found on unfinished drawings and on those of other classes; empty without."""
    tables = []
    header = [str(path) for path in comparison.evaluations]
    if comparison.unfinished:
        rows = [
            [f"top-1 after {part:.0%} of the points", *(f"{one.top1:.1%}" for one in found.values())]
            for part, found in comparison.unfinished.items()
        ]
        tables.append(format_table(["unfinished drawings", *header], rows))
    for title, by_network in comparison.rejections.items():
        found = by_network.values()
        rows = [
            ["AUROC", *(f"{one.auroc:.3f}" for one in found)],
            ["kept of the known", *("-" if one.kept is None else f"{one.kept:.1%}" for one in found)],
            ["refused of the others", *("-" if one.refused is None else f"{one.refused:.1%}" for one in found)],
        ]
        tables.append(format_table([title, *header], rows))
    return "\n".join(f"\n{table}" for table in tables)


def _threshold(path: Path, network: Classifier | Checkpoint) -> float | None:
    if isinstance(network, Classifier):
        return network.metadata.reject_below
    return recorded_threshold(path, network)


def _log_probs(network: Classifier | Checkpoint, batch: FloatArray) -> FloatArray:
    if isinstance(network, Classifier):
        return network.predict(batch, input_format="network").log_probs
    return run_eager(network.model, batch)["log_probs"].astype(np.float32)


def _read(folder: Path, listener: CollectingListener) -> list[Sketch]:
    if not folder.exists():
        raise InputError(f"{folder}: expected a folder of drawings, found nothing")
    files = expand_folders([str(folder)])
    sketches = [sketch for file in files for sketch in read_sketches(file, listener=listener)]
    if not sketches:
        raise InputError(f"{folder}: expected drawings, found none that can be used")
    return sketches


def _of_other_classes(folder: Path, classes: Sequence[str], listener: CollectingListener) -> list[FloatArray]:
    found = [sketch.strokes for sketch in _read(folder, listener) if sketch.true_class not in classes]
    if not found:
        raise InputError(f"{folder}: expected drawings of other classes, found none")
    return found


def _labels(sketches: Sequence[Sketch], classes: Sequence[str]) -> npt.NDArray[np.intp]:
    position = {name: column for column, name in enumerate(classes)}
    for sketch in sketches:
        if sketch.true_class not in position:
            raise InputError(
                f"{sketch.source}: sketch {sketch.index}: expected a word among the {len(classes)} classes, found "
                f"{sketch.true_class!r}; leave the drawing out"
            )
    return np.array([position[sketch.true_class] for sketch in sketches])


def _open(path: Path, provider: ProviderChoice) -> Classifier | Checkpoint:
    if path.suffix != ".onnx":
        checkpoint = load_checkpoint(path)
        if (found := checkpoint.model.config.input_size) != INPUT_SIZE:
            raise ModelFileError(
                f"{path}: expected a network that reads {INPUT_SIZE} values per point (dx, dy, pen), found {found}; "
                "evaluate it in your own code"
            )
        return checkpoint
    classifier = Classifier(path, provider)
    if classifier.metadata.input_form == POINTS:
        raise ModelFileError(
            f"{path}: reads pen points; evaluate the file without --input points, whose answers are the same"
        )
    return classifier


def _traits(path: Path, network: Classifier | Checkpoint) -> tuple[tuple[str, ...], int]:
    """Return a network's classes and sequence length."""
    if isinstance(network, Classifier):
        return network.metadata.labels, network.metadata.sequence_length
    if network.labels is None:
        raise ModelFileError(f"{path}: expected class names, found none; use a .safetensors checkpoint with labels")
    return network.labels, network.model.config.sequence_length
