"""One direction's weights as training reads them, and how fast it comes to rest over padding."""

from dataclasses import dataclass

import torch
from torch import Tensor

RATE_STEPS = 24
"""Steps after which the slowest modes are most of what is left of a distance from the fixed point."""


@dataclass(frozen=True)
class Gates:
    """One direction's weights, from a window of points to the gates; the rows of gate g doubled, as `lstm_scan` wants.

    Attributes:
        window: (4 * hidden, taps * input_size).
        bias: (4 * hidden,).
        recurrent: (4 * hidden, hidden).
    """

    window: Tensor
    bias: Tensor
    recurrent: Tensor

    def step(self, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Run one step over padding from h and c, each (batch, hidden)."""
        i, f, g, o = torch.addmm(self.bias, h, self.recurrent.t()).sigmoid().chunk(4, dim=1)
        c = f * c + i * (2 * g - 1)
        return o * torch.tanh(c), c

    def settling_rate(self, rest: Tensor, directions: Tensor) -> Tensor:
        """Return by what a step shrinks a small distance from rest, as a mean over directions.

        For random v, the mean of |J^n v|^2 / |v|^2 is the squared Frobenius norm of J^n over the state's size
        (Hutchinson's estimator); J is the derivative of `step`. So the slowest modes count most, and no eigenvalues
        are needed, whose gradients jump where two are equal.

        Args:
            rest: the fixed point's h and c, (2, hidden).
            directions: h and c of the distances, (2, N, hidden), random, or the weights would avoid them.
        """
        h, c = rest
        i, f, g, o = torch.addmv(self.bias, self.recurrent, h).sigmoid().chunk(4)
        tanh_c = torch.tanh(f * c + i * (2 * g - 1))
        by_i, by_f, by_g = (2 * g - 1) * i * (1 - i), c * f * (1 - f), 2 * i * g * (1 - g)
        by_o, by_c = tanh_c * o * (1 - o), o * (1 - tanh_c.square())
        dh, dc = directions / directions.norm()
        for _ in range(RATE_STEPS):
            d_i, d_f, d_g, d_o = (dh @ self.recurrent.t()).chunk(4, dim=1)
            dc = f * dc + by_i * d_i + by_f * d_f + by_g * d_g
            dh = by_c * dc + by_o * d_o
        left: Tensor = dh.square().sum() + dc.square().sum() + 1e-30
        return left.pow(0.5 / RATE_STEPS)
