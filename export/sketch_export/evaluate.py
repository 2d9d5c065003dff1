"""Accuracy of networks on labelled drawings, side by side: eager PyTorch for a checkpoint, ONNX for a model file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sketch_infer.classifier import Classifier
from sketch_infer.errors import ModelFileError
from sketch_infer.evaluation import Evaluation, evaluate
from sketch_infer.parity import format_table
from sketch_infer.providers import ProviderChoice
from sketch_infer.strokes import drawing_to_sketch, to_batch
from sketch_models import Checkpoint, load_checkpoint, run_eager
from sketch_models.drawings import ReadingReport, read_drawings
from sketch_models.figures import new_figure, save_figure


@dataclass(frozen=True)
class Comparison:
    """Networks judged on the same drawings.

    Attributes:
        evaluations: by the network's file.
        reading: what of the folder was left out.
        n_cut: drawings with more points than the networks read.
    """

    evaluations: Mapping[Path, Evaluation]
    reading: ReadingReport
    n_cut: int


def compare_accuracy(networks: Sequence[Path], folder: Path, provider: ProviderChoice = "auto") -> Comparison:
    """Evaluate networks on a folder of Quick, Draw! drawings (`CLASS.ndjson` or `.ndjson.gz`).

    Args:
        networks: checkpoints, run in eager PyTorch, and `.onnx` model files, all of the same classes and length.
        folder: labelled drawings; all are read, whether the game recognized them or not.
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
    drawings, reading = read_drawings(folder, classes)
    sketches = [drawing_to_sketch(drawings.strokes(row)) for row in range(len(drawings))]
    batch, n_cut = to_batch(sketches, sequence_length)
    evaluations = {}
    for path, network in opened.items():
        if isinstance(network, Classifier):
            log_probs = network.predict(batch).log_probs
        else:
            log_probs = run_eager(network.model, batch)["log_probs"]
        evaluations[path] = evaluate(log_probs, drawings.labels, classes)
    return Comparison(evaluations, reading, n_cut)


def _open(path: Path, provider: ProviderChoice) -> Classifier | Checkpoint:
    return Classifier(path, provider) if path.suffix == ".onnx" else load_checkpoint(path)


def _traits(path: Path, network: Classifier | Checkpoint) -> tuple[tuple[str, ...], int]:
    """Return a network's classes and sequence length."""
    if isinstance(network, Classifier):
        return network.metadata.labels, network.metadata.sequence_length
    if network.labels is None:
        raise ModelFileError(f"{path}: expected class names, found none; use a .safetensors checkpoint with labels")
    return network.labels, network.model.config.sequence_length


def format_comparison(comparison: Comparison) -> str:
    """Lay out accuracy, per-class accuracy (worst of the first network first) and the commonest confusions."""
    evaluations = list(comparison.evaluations.values())
    first = evaluations[0]
    figures = [
        ["top-1", *(f"{one.top1:.4%}" for one in evaluations)],
        ["top-5", *(f"{one.top5:.4%}" for one in evaluations)],
        ["mean -log p", *(f"{one.loss:.4f}" for one in evaluations)],
    ]
    by_accuracy = sorted(first.per_class, key=lambda name: first.per_class[name])
    per_class = [[name, *(f"{one.per_class[name]:.1%}" for one in evaluations)] for name in by_accuracy]
    position = {name: row for row, name in enumerate(first.classes)}
    confused = [
        [
            f"{pair.label} taken for {pair.taken_for}",
            *(
                f"{one.confusion[position[pair.label], position[pair.taken_for]]} of "
                f"{one.confusion[position[pair.label]].sum()}"
                for one in evaluations
            ),
        ]
        for pair in first.confusions()
    ]
    header = [f"{len(first)} drawings", *map(str, comparison.evaluations)]
    blank = [[""] * len(header)]
    return format_table(header, [*figures, *blank, *per_class, *blank, *confused])


def plot_confusions(comparison: Comparison, path: Path) -> None:
    """Draw each network's confusion matrix: rows are labels, columns answers, shades the share of the row.

    Raises:
        DependencyError: if matplotlib is not installed.
        OutputError: if the picture cannot be written.
    """
    evaluations = comparison.evaluations
    size = 3 + 0.2 * len(next(iter(evaluations.values())).classes)
    figure = new_figure(size * len(evaluations), size + 0.8)
    for panel, (name, one) in zip(
        figure.subplots(1, len(evaluations), squeeze=False)[0], evaluations.items(), strict=True
    ):
        counts = one.confusion.sum(axis=1, keepdims=True)
        panel.imshow(one.confusion / counts.clip(min=1), cmap="Blues", vmin=0, vmax=1)
        panel.set_xticks(range(len(one.classes)), one.classes, rotation=90, fontsize=8)
        panel.set_yticks(range(len(one.classes)), one.classes, fontsize=8)
        panel.set(xlabel="answer", ylabel="label", title=f"{name}: top-1 {one.top1:.1%}")
    save_figure(figure, path)
