"""The head reads the time steps that were computed and no others.

For one sketch the head is bound by memory: its weights are by far the most of the file. In blocks of time, each
behind an If, those of steps after the batch's last are not read.
"""

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes

from .directions import DIRECTIONS, direction_node, head_of
from .editor import GraphEditor, constant_array, producer, replace
from .forward_padding import RUN_STEPS

BLOCK_STEPS = 32
"""Fewer steps a block read less but need more Ifs: for one sketch, half as many or twice as many were no faster."""


def skip_head_blocks(model: ir.Model) -> None:
    """Cut the head of each direction that skips its padding into blocks of time, left out if no row reaches them."""
    for direction in DIRECTIONS:
        lengths = _run_steps(model, direction)
        if lengths is not None:
            _cut(model, direction, lengths)


def _run_steps(model: ir.Model, direction: str) -> ir.Value | None:
    """Return the steps that each row runs, int32 (batch,); None for all of them."""
    inputs = direction_node(model, direction).inputs
    if len(inputs) <= 4:
        return None
    late = [node.outputs[0] for node in model.graph if node.outputs[0].name == RUN_STEPS]
    return late[0] if direction == "forward" else inputs[4]


def _cut(model: ir.Model, direction: str, lengths: ir.Value) -> None:
    head = head_of(model, direction)
    y = producer(producer(head.inputs[0], "Reshape").inputs[0], "Transpose").inputs[0]  # (time, 1, batch, hidden)
    weight = constant_array(head.inputs[1])
    hidden = direction_node(model, direction).attributes.get_int("hidden_size", 0)
    steps = len(weight) // hidden
    editor = GraphEditor(model.graph)
    last = editor.op("ReduceMax", lengths, name=f"{direction}.longest", keepdims=0)
    longest = editor.op("Cast", last, name=f"{direction}.longest_int64", to=ir.DataType.INT64)
    parts = []
    for start in range(0, steps, BLOCK_STEPS):
        end = min(start + BLOCK_STEPS, steps)
        name = f"logits.{direction}.{start}"
        skipped, block = GraphEditor(model.graph), GraphEditor(model.graph) if start else editor
        span = [block.constant(f"step_{position}", [position]) for position in (start, end)]
        part = block.op("Slice", y, *span, block.constant("axis_0", [0]), name=f"{name}.Y")
        part = block.op("Transpose", part, name=f"{name}.batch_first", perm=[2, 0, 1, 3])
        part = block.op("Reshape", part, block.constant("flat", [0, -1]), name=f"{name}.flat")
        own = block.constant(f"fc_mu1.{direction}.{start}", weight[start * hidden : end * hidden])
        part = block.op("MatMul", part, own, name=f"{name}.block" if start else name)
        if start:
            nothing = skipped.constant("no_logits", np.zeros((1, weight.shape[1]), np.float32))
            zero = skipped.op("Identity", nothing, name=f"{name}.skipped")
            reached = editor.op("Greater", longest, span[0], name=f"{name}.reached")
            part = editor.op("If", reached, name=name, then_branch=block.branch(part), else_branch=skipped.branch(zero))
        parts.append(part)
    total = editor.op("Sum", *parts, name=f"logits.{direction}.blocks")
    editor.insert_before(head)
    replace(head.outputs[0], total)
    passes.RemoveUnusedNodesPass()(model)
    model.graph.sort()
