"""A head whose weights change slowly over time: what training learns in the place of a weight for each step.

It reads a few weighted sums over time. This keeps the 3.8 million weights of a head for 40 classes from learning the
drawings by heart.
"""

import numpy as np
import torch
from torch import Tensor

from sketch_infer.errors import InputError
from sketch_models.sketch_rnn import SketchRNN

KNOTS = (0, 1, 8, 18, 30, 45, 65, 90, 125)
"""Steps between which the head's weights are interpolated, besides the last one. Step 0 stands alone: there the
reverse direction has read the whole sketch."""

SMOOTH = 2e-3
"""Largest `head_error` of a head that is smooth: as much as its rounding to float16 may make."""


def head_knots(time_steps: int) -> list[int]:
    """Return the steps between which the head of a network with so many time steps is interpolated."""
    return [knot for knot in KNOTS if knot < time_steps - 1] + [time_steps - 1]


def time_basis(time_steps: int) -> Tensor:
    """Return the head's functions of time, float32 (functions, time_steps): hats between the knots."""
    knots = head_knots(time_steps)
    hats = np.stack([np.interp(np.arange(time_steps), knots, row) for row in np.eye(len(knots))])
    # Between a sum over time and a mean, so that wide hats matter more, but not by their width.
    return torch.tensor(hats / hats.sum(axis=1, keepdims=True) ** 0.75, dtype=torch.float32)


def nearest_smooth(weight: Tensor, basis: Tensor) -> Tensor:
    """Return the smooth head that is nearest to a head, by least squares over time.

    Args:
        weight: of the head, float32 (classes, time_steps * 2 * hidden).
        basis: of `time_basis`.

    Returns:
        weights of the functions, float32 (classes, functions, 2 * hidden).
    """
    functions = torch.linalg.pinv(basis.double()).t().float()  # (functions, time_steps)
    return torch.matmul(functions, weight.view(len(weight), basis.shape[1], -1))


def at_all_steps(by_function: Tensor, basis: Tensor) -> Tensor:
    """Return a smooth head's weights, float32 (classes, time_steps * 2 * hidden), as `SketchRNN` has them."""
    return torch.einsum("nkh,kt->nth", by_function, basis).flatten(1)


@torch.no_grad()
def head_error(model: SketchRNN) -> float:
    """Return which part of a network's head no smooth head has, by norm: about 0 if it was trained here."""
    weight, basis = model.fc_mu1.weight, time_basis(model.config.time_steps)
    rest = weight - at_all_steps(nearest_smooth(weight, basis), basis)
    return float(rest.norm() / weight.norm().clamp(min=1e-30))


def require_smooth_head(model: SketchRNN, title: str) -> None:
    """Refuse a network that would answer otherwise with the smooth head that is nearest to its own.

    Args:
        model: the network.
        title: what the message calls it.

    Raises:
        InputError: if its head is not smooth.
    """
    if head_error(model) > SMOOTH:
        raise InputError(f"{title}: expected a network that sketch-train made, found one with another kind of head")
