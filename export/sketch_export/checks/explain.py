"""What the difference between a user's network and SketchRNN looks like: the mistakes and variants that are common."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from sketch_infer.array_types import FloatArray
from sketch_infer.model.contract.tensors import OUTPUTS
from sketch_models import SketchRNN, run_eager

_CONVOLUTIONS = ("conv1d_1", "conv1d_2", "conv1d_3")

_FITS = 0.1
"""An explanation leaves this share of the difference at most."""


def explain_difference(model: SketchRNN, strokes: FloatArray, name: str, wanted: FloatArray) -> str:
    """Say which other network gives the answers that a user recorded, if one does that people have.

    Args:
        model: this project's network with the user's weights.
        strokes: float32 (N, sequence_length, 3).
        name: of the output, "logits" or "log_probs".
        wanted: what the user's network answers, float32 (N, classes).
    """
    found = run_eager(model, strokes)[name]
    difference = float(np.abs(found - wanted).mean())
    best = min((float(np.abs(values - wanted).mean()), reason) for reason, values in _variants(model, strokes, name))
    if best[0] <= _FITS * difference:
        return best[1]
    training = copy.deepcopy(model).train()
    with torch.random.fork_rng(devices=[]), torch.no_grad():  # the caller's random numbers stay as they were
        torch.default_generator.manual_seed(0)
        noise = np.abs(training(torch.from_numpy(strokes))[OUTPUTS.index(name)].numpy() - found).mean()
    if noise and 0.3 <= difference / noise <= 3:
        return "they differ by as much as dropout makes: call model.eval() before you record them"
    return "no common cause explains it: compare your forward() with SketchRNN's, layer by layer"


def _variants(model: SketchRNN, strokes: FloatArray, name: str) -> Iterator[tuple[str, FloatArray]]:
    """Yield the answers of networks that differ from SketchRNN in one thing, and what that is."""
    outputs = run_eager(model, strokes)
    if name == "logits":
        yield "they are log-probabilities: record them as log_probs", outputs["log_probs"]
        yield "they are probabilities: record what your head gives, without a softmax", np.exp(outputs["log_probs"])
    else:
        yield "they are logits: record them as logits", outputs["logits"]
        yield "they are probabilities: record log_softmax", np.exp(outputs["log_probs"])
        twice = torch.from_numpy(np.exp(outputs["log_probs"])).log_softmax(dim=1).numpy()
        yield "they went through softmax twice: your loss or your network has one too many", twice
    for activation in (nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.GELU(), nn.LeakyReLU(), nn.ELU(), nn.SiLU()):
        for place, layers in {"after each convolution": _CONVOLUTIONS, "before its head": ("lstm_1",)}.items():
            reason = (
                f"your network has a {type(activation).__name__} {place}, and SketchRNN has none: it is another network"
            )
            yield reason, _run_with(model, strokes, name, activation, layers)
    for factor in (255.0, 256.0, 100.0, 10.0, 2.0):
        for scale in (factor, 1 / factor):
            reason = f"your network reads the strokes times {scale:.4g}: scale them before, or fold it into conv1d_1"
            yield reason, run_eager(model, (strokes * np.float32(scale)).astype(np.float32))[name]
    yield "your network reads (pen, dx, dy): record (dx, dy, pen)", run_eager(model, strokes[:, :, [2, 0, 1]])[name]
    yield "your network reads (dy, dx, pen): record (dx, dy, pen)", run_eager(model, strokes[:, :, [1, 0, 2]])[name]
    flipped = strokes.copy()
    flipped[:, :, 2] = 1 - flipped[:, :, 2]
    yield "your network's pen is 0 where this project's is 1", run_eager(model, flipped)[name]


def _run_with(
    model: SketchRNN, strokes: FloatArray, name: str, activation: nn.Module, layers: Sequence[str]
) -> FloatArray:
    """Run SketchRNN with an activation behind some of its layers."""

    def activate(_layer: nn.Module, _inputs: object, output: Any) -> Any:
        return (activation(output[0]), *output[1:]) if isinstance(output, tuple) else activation(output)

    network = copy.deepcopy(model)
    for layer in layers:
        network.get_submodule(layer).register_forward_hook(activate)
    return run_eager(network, strokes)[name]
