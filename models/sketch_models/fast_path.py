"""SketchRNN's forward pass for training, several times faster on CPUs and the same function.

Four facts of the network are used (figures: 2 Zen 4 cores, SketchRNN(3, 256, 40), Quick, Draw! drawings):

* Padding is three quarters of the steps. Past a sketch's last point the LSTM reads one constant input, so the reverse
  direction comes from the padding in a state that no sketch influences, and the forward direction settles to a
  fixed point. Both runs are made once, for a batch of one; a sketch is run over its own points and `settle` more.
* The stem has no activations: convolutions and input projection are one linear map of a window of points.
* The head's weights over time are smooth (`SmoothHead`), so that it reads a few weighted sums over time.
* The recurrence runs in bfloat16 (`LSTMScan`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .lstm_scan import LSTMScan
from .sketch_rnn import SketchRNN

KNOTS = (0, 1, 8, 18, 30, 45, 65, 90, 125, 185)
"""Time steps between which the head's weights are interpolated; step 0 alone, because there the reverse direction has seen everything."""


def time_basis(time_steps: int) -> Tensor:
    """Return the smooth head's functions of time, float32 (functions, time_steps): hats that sum to 1, over their width."""
    knots = [knot for knot in KNOTS if knot < time_steps - 1] + [max(time_steps - 1, 1)]
    steps = np.arange(time_steps)
    hats = np.stack([np.interp(steps, knots, row) for row in np.eye(len(knots))])
    return torch.tensor(hats / hats.sum(axis=1, keepdims=True) ** 0.75, dtype=torch.float32)


@dataclass
class FastOutput:
    """logits (batch, classes), and `unsettled`: mean squared distance of the forward state to its fixed point after `settle` steps."""

    logits: list[Tensor]
    unsettled: Tensor


