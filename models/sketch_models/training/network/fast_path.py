"""SketchRNN's forward pass for training: the same function, five times faster on a CPU.

Four facts of the network are used:

* Padding is three quarters of the steps, and no sketch has a part in most of them. Past a sketch's last point the LSTM
  reads one constant input: the reverse direction comes out of the padding in a state common to all sketches, and
  the forward direction settles to a fixed point. A sketch is run over its own points and `settle` steps more.
* The stem has no activations: convolutions and input projection are one linear map of a window of 11 points.
* The head is smooth (`smooth_head`): it reads a few weighted sums over time, and a sum over padding is a product.
* The recurrence runs in bfloat16 where the processor has it (`lstm_scan`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sketch_models.sketch_rnn import SketchRNN
from sketch_models.training.network.gates import Gates
from sketch_models.training.network.lstm_scan import fastest_dtype, lstm_scan
from sketch_models.training.network.smooth_head import at_all_steps, nearest_smooth, time_basis

INPUT_SCALE = (8.0, 8.0, 1.0)
"""What dx, dy and pen are multiplied by in training, for dx and dy are small beside pen = 1. It is folded into the
first convolution's weights, exactly, as the factors are powers of two."""

_FOLLOWED = 8  # steps through which gradients reach the weights from the fixed point under padding
_TAIL = 32  # steps after which the reverse direction, coming from the end of the padding, counts as settled


@dataclass(frozen=True)
class FastOutput:
    """What `FastSketchRNN` returns.

    Attributes:
        logits: float32 (batch, classes).
        unsettled: scalar, the mean squared distance between the forward direction's state `settle` steps after each
            sketch's last point and the fixed point that stands for it from there on.
        settling_rate: scalar, the part of a small distance from the fixed point that a step over padding leaves: the
            mean over `gates.RATE_STEPS` steps and the `directions` given. 0 if there are none or the module is `exact`.
    """

    logits: Tensor
    unsettled: Tensor
    settling_rate: Tensor


