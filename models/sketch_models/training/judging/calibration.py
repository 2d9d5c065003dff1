"""Probabilities that mean something: a temperature and a bias per class, fitted to drawings that were held back."""

import copy
import json
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from sketch_infer.array_types import Array
from sketch_infer.errors import ModelFileError
from sketch_models.checkpoint import Checkpoint
from sketch_models.sketch_rnn import SketchRNN

_BIAS_SPREAD = 0.4
"""Standard deviation of the biases before any drawing is seen: few drawings of a class shall not move it far.

Chosen by cross-validation on val: 0.3 to 0.5 are best for both networks of the project.
"""

_FOLDS = 5
_BIASES = "class_biases"


@dataclass(frozen=True)
class Calibration:
    """A network's logits become ``logits / temperature + bias``.

    Attributes:
        temperature: above 1 where the network was too certain.
        bias: float64 (classes,), positive for classes that the network named too rarely.
            A class without drawings has 0.
    """

    temperature: float
    bias: Array

    def apply(self, log_probs: Array) -> Array:
        """Return calibrated log_probs, float64 (N, classes), of log_probs or logits (N, classes)."""
        scores = log_probs.astype(np.float64) / self.temperature + self.bias
        calibrated: Array = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
        return calibrated

    def fold_into(self, model: SketchRNN) -> None:
        """Change the last layer's weights and bias, so that every form of the network is calibrated."""
        with torch.no_grad():
            model.fc_mu1.weight.div_(self.temperature)
            model.fc_mu1.bias.div_(self.temperature).add_(torch.from_numpy(self.bias))

    def note_in(self, metadata: dict[str, str]) -> None:
        """Write into a checkpoint's metadata what was folded."""
        metadata["temperature"] = f"{self.temperature:.4f}"
        metadata[_BIASES] = json.dumps([round(float(bias), 4) for bias in self.bias])


def without_biases(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint without the biases of its calibration, for a run that starts from it.

    They know the drawings of val: what they are part of could not be judged by these.

    Raises:
        ModelFileError: if what the metadata says of them is damaged.
    """
    metadata = dict(checkpoint.metadata)
    if _BIASES not in metadata:
        return checkpoint
    model = copy.deepcopy(checkpoint.model)
    try:
        biases = torch.tensor(json.loads(metadata.pop(_BIASES)), dtype=torch.float32)
    except (ValueError, TypeError, RuntimeError, RecursionError):
        biases = torch.empty(0)
    if biases.shape != model.fc_mu1.bias.shape or not biases.isfinite().all():
        raise ModelFileError(f"expected {_BIASES} as one number per class in the metadata; they are damaged")
    with torch.no_grad():
        model.fc_mu1.bias.sub_(biases)
    return replace(checkpoint, model=model, metadata=metadata)


def calibrate(log_probs: Array, labels: Array) -> tuple[Calibration, Array]:
    """Fit a calibration to drawings that the network was not trained on.

    First the likeliest temperature and biases; then the temperature once more, so that the answers are right as often
    as their probabilities say on average. The second step judges drawings by biases that other drawings gave, as a bias
    makes the drawings that it was fitted to look better known than new ones.

    Classes count the same, however many drawings each has: how often something was drawn here says nothing of what
    others will draw.

    Args:
        log_probs: (N, classes); they stand for logits, from which they differ by a constant per row.
        labels: (N,), positions of the true classes.

    Returns:
        the calibration, and calibrated log_probs, float64 (N, classes), which may be judged by the same labels: the
        biases of each row are fitted to others.
    """
    held_back, fold = np.empty(log_probs.shape), np.arange(len(labels)) % _FOLDS
    for number in range(_FOLDS):
        others = fold != number
        held_back[~others] = _fit(log_probs[others], labels[others]).apply(log_probs[~others])
    fitted, temperature = _fit(log_probs, labels), _temperature(held_back, labels)
    calibration = Calibration(fitted.temperature * temperature, fitted.bias / temperature)
    return calibration, Calibration(temperature, np.zeros(log_probs.shape[1])).apply(held_back)


def _fit(log_probs: Array, labels: Array) -> Calibration:
    """Return the likeliest calibration.

    Vector scaling with one scale for all classes (Guo et al., "On Calibration of Modern Neural Networks", 2017,
    section 4.2), and a Gaussian prior on the biases. The loss is convex.
    """
    scores, targets = torch.from_numpy(log_probs.astype(np.float64)), torch.from_numpy(labels.astype(np.int64))
    counts, weights = targets.bincount(minlength=scores.shape[1]), torch.from_numpy(_weights(labels))
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(scores.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scale, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        unlikely = (bias / _BIAS_SPREAD).square().sum() / 2
        losses = cross_entropy(scores * scale + bias * (counts > 0), targets, reduction="none")
        value = (weights * losses).sum() + unlikely / len(targets)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return Calibration(1 / scale.item(), bias.detach().numpy())


def _temperature(log_probs: Array, labels: Array) -> float:
    """Return the temperature at which the answers' mean probability is the share of them that is right."""
    weights, unbiased = _weights(labels), np.zeros(log_probs.shape[1])
    right = weights[log_probs.argmax(axis=1) == labels].sum()
    low, high = 0.1, 10.0  # the higher the temperature, the less probable an answer
    while high - low > 1e-4:
        middle = (low + high) / 2
        answers = np.exp(Calibration(middle, unbiased).apply(log_probs).max(axis=1))
        low, high = (middle, high) if weights @ answers > right else (low, middle)
    return (low + high) / 2


def _weights(labels: Array) -> Array:
    """Return weights of drawings, float64 (N,), whose sum is 1 and the same for each class that has drawings."""
    weights = 1 / np.bincount(labels)[labels]
    shares: Array = weights / weights.sum()
    return shares
