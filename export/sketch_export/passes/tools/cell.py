"""One direction of an LSTM layer in numpy and float64, for what the passes compute at export."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import onnx_ir as ir

from sketch_export.passes.tools.editor import constant_array
from sketch_export.passes.tools.int8_weights import H_STEPS, quantize
from sketch_infer.array_types import Float64Array


@dataclass(frozen=True)
class Cell:
    """c = f * c + i * g, h = o * tanh(c); a state is h and c side by side, (rows, 2 * hidden).

    Attributes:
        input_weight: (4 * hidden, inputs), gates in ONNX's order i, o, f, g.
        recurrent_weight: (4 * hidden, hidden).
        bias: (4 * hidden,).
    """

    input_weight: Float64Array
    recurrent_weight: Float64Array
    bias: Float64Array

    @classmethod
    def of(cls, lstm: ir.Node) -> Self:
        """Read the weights of an LSTM node with one direction."""
        weight, recurrent, bias = (constant_array(value)[0].astype(np.float64) for value in lstm.inputs[1:4])
        return cls(weight, recurrent, bias.reshape(2, -1).sum(axis=0))

    def with_int8_weights(self) -> Self:
        """Return the cell with the recurrent weights that its int8 form has."""
        integers, scale = quantize(self.recurrent_weight)
        return replace(self, recurrent_weight=integers * scale[:, None].astype(np.float64))

    @property
    def hidden_size(self) -> int:
        """Units of h."""
        return int(self.recurrent_weight.shape[1])

    @property
    def multiplications(self) -> int:
        """Products of weights in a step."""
        return self.input_weight.size + self.recurrent_weight.size

    def step(self, inputs: Float64Array, state: Float64Array) -> Float64Array:
        """Advance states (rows, 2 * hidden) by one step on inputs (rows, inputs) or (inputs,)."""
        i, o, f, g, c = self._gates(inputs, state)
        c = f * c + i * g
        return np.hstack([o * np.tanh(c), c])

    def run(self, inputs: Float64Array, state: Float64Array) -> Float64Array:
        """Run inputs (time, rows, inputs) or (time, inputs) and return every state, (time, rows, 2 * hidden)."""
        states = []
        for step in inputs:
            state = self.step(step, state)
            states.append(state)
        return np.stack(states)

    def rest(self, inputs: Float64Array, state: Float64Array, steps: int) -> Float64Array:
        """Run the same inputs (inputs,) for a number of steps and return every state, (steps, rows, 2 * hidden)."""
        return self.run(np.broadcast_to(inputs, (steps, len(inputs))), state)

    def rest_rounded(self, inputs: Float64Array, state: Float64Array, steps: int) -> Float64Array:
        """Do what `rest` does, but round the h that each step reads, as the int8 form does."""
        states = []
        for _ in range(steps):
            h, c = np.split(state, 2, axis=1)
            state = self.step(inputs, np.hstack([np.rint(h * H_STEPS) / H_STEPS, c]))
            states.append(state)
        return np.stack(states)

    def jacobian(self, inputs: Float64Array, state: Float64Array) -> Float64Array:
        """Differentiate one step at a state (2 * hidden,): d next[row] / d state[column]."""
        i, o, f, g, c = (values[0] for values in self._gates(inputs, state[None]))
        r_i, r_o, r_f, r_g = np.split(self.recurrent_weight, 4)
        new_c = f * c + i * g
        by_h = (f * (1 - f) * c)[:, None] * r_f + (i * (1 - i) * g)[:, None] * r_i + (i * (1 - g**2))[:, None] * r_g
        c_row = np.hstack([by_h, np.diag(f)])
        h_row = (o * (1 - np.tanh(new_c) ** 2))[:, None] * c_row
        h_row[:, : self.hidden_size] += (o * (1 - o) * np.tanh(new_c))[:, None] * r_o
        return np.vstack([h_row, c_row])

    def _gates(self, inputs: Float64Array, state: Float64Array) -> tuple[Float64Array, ...]:
        h, c = np.split(state, 2, axis=1)
        gates = inputs @ self.input_weight.T + self.bias + h @ self.recurrent_weight.T
        i, o, f, g = np.split(gates, 4, axis=1)
        return _sigmoid(i), _sigmoid(o), _sigmoid(f), np.tanh(g), c


def _sigmoid(x: Float64Array) -> Float64Array:
    return 0.5 * (1 + np.tanh(x / 2))  # does not overflow
