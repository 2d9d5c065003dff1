"""How far a sketch is drawn: the number of LSTM steps whose window holds a point."""

import numpy as np
import onnx_ir as ir

from sketch_export.passes.tools.editor import GraphEditor, static_axis

NAME = "drawn_steps"


def drawn_steps(model: ir.Model, editor: GraphEditor, steps: int) -> ir.Value:
    """Return, and record unless the graph has it, int32 (batch,): steps up to the last row that is not all zero.

    A window starts at its step, so the row at position p is seen by no step after p. At least 1, because LSTM
    kernels are not tested on sequences of no steps, and at most `steps`, the LSTM's own.
    """
    for node in model.graph:
        if node.outputs[0].name == NAME:
            return node.outputs[0]
    strokes = model.graph.inputs[0]
    length = static_axis(strokes, 1)
    size = editor.op("Abs", strokes, name="strokes.abs")
    size = editor.op("ReduceMax", size, editor.constant("axis_2", [2]), name="strokes.size", keepdims=0)
    drawn = editor.op("Greater", size, editor.constant("zero", np.float32(0)), name="strokes.drawn")
    number = editor.constant("row_numbers", np.arange(1, length + 1, dtype=np.int32))
    number = editor.op("Where", drawn, number, editor.constant("zero_steps", np.int32(0)), name="strokes.row_number")
    last = editor.op("ReduceMax", number, editor.constant("axis_1", [1]), name="strokes.last_row", keepdims=0)
    at_least_one = editor.op("Max", last, editor.constant("one_step", np.int32(1)), name="strokes.rows")
    return editor.op("Min", at_least_one, editor.constant("all_steps", np.int32(steps)), name=NAME)
