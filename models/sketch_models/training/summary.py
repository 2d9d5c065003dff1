"""The end of a training run: probabilities that mean something, and what the network is good and bad at."""

from pathlib import Path

import numpy as np
import torch

from sketch_infer.array_types import Array
from sketch_infer.checks.evaluation import Evaluation, evaluate
from sketch_infer.tables import format_table
from sketch_models.checkpoint import load_checkpoint, save_checkpoint
from sketch_models.training.accuracy import classify
from sketch_models.training.fast_path import head_knots
from sketch_models.training.files import TrainingData

KEPT = 0.95
"""Share of the val drawings that `reject_below` keeps: the probability of their most likely class lies above it."""

FEWEST_MISTAKES = 20
"""Wrong answers on val that a temperature needs: without mistakes, the likeliest temperature is zero."""

_LARGE_HEAD = 2**20
"""Weights at the knots above which they are kept in 8 bits: those of 345 classes are 3.5 MB in 16."""

_SHOWN = 20
_UNEQUAL = 3  # times the drawings of the smallest class


def fit_temperature(log_probs: Array, labels: Array) -> float:
    """Return the temperature T for which softmax(logits / T) gives drawings the likeliest labels.

    Guo et al., "On Calibration of Modern Neural Networks" (2017), section 4.2.

    Args:
        log_probs: (N, classes); they stand for logits, from which they differ by a constant per row.
        labels: (N,), positions of the true classes.
    """
    scores, rows = log_probs.astype(np.float64), np.arange(len(labels))

    def loss(temperature: float) -> float:
        scaled = scores / temperature
        return float(np.mean(np.logaddexp.reduce(scaled, axis=1) - scaled[rows, labels]))

    # Over 1 / T the loss is convex: close in on its minimum by golden sections.
    low, high, ratio = 0.1, 10.0, (5**0.5 - 1) / 2
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(1 / left) < loss(1 / right) else (left, high)
    return 2 / (low + high)


def finish(checkpoint_file: Path, data: TrainingData, workers: int) -> str:
    """Judge a trained checkpoint by the network itself, calibrate it, and say what it is good and bad at.

    The temperature is folded into the head's weights and bias, so that every form of the network has it. The metadata
    gets the threshold below which a drawing is probably none of the classes. A checkpoint that was finished before is
    judged only.

    Returns:
        the text to print.

    Raises:
        ModelFileError: if the checkpoint cannot be read.
        OutputError: if it cannot be written.
    """
    checkpoint = load_checkpoint(checkpoint_file)
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
        temperature = 1.0
    else:
        temperature = fit_temperature(log_probs, labels)
        with torch.no_grad():
            model.fc_mu1.weight.div_(temperature)
            model.fc_mu1.bias.div_(temperature)
        metadata["temperature"] = f"{temperature:.4f}"
    scaled = log_probs.astype(np.float64) / temperature
    scaled -= np.logaddexp.reduce(scaled, axis=1, keepdims=True)
    after = evaluate(scaled, labels, data.targets)
    metadata["reject_below"] = f"{np.exp(np.quantile(scaled.max(axis=1), 1 - KEPT)):.4f}"
    if temperature != 1:
        note = (
            f"probabilities calibrated on val: temperature {temperature:.3f}, expected calibration error "
            f"{before.calibration_error:.1%} -> {after.calibration_error:.1%}"
        )
    figures = {"top1": after.top1, "top5": after.top5, "loss": after.loss, "ece": after.calibration_error}
    metadata["metrics"] = ", ".join(f"val_{name} {value:.4f}" for name, value in figures.items())
    save_checkpoint(checkpoint_file, model, data.targets, metadata, torch.float16, knots, head_in_8_bits=large)
    return f"{note}\n{_describe(after, data)}"


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
