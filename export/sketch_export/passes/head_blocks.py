"""The head reads the time steps that were computed and no others, in float32 or in int8.

For one sketch the head is bound by memory: its weights are by far the most of the file. In blocks of time, each
behind an If, those of steps after the batch's last are not read.
"""

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes

from sketch_export.passes.directions import DIRECTIONS, direction_node, head_of, head_reader, head_times
from sketch_export.passes.forward_padding import RUN_STEPS
from sketch_export.passes.tools.editor import GraphEditor, constant_array, replace
from sketch_export.passes.tools.int8_weights import quantize
from sketch_infer.array_types import Array
from sketch_infer.errors import SketchError

BLOCK_STEPS = 64
"""Fewer steps a block read less but need more Ifs, each of which takes time to open: for one sketch, half as many steps
were no faster."""

INT8_BLOCK_STEPS = 32
"""Each block has scales of its own: with twice as many steps, 0.1% more drawings changed their label."""

QUANTIZED_MATMUL = "MatMulInteger"

_H_SCALE, _H_ZERO = 1 / 127, 128
"""h in uint8: from -1 at 1 to 1 at 255."""


def skip_head_blocks(model: ir.Model) -> None:
    """Cut the head of each direction that skips its padding into blocks of time, left out if no row reaches them."""
    for direction in DIRECTIONS:
        if _run_steps(model, direction) is not None and head_times(model, direction) is None:
            _cut(model, direction, int8=False)


def quantize_whole_head(model: ir.Model) -> None:
    """Cut the head into blocks as `skip_head_blocks` does, but into all of them, and in int8.

    Each block has scales of its own, and its sums fit into 32 bits, which those of the whole head do not.
    """
    for direction in DIRECTIONS:
        if head_times(model, direction) is None:
            _cut(model, direction, int8=True)


def _run_steps(model: ir.Model, direction: str) -> ir.Value | None:
    """Return the steps that the head has to read of each row, int32 (batch,); None for all of them."""
    return next((node.outputs[0] for node in model.graph if node.outputs[0].name == RUN_STEPS[direction]), None)


def _cut(model: ir.Model, direction: str, int8: bool) -> None:
    head = head_of(model, direction)
    y = head_reader(model, direction).inputs[0]  # (time, batch, hidden)
    weight = constant_array(head.inputs[1])
    hidden = direction_node(model, direction).attributes.get_int("hidden_size", 0)
    steps = len(weight) // hidden
    editor = GraphEditor(model.graph)
    lengths = _run_steps(model, direction)
    longest = None
    if lengths is not None:
        last = editor.op("ReduceMax", lengths, name=f"{direction}.longest", keepdims=0)
        longest = editor.op("Cast", last, name=f"{direction}.longest_int64", to=ir.DataType.INT64)
    if int8:
        scale, zero = editor.constant("h.scale", np.float32(_H_SCALE)), editor.constant("h.zero", np.uint8(_H_ZERO))
        y = editor.op("QuantizeLinear", y, scale, zero, name=f"{direction}.int8")
    total: ir.Value | None = None
    block_steps = INT8_BLOCK_STEPS if int8 else BLOCK_STEPS
    for start in range(0, steps, block_steps):
        end = min(start + block_steps, steps)
        name = f"logits.{direction}.{start}"
        optional = bool(start) and longest is not None
        block = GraphEditor(model.graph) if optional else editor
        span = [block.constant(f"step_{position}", [position]) for position in (start, end)]
        part = block.op("Slice", y, *span, block.constant("axis_0", [0]), name=f"{name}.Y")
        part = block.op("Transpose", part, name=f"{name}.batch_first", perm=[1, 0, 2])
        part = block.op("Reshape", part, block.constant("flat", [0, -1]), name=f"{name}.flat")
        matmul = _matmul_int8 if int8 else _matmul
        own = weight[start * hidden : end * hidden]
        part = matmul(block, part, own, f"{direction}.{start}", f"{name}.block" if optional else name)
        if total is not None:
            part = block.op("Add", total, part, name=f"{name}.sum")
        if optional:
            # Both branches give one shape, for OpenVINO: see `late_rows`.
            skipped = GraphEditor(model.graph)
            same = skipped.op("Identity", total, name=f"{name}.skipped")
            reached = editor.op("Greater", longest, span[0], name=f"{name}.reached")
            part = editor.op("If", reached, name=name, then_branch=block.branch(part), else_branch=skipped.branch(same))
        total = part
    if total is None:
        raise SketchError(f"expected the head of {direction} to read steps, found none")
    editor.insert_before(head)
    replace(head.outputs[0], total)
    passes.RemoveUnusedNodesPass()(model)
    model.graph.sort()


def _matmul(editor: GraphEditor, h: ir.Value, weight: Array, block: str, name: str) -> ir.Value:
    return editor.op("MatMul", h, editor.constant(f"fc_mu1.{block}", weight), name=name)


def _matmul_int8(editor: GraphEditor, h: ir.Value, weight: Array, block: str, name: str) -> ir.Value:
    """Multiply uint8 h (batch, features) with a weight (features, classes) that has a scale for each class.

    ONNX Runtime's MatMulIntegerToFloat would do it in one node, but rounds a single row unlike one of many.
    """
    integers, scale = quantize(weight.T)
    own = editor.constant(f"fc_mu1.{block}.int8", np.ascontiguousarray(integers.T))
    product = editor.op(QUANTIZED_MATMUL, h, own, editor.constant("h.zero", np.uint8(_H_ZERO)), name=f"{name}.int32")
    product = editor.op("Cast", product, name=f"{name}.float", to=ir.DataType.FLOAT)
    return editor.op("Mul", product, editor.constant(f"fc_mu1.{block}.scale", scale * np.float32(_H_SCALE)), name=name)
