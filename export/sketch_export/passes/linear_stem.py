"""The stem is linear: three convolutions without an activation between them, then the LSTM's input projection.

Together they map a window of 11 points of 3 values straight to the gates: 33 inputs a step instead of 96, and no
convolution at all. The windows are cut by slicing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import onnx_ir.passes.common as passes

from sketch_export.passes.tools.editor import GraphEditor, constant_array, producer, static_axis
from sketch_export.plain_graph import lstm_nodes
from sketch_infer.array_types import Array, Float64Array
from sketch_infer.strokes.preprocess import INPUT_SIZE


@dataclass(frozen=True)
class Stem:
    """Convolutions composed into one: features = windows @ weight + bias.

    Attributes:
        weight: float64 (taps * 3, channels); the rows are the window's points in turn, each dx, dy, pen.
        bias: float64 (channels,).
    """

    weight: Float64Array
    bias: Float64Array

    @property
    def taps(self) -> int:
        """Points in a window."""
        return len(self.weight) // INPUT_SIZE

    def windows(self, strokes: npt.NDArray[np.floating[Any]]) -> Float64Array:
        """Cut (batch, sequence_length, 3) into every window, float64 (time, batch, taps * 3)."""
        time = strokes.shape[1] - self.taps + 1
        shifted = [strokes[:, tap : tap + time] for tap in range(self.taps)]
        return np.concatenate(shifted, axis=2).transpose(1, 0, 2).astype(np.float64)

    def features(self, strokes: npt.NDArray[np.floating[Any]]) -> Float64Array:
        """Compute what the LSTM reads, float64 (time, batch, channels)."""
        return self.windows(strokes) @ self.weight + self.bias


def read_stem(model: ir.Model) -> Stem:
    """Return what lies between the strokes and the first LSTM layer: composed convolutions, or windows as they are.

    Raises:
        SketchError: if the graph is not a SketchRNN's.
    """
    before_lstm = lstm_nodes(model)[0].inputs[0]
    windows = before_lstm.producer() if before_lstm is not None else None
    if windows is not None and windows.op_type == "Concat":
        size = len(windows.inputs) * INPUT_SIZE
        return Stem(np.eye(size), np.zeros(size))
    layers = []
    value = producer(producer(before_lstm, "Transpose").inputs[0], "Transpose").inputs[0]
    while value is not None and (node := value.producer()) is not None and node.op_type == "Conv":
        layers.append((constant_array(node.inputs[1]), constant_array(node.inputs[2])))
        value = node.inputs[0]
    # Start with the identity on one point and apply the convolutions in turn.
    weight, bias = np.eye(INPUT_SIZE)[None], np.zeros(INPUT_SIZE)  # (taps, 3, channels), (channels,)
    for kernel, kernel_bias in reversed(layers):
        weight, bias = _compose(weight, bias, kernel.astype(np.float64), kernel_bias.astype(np.float64))
    return Stem(weight.reshape(-1, weight.shape[2]), bias)


def _compose(
    weight: Float64Array, bias: Float64Array, kernel: Float64Array, kernel_bias: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Append a convolution (out, channels, taps) to a composed one (taps, 3, channels)."""
    out, _, taps = kernel.shape
    composed = np.zeros((len(weight) + taps - 1, INPUT_SIZE, out))
    for tap in range(taps):
        composed[tap : tap + len(weight)] += weight @ kernel[:, :, tap].T
    return composed, kernel.sum(axis=2) @ bias + kernel_bias


def fold_stem(model: ir.Model) -> None:
    """Replace the convolutions of a plain graph by windows, and fold them into the first LSTM layer's W and B.

    Raises:
        SketchError: if the graph is not a SketchRNN's.
    """
    stem, lstm = read_stem(model), lstm_nodes(model)[0]
    editor = GraphEditor(model.graph)
    strokes = model.graph.inputs[0]
    steps = static_axis(strokes, 1) - stem.taps + 1
    points = editor.op("Transpose", strokes, name="strokes.time_first", perm=[1, 0, 2])
    time_axis = editor.constant("axis_0", [0])
    taps = []
    for tap in range(stem.taps):
        start, end = editor.constant(f"step_{tap}", [tap]), editor.constant(f"step_{tap + steps}", [tap + steps])
        taps.append(editor.op("Slice", points, start, end, time_axis, name=f"strokes.tap_{tap}"))
    windows = editor.op("Concat", *taps, name="windows", axis=2)
    weight, bias = fold(stem, constant_array(lstm.inputs[1]), constant_array(lstm.inputs[3]))
    lstm.replace_input_with(0, windows)
    lstm.replace_input_with(1, editor.constant("lstm_1.windows.W_l0", weight))
    lstm.replace_input_with(3, editor.constant("lstm_1.windows.B_l0", bias))
    editor.insert_before(lstm)
    passes.RemoveUnusedNodesPass()(model)


def fold(stem: Stem, weight: Array, bias: Array) -> tuple[Array, Array]:
    """Compose the stem into an ONNX LSTM's W (directions, 4 * hidden, channels) and B (directions, 8 * hidden)."""
    input_bias, recurrent_bias = np.split(bias.astype(np.float64), 2, axis=1)
    composed = weight.astype(np.float64) @ stem.weight.T
    folded = np.concatenate([input_bias + weight.astype(np.float64) @ stem.bias, recurrent_bias], axis=1)
    return composed.astype(np.float32), folded.astype(np.float32)
