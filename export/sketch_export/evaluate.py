"""Accuracy of networks on labelled drawings, side by side: eager PyTorch for a checkpoint, ONNX for a model file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sketch_infer.checks.evaluation import Evaluation, evaluate
from sketch_infer.errors import InputError, ModelFileError
from sketch_infer.inference.classifier import Classifier
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.readers.files import expand_folders, read_sketches
from sketch_infer.readers.sketch import Reading, Sketch
from sketch_infer.strokes.preprocess import to_batch
from sketch_models import Checkpoint, load_checkpoint, run_eager
from sketch_models.training.figures import new_figure, save_figure


@dataclass(frozen=True)
class Comparison:
    """Networks judged on the same drawings.

    Attributes:
        evaluations: by the network's file.
        bad: a message for each drawing that cannot be used, which names file and line.
        n_cut: drawings with more points than the networks read.
    """

    evaluations: Mapping[Path, Evaluation]
    bad: Sequence[str]
    n_cut: int


def compare_accuracy(networks: Sequence[Path], folder: Path, provider: ProviderChoice = "auto") -> Comparison:
    """Evaluate networks on a folder of Quick, Draw! drawings (`CLASS.ndjson` or `.ndjson.gz`).

    Args:
        networks: checkpoints, run in eager PyTorch, and `.onnx` model files, all of the same classes and length.
        folder: labelled drawings, in any form that sketch-infer reads; all are read, whether the game recognized them
            or not. Those that cannot be used are left out.
        provider: where to run the model files.

    Raises:
        ModelFileError: if a network cannot be used, names no classes, or differs from the first in classes or length.
        InputError: if the folder cannot be used or holds words that are none of the classes.
        ProviderError: if CUDA was asked for and did not start.
    """
    opened = {path: _open(path, provider) for path in networks}
    classes, sequence_length = _traits(networks[0], opened[networks[0]])
    for path, network in opened.items():
        if _traits(path, network) != (classes, sequence_length):
            raise ModelFileError(f"{path}: expected the classes and sequence length of {networks[0]}, found others")
    if not folder.exists():
        raise InputError(f"{folder}: expected a folder of drawings, found nothing")
    reading = _Collecting()
    sketches = [sketch for file in expand_folders([str(folder)]) for sketch in read_sketches(file, reading=reading)]
    if not sketches:
        raise InputError(f"{folder}: expected drawings, found none that can be used")
    labels = _labels(sketches, classes)
    batch, n_cut = to_batch([sketch.strokes for sketch in sketches], sequence_length)
    evaluations = {}
    for path, network in opened.items():
        if isinstance(network, Classifier):
            log_probs = network.predict(batch).log_probs
        else:
            log_probs = run_eager(network.model, batch)["log_probs"]
        evaluations[path] = evaluate(log_probs, labels, classes)
    return Comparison(evaluations, reading.messages, n_cut)


class _Collecting(Reading):
    """Goes on after what cannot be used."""

    skips = True

    def __init__(self) -> None:
        self.messages: list[str] = []

    def bad(self, error: InputError) -> None:
        self.messages.append(str(error))


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
    return Classifier(path, provider) if path.suffix == ".onnx" else load_checkpoint(path)


def _traits(path: Path, network: Classifier | Checkpoint) -> tuple[tuple[str, ...], int]:
    """Return a network's classes and sequence length."""
    if isinstance(network, Classifier):
        return network.metadata.labels, network.metadata.sequence_length
    if network.labels is None:
        raise ModelFileError(f"{path}: expected class names, found none; use a .safetensors checkpoint with labels")
    return network.labels, network.model.config.sequence_length


_MOST_SHOWN = 60  # classes that a picture has room for


def plot_confusions(comparison: Comparison, path: Path) -> None:
    """Draw each network's confusion matrix: rows are labels, columns answers, numbers percentages of the row.

    Of many classes, those that the first network confuses most are shown.

    Raises:
        DependencyError: if matplotlib is not installed.
        OutputError: if the picture cannot be written.
    """
    evaluations = comparison.evaluations
    first = next(iter(evaluations.values()))
    off_diagonal = first.confusion - np.diag(np.diag(first.confusion))
    confused = np.argsort(-(off_diagonal.sum(axis=0) + off_diagonal.sum(axis=1)), kind="stable")[:_MOST_SHOWN]
    shown = np.sort(confused)
    names = [first.classes[row] for row in shown]
    size = 3 + 0.25 * len(shown)
    figure = new_figure((size + 1) * len(evaluations), size + 0.8)
    for panel, (name, one) in zip(
        figure.subplots(1, len(evaluations), squeeze=False)[0], evaluations.items(), strict=True
    ):
        counts = one.confusion.sum(axis=1, keepdims=True)
        shares = (one.confusion / counts.clip(min=1))[np.ix_(shown, shown)]
        image = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(shares >= 0.005), strict=True):
            color = "white" if shares[row, column] > 0.5 else "black"
            percent = f"{100 * shares[row, column]:.0f}"
            panel.text(column, row, percent, ha="center", va="center", fontsize=6, color=color)
        panel.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
        panel.set_yticks(range(len(names)), names, fontsize=8)
        some = f", {len(names)} most confused of {len(one.classes)} classes" if len(names) < len(one.classes) else ""
        panel.set(xlabel="answer", ylabel="label", title=f"{name}: top-1 {one.top1:.1%}{some}")
        figure.colorbar(image, ax=panel, shrink=0.6, format="{x:.0%}", label="share of the label's drawings")
    save_figure(figure, path)
