"""A head that is linear between a few time steps, its knots: stored by its weights there, as floats or in 8 bits."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sketch_models.sketch_rnn import SketchRNN, SketchRNNConfig
from sketch_models.state_dict import StateDict

HEAD_AT_KNOTS, SCALES = "fc_mu1.knots", "fc_mu1.scales"


def count_head(model: SketchRNN, knots: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return a head's weights at the knots as int8 (classes, knots, 2 * hidden), and the scales (classes, knots)."""
    head = model.fc_mu1.weight.detach()
    at_knots = head.reshape(len(head), model.config.time_steps, -1)[:, list(knots)]
    scales = at_knots.abs().amax(dim=2) / 127
    counts = at_knots / scales.clamp(min=torch.finfo(scales.dtype).tiny)[..., None]
    return counts.round().to(torch.int8), scales


def scale_head(state: StateDict) -> None:
    """Bring weights at the knots that are integers to float64, in which they are exact.

    Raises:
        ValueError: if they and their scales do not fit each other.
    """
    scales = state.pop(SCALES, None)
    if scales is None:
        return
    counts = state.get(HEAD_AT_KNOTS)
    if counts is None or counts.dtype != torch.int8 or counts.ndim != 3 or scales.shape != counts.shape[:2]:
        found = "none" if counts is None else f"{counts.dtype} {tuple(counts.shape)}"
        raise ValueError(f"expected {HEAD_AT_KNOTS} of torch.int8 {(*scales.shape, '2 * hidden_size')}, found {found}")
    state[HEAD_AT_KNOTS] = counts.double() * scales.double()[..., None]


def take_knots(head: Tensor, knots: Sequence[int], config: SketchRNNConfig) -> Tensor:
    """Take from a head (classes, time * 2 * hidden) its weights at the knots, (classes, knots, 2 * hidden)."""
    at_knots = head.reshape(len(head), config.time_steps, -1)[:, list(knots)].contiguous()
    error = (interpolate_head(at_knots, knots, config) - head).abs().max()
    if not error <= 2 * torch.finfo(head.dtype).eps * head.abs().max():
        raise ValueError(f"expected a head that is linear between the knots {list(knots)}, found it {error:.1e} away")
    return at_knots


def interpolate_head(at_knots: Tensor | None, knots: Any, config: SketchRNNConfig) -> Tensor:
    """Return a head's float32 weights (classes, time * 2 * hidden), given those at the knots.

    Raises:
        ValueError: if knots and weights do not fit each other and the network.
    """
    last = config.time_steps - 1
    if (
        not isinstance(knots, list | tuple)
        or not all(isinstance(knot, int) for knot in knots)
        or [*knots[:1], *knots[-1:]] != [0, last]
        or any(left >= right for left, right in pairwise(knots))
    ):
        raise ValueError(f"expected head_knots that rise from 0 to {last}, found {knots}")
    shape = (config.output_size, len(knots), 2 * config.hidden_size)
    found = None if at_knots is None else tuple(at_knots.shape)
    if at_knots is None or found != shape or not at_knots.is_floating_point():
        raise ValueError(f"expected {HEAD_AT_KNOTS} of shape {shape}, found {found}")
    values = at_knots.to(torch.float64).numpy()
    head = np.empty((shape[0], config.time_steps, shape[2]), np.float32)
    head[:, knots] = values
    for position, (left, right) in enumerate(pairwise(knots)):
        share = ((np.arange(left, right + 1) - left) / (right - left))[:, None]
        # Elementwise products: matrix products round differently from one processor to another.
        head[:, left : right + 1] = (1 - share) * values[:, [position]] + share * values[:, [position + 1]]
    return torch.from_numpy(head.reshape(len(head), -1))
