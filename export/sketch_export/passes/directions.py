"""The two directions apart: two LSTM nodes and two halves of the head, so that each can skip its own padding."""

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes

from sketch_export.passes.tools.editor import GraphEditor, constant_array, producer, replace
from sketch_export.plain_graph import lstm_nodes
from sketch_infer.array_types import Array, Float64Array
from sketch_infer.model.contract.tensors import OUTPUTS

DIRECTIONS = ("forward", "reverse")

HEAD_TIMES = "fc_mu1.{}.times"
"""Initializer of a factored head: the sums over time that it reads, (sums, time)."""


def split_directions(model: ir.Model) -> None:
    """Split the last LSTM layer and the head of a plain graph, or of one with a folded stem.

    For each direction remain LSTM -> Squeeze -> Transpose -> Reshape -> MatMul, the last named `logits.forward` and
    `logits.reverse`; their sum with the bias is `logits`. The LSTMs' inputs are X, W, R and B, and the initial states
    where the graph has them.

    Raises:
        SketchError: if the graph is not a plain one.
    """
    lstm = lstm_nodes(model)[-1]
    head = next(node for node in model.graph if node.op_type == "Gemm")
    producer(head.inputs[0], "Reshape")
    x, *weights = lstm.inputs[:4]
    states = [value for value in lstm.inputs[5:7] if value is not None]  # initial_h and initial_c, or none
    hidden_size = constant_array(weights[1]).shape[2]
    head_weight = constant_array(head.inputs[1])  # (classes, time * 2 * hidden)
    if not head.attributes.get_int("transB", 0):
        head_weight = head_weight.T
    by_direction = head_weight.reshape(len(head_weight), -1, 2, hidden_size)
    editor = GraphEditor(model.graph)
    parts = []
    for position, direction in enumerate(DIRECTIONS):
        own: list[ir.Value | None] = [
            editor.constant(f"lstm_1.{direction}.{letter}", constant_array(value)[position : position + 1])
            for letter, value in zip("WRB", weights, strict=True)
        ]
        if states:
            span = [editor.constant(f"direction_{end}", [end]) for end in (position, position + 1)]
            axis_0 = editor.constant("axis_0", [0])
            own.append(None)  # no lengths
            own += [editor.op("Slice", state, *span, axis_0, name=f"{state.name}.{direction}") for state in states]
        y = editor.op("LSTM", x, *own, name=f"lstm_1.{direction}.Y", direction=direction, hidden_size=hidden_size)
        steps = editor.op("Squeeze", y, editor.constant("axis_1", [1]), name=f"lstm_1.{direction}.steps")
        batch_first = editor.op("Transpose", steps, name=f"lstm_1.{direction}.batch_first", perm=[1, 0, 2])
        flat = editor.op("Reshape", batch_first, editor.constant("flat", [0, -1]), name=f"flatten.{direction}")
        weight = np.ascontiguousarray(by_direction[:, :, position].reshape(len(head_weight), -1).T)
        parts.append(
            editor.op("MatMul", flat, editor.constant(f"fc_mu1.{direction}", weight), name=f"logits.{direction}")
        )
    bias = head.inputs[2]
    logits = editor.op("Sum", *parts, bias, name="logits.sum")
    editor.insert_before(head)
    replace(head.outputs[0], logits)
    passes.RemoveUnusedNodesPass()(model)


def add_to_logits(model: ir.Model, share: ir.Value, editor: GraphEditor) -> None:
    """Add a further share (batch, classes), recorded in the editor, to the sum of the logits."""
    total = next(node for node in model.graph if node.outputs[0].name == OUTPUTS[1])
    editor.insert_before(total)
    total.resize_inputs(len(total.inputs) + 1)
    total.replace_input_with(len(total.inputs) - 1, share)


def direction_node(model: ir.Model, direction: str) -> ir.Node:
    """Return the LSTM node of a direction."""
    return next(node for node in lstm_nodes(model) if node.attributes.get_string("direction", "forward") == direction)


def head_of(model: ir.Model, direction: str) -> ir.Node:
    """Return the MatMul that takes a direction's share of the logits."""
    return next(node for node in model.graph if node.outputs[0].name == f"logits.{direction}")


def head_reader(model: ir.Model, direction: str) -> ir.Node:
    """Return the Transpose of what the head reads: steps, or sums over them, (steps or sums, batch, hidden)."""
    return producer(producer(head_of(model, direction).inputs[0], "Reshape").inputs[0], "Transpose")


def head_weight(model: ir.Model, direction: str) -> Float64Array:
    """Return the head's weights of every step, whole or factored, float64 (time, hidden, classes)."""
    hidden = direction_node(model, direction).attributes.get_int("hidden_size", 0)
    weight = constant_array(head_of(model, direction).inputs[1]).astype(np.float64)
    by_sum = weight.reshape(-1, hidden, weight.shape[1])
    times = head_times(model, direction)
    return by_sum if times is None else np.einsum("kt,kho->tho", times.astype(np.float64), by_sum)


def head_times(model: ir.Model, direction: str) -> Array | None:
    """Return the weights of the sums over time that a factored head reads, (sums, time); None for a whole head."""
    times = model.graph.initializers.get(HEAD_TIMES.format(direction))
    return None if times is None else constant_array(times)
