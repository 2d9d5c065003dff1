"""An LSTM over time for training on CPUs: the recurrence of `torch.nn.LSTM`, about twice as fast in bfloat16."""

from typing import Any

import torch
from torch import Tensor


def fastest_dtype() -> torch.dtype:
    """Return the dtype in which this processor runs `lstm_scan` fastest.

    bfloat16 halves the time with AVX-512, or ARM's instructions for it. Elsewhere PyTorch imitates its products, which
    takes sixteen times as long as float32.
    """
    has_it = torch._C._has_mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if has_it else torch.float32


def lstm_scan(projected: Tensor, weight: Tensor, h_0: Tensor, c_0: Tensor, backwards: bool) -> Tensor:
    """Run one direction of one LSTM layer over inputs already projected to the gates.

    Gates are packed i, f, g, o as in torch. The rows of g, in the projections and in `weight`, are expected
    **doubled**: tanh(z) = 2 * sigmoid(2 z) - 1, so that one sigmoid serves all four gates (torch's tanh takes
    six times as long as its sigmoid on a CPU). The matrix products run in the dtype of `projected`; the cell
    state stays float32.

    Args:
        projected: (steps, batch, 4 * hidden), the inputs times weight_ih plus both biases.
        weight: (4 * hidden, hidden), weight_hh in the dtype of `projected`.
        h_0: (batch, hidden) in the dtype of `projected`.
        c_0: (batch, hidden), float32.
        backwards: run from the last step to the first.

    Returns:
        the states h, (steps, batch, hidden) in the dtype of `projected`.
    """
    states: Tensor = _LSTMScan.apply(projected, weight, h_0, c_0, backwards)  # type: ignore[no-untyped-call]
    return states


class _LSTMScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor, h_0: Tensor, c_0: Tensor, backwards: bool) -> Tensor:
        steps, batch, width = projected.shape
        hidden = width // 4
        gates = torch.empty_like(projected)
        states = projected.new_empty(steps, batch, hidden)
        cells = torch.empty(steps, batch, hidden)
        tanh_cells = torch.empty(steps, batch, hidden)
        transposed = weight.t()
        h, c = h_0, c_0
        for step in reversed(range(steps)) if backwards else range(steps):
            z = torch.addmm(projected[step], h, transposed, out=gates[step]).sigmoid_()
            i, f, g, o = z.to(torch.float32, copy=True).chunk(4, dim=1)
            c = torch.mul(f, c, out=cells[step]).addcmul_(i, g.mul_(2).sub_(1))
            tanh_c = torch.mul(c, 2, out=tanh_cells[step]).sigmoid_().mul_(2).sub_(1)
            h = states[step].copy_(o.mul_(tanh_c))
        ctx.save_for_backward(gates, states, cells, tanh_cells, weight, h_0, c_0)
        ctx.backwards = backwards
        return states

    @staticmethod
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of `projected`, `weight`, `h_0` and `c_0`."""
        gates, states, cells, tanh_cells, weight, h_0, c_0 = ctx.saved_tensors
        steps, _, hidden = states.shape
        grads = torch.empty_like(gates)
        grad_c = torch.zeros_like(c_0)
        order = list(range(steps) if ctx.backwards else reversed(range(steps)))
        grad_h: Tensor | None = None
        for position, step in enumerate(order):
            dh = grad_states[step].float()
            if grad_h is not None:
                dh = dh + grad_h
            s = gates[step].float()
            i, f, g, o = s.chunk(4, dim=1)
            tanh_c = tanh_cells[step]
            dh_o = dh * o
            grad_c.add_(dh_o).addcmul_(dh_o.mul_(tanh_c), tanh_c, value=-1)  # grad_c + dh * o * (1 - tanh_c^2)
            before = cells[order[position + 1]] if position + 1 < steps else c_0
            slope = torch.addcmul(s, s, s, value=-1)
            d_i, d_f, d_g, d_o = slope.chunk(4, dim=1)
            d_i.mul_(torch.mul(grad_c, g.mul(2).sub_(1)))
            d_f.mul_(torch.mul(grad_c, before))
            d_g.mul_(torch.mul(grad_c, i).mul_(2))
            d_o.mul_(dh.mul_(tanh_c))
            grads[step].copy_(slope)
            grad_c.mul_(f)
            grad_h = (grads[step] @ weight).float()
        # Each step's gate gradients meet the state before that step.
        inner = slice(0, steps - 1), slice(1, steps)
        at, previous = inner if ctx.backwards else inner[::-1]
        first = order[0] if steps == 1 else order[-1]
        flat_grads, flat_states = grads[at].reshape(-1, 4 * hidden), states[previous].reshape(-1, hidden)
        grad_weight = flat_grads.t() @ flat_states + grads[first].t() @ h_0
        return grads, grad_weight, grad_h.to(h_0.dtype) if grad_h is not None else None, grad_c, None
