"""The steps of ONNX Runtime's LSTM on CUDA, in NumPy, beside its LSTM on the CPU.

On CUDA the reverse direction is cuDNN's forward direction over sequences that a kernel turned around, each within its
own length; its outputs are turned back the same way. cuDNN takes the lengths in any order, fills the outputs beyond
them with zeros, and returns the states at each sequence's end (onnxruntime/core/providers/cuda/rnn/cudnn_rnn_base.cc).
"""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sketch_infer.array_types import Array
from sketch_infer.inference.providers import CPU

STEPS, ROWS, INPUTS, HIDDEN = 186, 6, 5, 8

LENGTHS = {
    "unsorted": [30, STEPS, 1, 97, 2, 150],
    "all shorter": [30, 63, 1, 97, 2, 62],
    "all of one": [1] * ROWS,
    "full": [STEPS] * ROWS,
}


class Lstm:
    """Random weights in ONNX's layout, gates i, o, f, c, and initial states."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)

        def draw(scale: float, *shape: int) -> Array:
            return random.normal(0, scale, shape).astype(np.float32)

        self.w, self.r = draw(0.4, 1, 4 * HIDDEN, INPUTS), draw(0.3, 1, 4 * HIDDEN, HIDDEN)
        self.b = draw(0.4, 1, 8 * HIDDEN)
        self.x = draw(1, STEPS, ROWS, INPUTS)
        self.h, self.c = draw(1, 1, ROWS, HIDDEN), draw(1, 1, ROWS, HIDDEN)

    def on_cpu(self, direction: str, lengths: list[int]) -> list[Array]:
        """Return Y, Y_h and Y_c of ONNX Runtime's kernel."""
        constants = {
            "W": self.w,
            "R": self.r,
            "B": self.b,
            "lengths": np.array(lengths, np.int32),
            "h": self.h,
            "c": self.c,
        }
        node = helper.make_node("LSTM", ["X", *constants], ["Y", "Y_h", "Y_c"], direction=direction, hidden_size=HIDDEN)
        graph = helper.make_graph(
            [node],
            "lstm",
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, self.x.shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output],
            [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=[CPU])
        results: list[Array] = session.run(None, {"X": self.x})
        return results

    def on_cuda(self, direction: str, lengths: list[int], turned: list[int] | None = None) -> list[Array]:
        """Return the same by the steps on CUDA; `turned` are the lengths within which sequences are turned around."""
        turned = turned or lengths
        if direction == "forward":
            return list(self._cudnn(self.x, lengths))
        y, y_h, y_c = self._cudnn(turn(self.x, turned), lengths)
        return [turn(y[:, 0], turned)[:, None], y_h, y_c]

    def _cudnn(self, x: Array, lengths: list[int]) -> tuple[Array, Array, Array]:
        h, c = self.h[0].copy(), self.c[0].copy()
        y = np.zeros((STEPS, 1, ROWS, HIDDEN), np.float32)
        for step in range(STEPS):
            running = step < np.array(lengths)
            gates = x[step] @ self.w[0].T + h @ self.r[0].T + self.b[0, : 4 * HIDDEN] + self.b[0, 4 * HIDDEN :]
            i, o, f, g = np.split(gates, 4, axis=1)
            c[running] = (sigmoid(f) * c + sigmoid(i) * np.tanh(g))[running]
            h[running] = (sigmoid(o) * np.tanh(c))[running]
            y[step, 0, running] = h[running]
        return y, h[None], c[None]


def sigmoid(x: Array) -> Array:
    result: Array = np.reciprocal(1 + np.exp(-x))
    return result


def turn(x: Array, lengths: list[int]) -> Array:
    """Turn each sequence of (steps, rows, ...) around within its length; what is beyond becomes zero."""
    turned = np.zeros_like(x)
    for row, length in enumerate(lengths):
        turned[:length, row] = x[:length, row][::-1]
    return turned


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_the_steps_on_cuda_are_those_on_the_cpu(direction: str, lengths: list[int]) -> None:
    lstm = Lstm()
    for on_cpu, on_cuda in zip(lstm.on_cpu(direction, lengths), lstm.on_cuda(direction, lengths), strict=True):
        np.testing.assert_allclose(on_cuda, on_cpu, atol=2e-6)


def test_sequences_turned_around_as_a_whole_would_be_noticed() -> None:
    """As ONNX Runtime did before 1.18: padding came first."""
    lstm, lengths = Lstm(), LENGTHS["all shorter"]
    on_cpu, on_cuda = lstm.on_cpu("reverse", lengths), lstm.on_cuda("reverse", lengths, turned=[STEPS] * ROWS)
    assert all(abs(found - expected).max() > 0.1 for found, expected in zip(on_cuda, on_cpu, strict=True))