class FastSketchRNN(nn.Module):
    """Convolutions and LSTM of a SketchRNN under a smooth head; `to_sketch_rnn` gives the network that it trains.

    Args:
        core: convolutions and LSTM that are trained, of one layer; its own head is not used.
        n_classes: outputs of the smooth head.
        settle: steps past a sketch's last point that the forward direction runs; with the core's `time_steps`, this
            module is `to_sketch_rnn`'s exact function and gradient.
        dtype: of the recurrence; None for the fastest here.

    Raises:
        ValueError: if the core has more than one LSTM layer.
    """

    basis: Tensor
    input_scale: Tensor
    tails: Tensor

    def __init__(self, core: SketchRNN, n_classes: int, settle: int = 8, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        if core.config.n_layers != 1:
            raise ValueError(f"expected a SketchRNN with n_layers 1, found {core.config.n_layers}")
        self.core = core
        self.settle = settle
        self.dtype = dtype or fastest_dtype()
        sizes = core.config
        self.taps = sizes.sequence_length - sizes.time_steps + 1
        self.register_buffer("basis", time_basis(sizes.time_steps))
        self.register_buffer("input_scale", torch.tensor((INPUT_SCALE + (1.0,) * sizes.input_size)[: sizes.input_size]))
        # Per direction, the states h and c after 0 .. tail steps over padding from zero, then the fixed point.
        tail = min(_TAIL, sizes.time_steps)
        self.register_buffer("tails", torch.zeros(2, tail + 2, 2, sizes.hidden_size))
        self.head = nn.Linear(self.basis.shape[0] * 2 * sizes.hidden_size, n_classes)

    @property
    def exact(self) -> bool:
        """Whether nothing is approximated but by the recurrence's dtype."""
        return self.settle >= self.core.config.time_steps

    def gates(self) -> tuple[Gates, Gates]:
        """Compose convolutions and input projections, differentiably, by passing impulses through the stem."""
        core, n_in = self.core, self.core.config.input_size
        index = torch.arange(self.taps * n_in)
        impulses = torch.zeros(len(index) + 1, n_in, self.taps)
        impulses[index, index % n_in, index // n_in] = self.input_scale[index % n_in]
        response = core.conv1d_3(core.conv1d_2(core.conv1d_1(impulses)))[..., 0]  # (taps * n_in + 1, 96)
        features = (response[:-1] - response[-1]).t()
        double_g = torch.ones(4, core.config.hidden_size, 1)
        double_g[2] = 2
        double_g = double_g.view(-1, 1)
        composed = []
        for suffix in ("_l0", "_l0_reverse"):
            w_ih, w_hh, b_ih, b_hh = (
                getattr(core.lstm_1, name + suffix) * (double_g if name.startswith("weight") else double_g[:, 0])
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            composed.append(Gates(w_ih @ features, w_ih @ response[-1] + b_ih + b_hh, w_hh))
        return composed[0], composed[1]

    def over_padding(self, direction: int, gates: Gates) -> Tensor:
        """Return this direction's states over padding, (tail + 2, 2, hidden), as `tails` describes them.

        The fixed point is the one of the last call to `follow`, `_FOLLOWED` steps on, with gradient; the states before
        it come from that call. If `exact`, all states are made here, with gradient, and the last is no fixed point.
        """
        if not self.exact:
            h, c = self.tails[direction, -1].unsqueeze(1)
            for _ in range(_FOLLOWED):
                h, c = gates.step(h, c)
            return torch.cat([self.tails[direction, :-1], torch.stack([h[0], c[0]])[None]])
        h = c = torch.zeros(1, self.core.config.hidden_size)
        states = [torch.stack([h[0], c[0]])]
        for _ in range(self.core.config.time_steps):
            h, c = gates.step(h, c)
            states.append(torch.stack([h[0], c[0]]))
        return torch.stack([*states, states[-1]])

    @torch.no_grad()
    def follow(self) -> None:
        """Bring `tails` up to date with the weights; call it after each of the optimizer's steps."""
        for direction, gates in enumerate(self.gates()):
            h = c = torch.zeros(1, self.core.config.hidden_size)
            for step in range(1, self.tails.shape[1] - 1):
                h, c = gates.step(h, c)
                self.tails[direction, step, 0], self.tails[direction, step, 1] = h[0], c[0]
            self.tails[direction, -1] = self.over_padding(direction, gates)[-1]

    def forward(
        self,
        sketches: Tensor,
        lengths: Tensor,
        kept_units: Tensor | None = None,
        directions: Tensor | None = None,
    ) -> FastOutput:
        """Classify a batch; the fewer steps its longest sketch has, the faster.

        Args:
            sketches: float32 (batch, rows, input_size) as `SketchRNN` reads them, cut anywhere behind the longest.
            lengths: int (batch,), rows of each sketch, at least 1.
            kept_units: dropout between LSTM and head, factors (batch, 2 * hidden); the same at all steps, for noise
                that differs between steps would average out in the head's sums.
            directions: in which the settling rate is measured, (2, N, hidden).
        """
        sizes = self.core.config
        batch, hidden = len(sketches), sizes.hidden_size
        longest = min(int(lengths.max()), sizes.time_steps)
        forward_steps = min(longest + self.settle, sizes.time_steps)
        rows = sketches[:, : forward_steps + self.taps - 1].to(self.dtype)
        rows = nn.functional.pad(rows, (0, 0, 0, forward_steps + self.taps - 1 - rows.shape[1]))
        windows = rows.unfold(1, self.taps, 1).permute(1, 0, 3, 2).reshape(forward_steps, batch, -1)
        sums = []
        unsettled = settling_rate = torch.zeros(())
        for direction, gates in enumerate(self.gates()):
            tail = self.over_padding(direction, gates)
            steps = longest if direction else forward_steps
            padded = sizes.time_steps - steps
            weight = gates.window.t().to(self.dtype)
            projected = torch.addmm(gates.bias.to(self.dtype), windows[:steps].flatten(0, 1), weight)
            h_0, c_0 = tail[min(padded, len(tail) - 1) if direction else 0].unsqueeze(1).expand(2, batch, hidden)
            states = lstm_scan(
                projected.view(steps, batch, -1), gates.recurrent.to(self.dtype), h_0.to(self.dtype).contiguous(),
                c_0.contiguous(), bool(direction),
            )  # fmt: skip
            # The reverse direction enters the padding at the last step: its states stand there backwards in `tail`.
            at_rest = tail[-1:, 0].expand(padded, hidden)
            outside = torch.cat([at_rest, tail[1:-1, 0].flip(0)])[-padded:] if direction and padded else at_rest
            summed = (self.basis[:, :steps].to(self.dtype) @ states.view(steps, -1)).view(-1, batch, hidden)
            sums.append(summed.float() + (self.basis[:, steps:] @ outside)[:, None])
            if not direction and not self.exact:
                last = (lengths + self.settle - 1).clamp(max=steps - 1)
                reached = states[last, torch.arange(batch)].float()
                unsettled = (reached - tail[-1, 0].detach()).square().mean()
                if directions is not None:
                    settling_rate = gates.settling_rate(tail[-1], directions)
        features = torch.cat(sums, dim=2).transpose(0, 1)  # (batch, functions, 2 * hidden)
        if kept_units is not None:
            features = features * kept_units[:, None]
        return FastOutput(self.head(features.reshape(batch, -1)), unsettled, settling_rate)

    @torch.no_grad()
    def start_from(self, model: SketchRNN, labels: Sequence[str], classes: Sequence[str]) -> int:
        """Take a trained network's weights, and of its head what it knows of classes of the same name.

        The smooth head that is closest to the network's own is taken, by least squares over time: the same one, if
        this module trained it.

        Args:
            model: of the core's sizes, but any number of classes.
            labels: the network's classes, in its order; none if they have no names.
            classes: this module's classes.

        Returns:
            how many of the classes the network knows.
        """
        state = model.state_dict()
        state["conv1d_1.weight"] = state["conv1d_1.weight"] / self.input_scale[:, None]
        weight, bias = state.pop("fc_mu1.weight"), state.pop("fc_mu1.bias")
        self.core.load_state_dict(state, strict=False)  # all but the head, which the core does not use
        by_function = nearest_smooth(weight, self.basis)
        row_of = {name: row for row, name in enumerate(labels)}
        known = [(row, row_of[name]) for row, name in enumerate(classes) if name in row_of]
        for row, source in known:
            self.head.weight[row] = by_function[source].flatten()
            self.head.bias[row] = bias[source]
        for _ in range(_TAIL):
            self.follow()
        return len(known)

    @torch.no_grad()
    def to_sketch_rnn(self, n_classes: int) -> SketchRNN:
        """Return the network that this one computes, reading unscaled sketches, with the first classes of the head."""
        sizes = self.core.config
        model = SketchRNN(
            sizes.input_size, sizes.hidden_size, n_classes, sizes.dropout, sizes.n_layers, sizes.sequence_length
        )
        state = {name: tensor.clone() for name, tensor in self.core.state_dict().items()}
        state["conv1d_1.weight"] *= self.input_scale[:, None]
        by_function = self.head.weight[:n_classes].view(n_classes, -1, 2 * sizes.hidden_size)
        state["fc_mu1.weight"] = at_all_steps(by_function, self.basis)
        state["fc_mu1.bias"] = self.head.bias[:n_classes].clone()
        model.load_state_dict(state)
        return model.eval()