class FastSketchRNN(nn.Module):
    def __init__(self, core: SketchRNN, n_outputs: list[int], input_scale: tuple[float, ...] = (8.0, 8.0, 1.0), dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self.core = core
        self.time_steps = core.config.time_steps
        self.hidden_size = core.config.hidden_size
        self.register_buffer("basis", time_basis(self.time_steps))
        self.register_buffer("input_scale", torch.tensor(input_scale))
        self.heads = nn.ModuleList(nn.Linear(self.basis.shape[0] * 2 * self.hidden_size, n) for n in n_outputs)
        self.register_buffer("rest", torch.zeros(2, 2, self.hidden_size))  # fixed points (direction, h or c, hidden)
        self.dtype = dtype

    def projections(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Per direction: window weights (4 hidden, 33), biases (4 hidden,), weight_hh (4 hidden, hidden), g's rows doubled."""
        core, hidden = self.core, self.hidden_size
        taps = core.config.sequence_length - self.time_steps + 1
        n_in = core.config.input_size
        impulses = torch.zeros(taps * n_in + 1, n_in, taps)
        index = torch.arange(taps * n_in)
        impulses[index, index % n_in, index // n_in] = self.input_scale[index % n_in]
        response = core.conv1d_3(core.conv1d_2(core.conv1d_1(impulses)))[..., 0]  # (34, 96)
        features = response[:-1] - response[-1]
        twice_g = torch.ones(4 * hidden, 1)
        twice_g[2 * hidden : 3 * hidden] = 2
        windows, biases, recurrent = [], [], []
        for suffix in ("", "_reverse"):
            w_ih, w_hh, b_ih, b_hh = (getattr(core.lstm_1, f"{n}_l0{suffix}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            windows.append(w_ih * twice_g @ features.t())
            biases.append((w_ih @ response[-1] + b_ih + b_hh) * twice_g[:, 0])
            recurrent.append(w_hh * twice_g)
        return windows, biases, recurrent

    def settled(self, bias: Tensor, w_hh: Tensor, direction: int, steps: int = 8) -> tuple[Tensor, Tensor]:
        """Follow the fixed point under constant input for a few steps of gradient; updates `rest`."""
        h, c = self.rest[direction, :, None]
        for _ in range(steps):
            h, c = _cell(torch.addmm(bias, h, w_hh.t()), c)
        return h, c

    def forward(self, sketches: Tensor, lengths: Tensor, settle: int, masks: Tensor | None = None, shared: tuple | None = None) -> FastOutput:
        """sketches: (batch, >= steps + 10, 3) zero-padded; lengths (batch,) rows."""
        windows, biases, recurrent = shared[0] if shared else self.projections()
        rest = shared[1] if shared else [self.settled(biases[d], recurrent[d], d) for d in (0, 1)]
        batch = sketches.shape[0]
        taps = self.core.config.sequence_length - self.time_steps + 1
        longest = min(int(lengths.max()), self.time_steps)
        x = sketches[:, : self.core.config.sequence_length].to(self.dtype)
        x = nn.functional.pad(x, (0, 0, 0, max(0, longest + settle + taps - 1 - x.shape[1])))
        features = []
        for d, steps in enumerate((min(longest + settle, self.time_steps), longest)):
            # (steps, batch, 33): a window of `taps` rows for each step
            view = x[:, : steps + taps - 1].unfold(1, taps, 1).permute(1, 0, 3, 2).reshape(steps * batch, -1)
            projected = torch.addmm(biases[d].to(self.dtype), view, windows[d].t().to(self.dtype)).view(steps, batch, -1)
            h_rest, c_rest = rest[d]
            if d == 0:
                h_0, c_0 = torch.zeros(batch, self.hidden_size, dtype=self.dtype), torch.zeros(batch, self.hidden_size)
            else:
                h_0, c_0 = h_rest.to(self.dtype).expand(batch, -1).contiguous(), c_rest.expand(batch, -1).contiguous()
            states = LSTMScan.apply(projected, recurrent[d].to(self.dtype), h_0, c_0, d == 1)
            pooled = self.basis[:, :steps].to(self.dtype) @ states.view(steps, -1)  # (functions, batch * hidden)
            padded = self.basis[:, steps:].sum(1)[:, None, None] * h_rest  # (functions, 1, hidden)
            features.append(pooled.view(-1, batch, self.hidden_size).float() + padded)
            if d == 0:
                # measured at every sketch's own `settle`-th step after its last point
                at = (lengths.clamp(max=self.time_steps) + settle - 1).clamp(max=steps - 1)
                unsettled = (states[at, torch.arange(batch)].float() - h_rest.detach()).square().mean()
        pooled = torch.cat(features, 2)  # (functions, batch, 2 hidden)
        if masks is not None:
            pooled = pooled * masks
        flat = pooled.transpose(0, 1).reshape(batch, -1)
        return FastOutput([head(flat) for head in self.heads], unsettled)

    @torch.no_grad()
    def to_sketch_rnn(self, head: int = 0) -> SketchRNN:
        source, sizes = self.core, self.core.config
        linear = self.heads[head]
        model = SketchRNN(sizes.input_size, sizes.hidden_size, linear.out_features, sizes.dropout, sizes.n_layers, sizes.sequence_length)
        state = {name: tensor.clone() for name, tensor in source.state_dict().items() if not name.startswith("fc_mu1")}
        state["conv1d_1.weight"] *= self.input_scale[:, None]
        per_function = linear.weight.view(linear.out_features, -1, 2 * self.hidden_size)
        state["fc_mu1.weight"] = torch.einsum("okh,kt->oth", per_function, self.basis).reshape(linear.out_features, -1)
        state["fc_mu1.bias"] = linear.bias.clone()
        model.load_state_dict(state)
        return model.eval()


def _cell(z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = z.sigmoid().chunk(4, dim=1)
    c = f * c + i * (2 * g - 1)
    return o * torch.tanh(c), c
