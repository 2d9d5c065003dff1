"""The end of a training run: probabilities that mean something, and what the network is good and bad at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sketch_infer.checks.evaluation import Evaluation, evaluate
from sketch_infer.errors import InputError
from sketch_infer.tables import format_table
from sketch_models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from sketch_models.training.data.files import TrainingData
from sketch_models.training.data.report import first_few
from sketch_models.training.judging.accuracy import classify
from sketch_models.training.judging.calibration import calibrate
from sketch_models.training.network.smooth_head import head_knots

KEPT = 0.95
"""Share of the val drawings that `reject_below` keeps: the probability of their most likely class lies above it."""

FEWEST_MISTAKES = 20
"""Wrong answers on val that a calibration needs: without mistakes, the likeliest temperature is zero."""

_LARGE_HEAD = 2**20
"""Weights at the knots above which they are kept in 8 bits: those of 345 classes are 3.5 MB in 16."""

_SHOWN = 20
_UNEQUAL = 3  # times the drawings of the smallest class


def finish(checkpoint_file: Path, data: TrainingData, workers: int) -> str:
    """Judge a trained checkpoint by the network itself, calibrate it, and say what it is good and bad at.

    The metadata gets the threshold below which a drawing is probably none of the classes. A checkpoint that was
    finished before is judged only.

    Returns:
        the text to print.

    Raises:
        ModelFileError: if the checkpoint cannot be read.
        InputError: if it is not of the run's classes.
        OutputError: if it cannot be written.
    """
    checkpoint = load_trained(checkpoint_file, data.targets)
    model, metadata = checkpoint.model, dict(checkpoint.metadata)
    knots = head_knots(model.config.time_steps)
    large = model.config.output_size * len(knots) * 2 * model.config.hidden_size > _LARGE_HEAD
    if large and "reject_below" not in metadata:  # what is judged is what is kept
        save_checkpoint(checkpoint_file, model, data.targets, metadata, torch.float16, knots, head_in_8_bits=True)
        model = load_checkpoint(checkpoint_file).model
    strokes = [data.val.strokes(row) for row in range(len(data.val))]
    log_probs = classify(model, strokes, workers)
    labels = data.val.labels
    before = evaluate(log_probs, labels, data.targets)
    if "reject_below" in metadata:
        return _describe(before, data)
    mistakes = round((1 - before.top1) * len(before))
    if mistakes < FEWEST_MISTAKES:
        note = f"probabilities not calibrated: {mistakes} mistakes on val are too few (needed: {FEWEST_MISTAKES})"
        after, likeliest = before, log_probs.max(axis=1)
    else:
        calibration, calibrated = calibrate(log_probs, labels)
        calibration.fold_into(model)
        calibration.note_in(metadata)
        after, likeliest = evaluate(calibrated, labels, data.targets), calibrated.max(axis=1)
        note = (
            f"probabilities calibrated on val: temperature {calibration.temperature:.3f}, expected calibration error "
            f"{before.calibration_error:.1%} -> {after.calibration_error:.1%}"
        )
    metadata["reject_below"] = f"{np.exp(np.quantile(likeliest, 1 - KEPT)):.4f}"
    figures = {"top1": after.top1, "top5": after.top5, "loss": after.loss, "ece": after.calibration_error}
    metadata["metrics"] = ", ".join(f"val_{name} {value:.4f}" for name, value in figures.items())
    save_checkpoint(checkpoint_file, model, data.targets, metadata, torch.float16, knots, head_in_8_bits=large)
    return f"{note}\n{_describe(after, data)}"


def load_trained(checkpoint_file: Path, targets: Sequence[str]) -> Checkpoint:
    """Load the checkpoint that a run has written.

    Raises:
        ModelFileError: if it cannot be read.
        InputError: if its classes are not the run's, in the run's order: something else has taken its place.
    """
    checkpoint = load_checkpoint(checkpoint_file)
    if checkpoint.labels != tuple(targets):
        raise InputError(
            f"{checkpoint_file}: expected the classes of the run, {first_few(targets)}, found "
            f"{first_few(checkpoint.labels or ['none'])}; put the run's checkpoint back, or leave out --resume"
        )
    return checkpoint


def warn_of_imbalance(data: TrainingData, balance: float) -> str | None:
    """Return a warning if some classes have far fewer drawings than others and are not read more often for it."""
    counts = np.bincount(data.train.labels, minlength=len(data.targets))[: len(data.targets)]
    fewest, most = int(counts.argmin()), int(counts.argmax())
    if balance >= 0.5 or counts[most] <= _UNEQUAL * counts[fewest]:
        return None
    return (
        f"warning: {data.targets[fewest]} has {counts[fewest]} drawings, {data.targets[most]} {counts[most]}: the "
        "network will favor the large classes; --balance 1 reads every class equally often"
    )


def _describe(evaluation: Evaluation, data: TrainingData) -> str:
    counts = np.bincount(data.train.labels, minlength=len(data.targets))
    held = evaluation.confusion.sum(axis=1)
    accuracy = evaluation.per_class
    worst = sorted(accuracy, key=lambda name: accuracy[name])[:_SHOWN]
    position = {name: row for row, name in enumerate(data.targets)}
    rows = [[name, str(counts[position[name]]), str(held[position[name]]), f"{accuracy[name]:.1%}"] for name in worst]
    title = f"the {_SHOWN} weakest of {len(accuracy)} classes:" if len(accuracy) > _SHOWN else "by class:"
    lines = [title, format_table(["class", "trained on", "val", "right"], rows)]
    if unseen := [name for name in data.targets if name not in accuracy]:
        lines.append(f"not judged, for val has no drawings of them: {', '.join(unseen)}")
    return "\n".join([*lines, f"val top-1 {evaluation.top1:.2%}, top-5 {evaluation.top5:.2%}"])
