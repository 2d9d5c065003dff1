"""State dicts of the tiny network, whole and damaged."""

import torch
from torch import nn

from tests.networks import make_model


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def damaged(name: str, value: torch.Tensor | None) -> dict[str, torch.Tensor]:
    state = dict(make_model().state_dict())
    if value is None:
        del state[name]
    else:
        state[name] = value
    return state
