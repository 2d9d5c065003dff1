"""What a training run is made of: its phases, its rates, and how a network starts."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from sketch_models.sketch_rnn import SketchRNN
from sketch_models.training.data.augment import Augmentation


@dataclass(frozen=True)
class Phase:
    """A part of the training with its own learning rate, from warm-up to its end.

    Attributes:
        name: how the log calls it.
        epochs: passes over the drawings.
        learning_rate: the highest.
        last_learning_rate: where the cosine decay ends.
        further_share: part of the further classes' drawings (those that the network shall not name in the end) that an
            epoch reads, drawn anew each time.
        dropout: probability of a unit between LSTM and head being left out.
        among_all: weight of the loss among all classes.
        among_targets: weight of the loss of the targets' drawings among the targets.
        augmentation: how drawings are varied.
        outliers: weight of the loss of the further classes' drawings among the targets, of which none shall be likely:
            cross-entropy to the uniform distribution (Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure",
            2019).
        warm_up: part of the phase with a rising learning rate.
    """

    name: str
    epochs: int
    learning_rate: float
    last_learning_rate: float
    further_share: float
    dropout: float
    among_all: float
    among_targets: float
    augmentation: Augmentation
    outliers: float = 0.0
    warm_up: float = 0.02


@dataclass(frozen=True)
class Recipe:
    """What all phases share.

    Attributes:
        phases: run one after the other.
        batch_size: drawings per step.
        seed: of everything random.
        label_smoothing: of both losses.
        weight_decay: of all but the head.
        head_weight_decay: of the head.
        settle_penalty: weight of `FastOutput.unsettled` in the second half of a phase; it rises from 0 in the first, so
            that a fresh network learns to see before it learns to forget.
        settling_rate: part of a distance from rest that a step over padding may leave. What is more is penalized, by
            `rate_penalty`, rising like `settle_penalty`: the faster a network settles, the fewer steps its export runs.
        rate_penalty: weight of `FastOutput.settling_rate` above `settling_rate`.
        balance: 0 reads every drawing once an epoch, 1 every class equally often.
        averaging: weights that are evaluated and saved are a running mean with this decay.
        workers: threads, each with a part of every batch.
    """

    phases: tuple[Phase, ...]
    batch_size: int = 256
    seed: int = 0
    label_smoothing: float = 0.05
    weight_decay: float = 0.01
    head_weight_decay: float = 0.05
    settle_penalty: float = 1000.0
    settling_rate: float = 0.25
    rate_penalty: float = 5.0
    balance: float = 0.0
    averaging: float = 0.999
    workers: int = 2


def initialize(model: SketchRNN) -> None:
    """Set weights so that signals keep their size: convolutions by fan-in, LSTM orthogonal with an open forget gate."""
    hidden = model.config.hidden_size
    for conv in (model.conv1d_1, model.conv1d_2, model.conv1d_3):
        nn.init.normal_(conv.weight, std=(conv.in_channels * conv.kernel_size[0]) ** -0.5)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    for name, parameter in model.lstm_1.named_parameters():
        if name.startswith("weight_hh"):
            for gate in torch.split(parameter.data, hidden):
                nn.init.orthogonal_(gate)
        elif name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
            if name.startswith("bias_hh"):
                parameter.data[hidden : 2 * hidden] = 1


def learning_rate(phase: Phase, done: float) -> float:
    """Return the learning rate when this part of a phase, 0 to 1, is done: linear warm-up, then half a cosine."""
    if done < phase.warm_up:
        return phase.learning_rate * done / phase.warm_up
    decay = 0.5 * (1 + math.cos(math.pi * (done - phase.warm_up) / (1 - phase.warm_up)))
    return phase.last_learning_rate + (phase.learning_rate - phase.last_learning_rate) * decay
