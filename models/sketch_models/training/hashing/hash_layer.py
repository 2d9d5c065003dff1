"""Training of a hash layer behind a network that stays as it is.

The loss has the parts of "SketchMate: Deep Hashing for Million-Scale Human Sketch Retrieval" (Xu et al., CVPR 2018):
cross-entropy through the code, a quantization loss, and the sketch-center loss, which leaves out the noisy and the
trivial drawings: those whose prediction has a very high or very low entropy. Bits are balanced, as a bit that is
always set says nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sketch_infer.array_types import Array
from sketch_models.sketch_hash import HashLayer
from sketch_models.sketch_rnn import SketchRNN
from sketch_models.training.data.augment import stroke_batch
from sketch_models.training.data.dataset import Drawings
from sketch_models.training.network.fast_path import FastSketchRNN

_BATCH, _CHUNK = 512, 256
_INPUT_SCALE = 10.0
"""What the roots of the probabilities are multiplied with in training: most of 345 are below a tenth."""

_CENTER_RATE = 0.5
"""How far a center moves in a step to the mean of its class's codes in the batch."""


@dataclass(frozen=True)
class HashRecipe:
    """How a hash layer is trained.

    Attributes:
        code_bits: bits of the code.
        quantization: weight of the mean squared distance of a value's size from 1.
        centers: weight of the mean squared distance of a code from the center of its class.
        balance: weight of the squared mean of each bit, as -1 or 1, over a batch.
        kept: share of the drawings that have centers: those in the middle by the entropy of their prediction.
        epochs: passes over the drawings.
        learning_rate: the highest.
        seed: of everything random.
    """

    code_bits: int = 64
    quantization: float = 0.01
    centers: float = 1.0
    balance: float = 0.1
    kept: float = 0.9
    epochs: int = 8
    learning_rate: float = 2e-3
    seed: int = 0


def classify_fast(model: SketchRNN, drawings: Drawings, on_part: Callable[[float], None] = lambda _: None) -> Array:
    """Return log_probs, float32 (N, classes), by the fast path of training.

    Args:
        model: a network with one LSTM layer and a smooth head; of another head, these are not its answers.
        drawings: of any classes.
        on_part: is told the share that is done.
    """
    names = [str(number) for number in range(model.config.output_size)]
    net = FastSketchRNN(SketchRNN.from_config(model.config), len(names))
    net.start_from(model, names, names)
    found = np.empty((len(drawings), len(names)), np.float32)
    by_length = np.argsort(drawings.lengths, kind="stable")
    with torch.inference_mode():
        for start in range(0, len(by_length), _CHUNK):
            rows = by_length[start : start + _CHUNK]
            xy, pen, lengths = drawings.padded(rows)
            output = net(torch.from_numpy(stroke_batch(xy, pen, lengths)), torch.from_numpy(np.maximum(lengths - 1, 1)))
            found[rows] = torch.log_softmax(output.logits, dim=1).numpy()
            on_part((start + len(rows)) / len(by_length))
    return found


def train_hash_layer(log_probs: Array, labels: Array, recipe: HashRecipe) -> HashLayer:
    """Train a hash layer.

    Args:
        log_probs: the network's answers to drawings, float32 (N, classes).
        labels: the drawings' classes, int (N,).
        recipe: how to train.
    """
    torch.manual_seed(recipe.seed)
    given, classes = torch.from_numpy(log_probs), torch.from_numpy(labels)
    n_classes = log_probs.shape[1]
    layer, head = HashLayer(n_classes, recipe.code_bits), nn.Linear(recipe.code_bits, n_classes)
    typical = _middle(given, recipe.kept)
    centers = torch.zeros(n_classes, recipe.code_bits)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=1e-4)
    steps = recipe.epochs * -(-len(given) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps, pct_start=0.1)
    scaled = given + 2 * math.log(_INPUT_SCALE)  # the layer takes the roots
    for _ in range(recipe.epochs):
        for rows in torch.split(torch.randperm(len(given)), _BATCH):
            values, own = layer(scaled[rows]), classes[rows]
            codes = torch.tanh(values)
            loss = cross_entropy(head(codes), own)
            loss = loss + recipe.quantization * (values.abs() - 1).square().mean()
            loss = loss + recipe.balance * codes.mean(dim=0).square().mean()
            if recipe.centers and (chosen := typical[rows]).any():
                _move(centers, codes[chosen].detach(), own[chosen])
                loss = loss + recipe.centers * (codes[chosen] - centers[own[chosen]]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        layer.fc_1.weight.mul_(_INPUT_SCALE)
    return layer.eval().requires_grad_(False)


def _middle(log_probs: Tensor, kept: float) -> Tensor:
    """Return which drawings are in the middle by the entropy of their prediction, bool (N,)."""
    entropy = -(log_probs.exp() * log_probs).sum(dim=1).numpy()
    low, high = np.quantile(entropy, [(1 - kept) / 2, (1 + kept) / 2])
    return torch.from_numpy((entropy >= low) & (entropy <= high))


def _move(centers: Tensor, codes: Tensor, classes: Tensor) -> None:
    """Move the centers of the classes in a batch towards their codes, in place."""
    counts = torch.bincount(classes, minlength=len(centers)).clamp(min=1)[:, None]
    means = torch.zeros_like(centers).index_add_(0, classes, codes) / counts
    present = torch.bincount(classes, minlength=len(centers)) > 0
    centers[present] = torch.lerp(centers[present], means[present], _CENTER_RATE)
