"""What training lowers: how far the answers are from the labels, and from those of finished networks."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sketch_models.training.recipe import Phase

TEACHING = 0.7
"""Share of the loss that is the distance from the teachers' answers, if there are any."""

TEACHING_TEMPERATURE = 2.0
"""Both sides' logits are divided by it, so that the teachers' less likely classes count, too."""


def classification_loss(
    logits: Tensor, labels: Tensor, n_targets: int, phase: Phase, label_smoothing: float, answers: Sequence[Tensor] = ()
) -> Tensor:
    """Return the loss of a batch, summed over its drawings.

    Args:
        logits: float32 (batch, classes), of the network in training; the targets come first.
        labels: int64 (batch,).
        n_targets: how many of the classes are targets.
        phase: how much each part of the loss weighs.
        label_smoothing: share of a label that is spread over all classes.
        answers: logits of each teacher for the same drawings, (batch, classes).
    """
    loss = phase.among_all * _loss_among(logits, labels, label_smoothing, answers)
    target = labels < n_targets
    if phase.among_targets and target.any():
        among = [answer[target, :n_targets] for answer in answers]
        among_loss = _loss_among(logits[target, :n_targets], labels[target], label_smoothing, among)
        loss = loss + phase.among_targets * among_loss
    if phase.outliers and not target.all():
        even = torch.log_softmax(logits[~target, :n_targets], dim=1).mean(dim=1)
        loss = loss - phase.outliers * even.sum()
    return loss


def _loss_among(logits: Tensor, labels: Tensor, label_smoothing: float, answers: Sequence[Tensor]) -> Tensor:
    """Return the loss among these classes: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015."""
    loss = cross_entropy(logits, labels, reduction="sum", label_smoothing=label_smoothing)
    if not answers:
        return loss
    taught = torch.stack([torch.softmax(answer / TEACHING_TEMPERATURE, dim=1) for answer in answers]).mean(dim=0)
    # The square keeps the gradients as large as those of the labels.
    distance = TEACHING_TEMPERATURE**2 * cross_entropy(logits / TEACHING_TEMPERATURE, taught, reduction="sum")
    return (1 - TEACHING) * loss + TEACHING * distance
