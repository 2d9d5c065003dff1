"""An LSTM is given the steps that its batch's longest row takes, and no others.

An LSTM's kernel skips what `sequence_lens` leaves out, but still projects, clears and, in the reverse direction,
reverses it; and the head multiplies its zeros. Sorted by length, a batch of real drawings reaches half of the steps.
"""

import onnx_ir as ir

from sketch_export.passes.directions import DIRECTIONS, direction_node, head_times
from sketch_export.passes.low_rank_head import POOLED
from sketch_export.passes.tools.editor import GraphEditor


def drop_unreached_steps(model: ir.Model) -> None:
    """Cut what the LSTMs and their heads read to the batch's longest row, where they have lengths and are factored.

    A head that is not factored needs all steps: it gives each of them weights of its own.
    """
    for direction in DIRECTIONS:
        lstm = direction_node(model, direction)
        lengths = lstm.inputs[4] if len(lstm.inputs) > 4 else None
        if lengths is not None and head_times(model, direction) is not None:
            _cut(model, direction, lstm, lengths)


def _cut(model: ir.Model, direction: str, lstm: ir.Node, lengths: ir.Value) -> None:
    pooled = next(node for node in model.graph if node.outputs[0].name == POOLED.format(direction))
    editor = GraphEditor(model.graph)
    first, axis_0, axis_1 = (
        editor.constant("step_0", [0]),
        editor.constant("axis_0", [0]),
        editor.constant("axis_1", [1]),
    )
    longest = editor.op("ReduceMax", lengths, name=f"{direction}.longest", keepdims=1)
    end = editor.op("Cast", longest, name=f"{direction}.reached", to=ir.DataType.INT64)
    windows = editor.op("Slice", lstm.inputs[0], first, end, axis_0, name=f"{direction}.windows")
    times = editor.op("Slice", pooled.inputs[0], first, end, axis_1, name=f"{direction}.times_reached")
    editor.insert_before(lstm)
    lstm.replace_input_with(0, windows)
    pooled.replace_input_with(0, times)
    model.graph.sort()
