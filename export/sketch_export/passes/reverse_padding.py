"""The reverse direction starts in the padding, where it does the same for every sketch.

After the last point every window is zero, so the LSTM, coming from the end, walks one trajectory that depends on the
weights alone. Its state after n steps comes from a table, and so does what the steps it skips add to the logits.
The states differ in few ways only, so the table of states is the product of two small ones.
"""

import numpy as np
import onnx_ir as ir

from sketch_export.passes.directions import add_to_logits, direction_node, head_weight
from sketch_export.passes.linear_stem import read_stem
from sketch_export.passes.tools.cell import Cell
from sketch_export.passes.tools.drawn_steps import drawn_steps
from sketch_export.passes.tools.editor import GraphEditor
from sketch_infer.array_types import Float64Array

STATE_TOLERANCE = 2e-7
"""Largest error of a start state: as near as float32 tells numbers around 1 to 2 apart."""


def skip_reverse_padding(model: ir.Model, tolerance: float = STATE_TOLERANCE) -> None:
    """Let the reverse direction start at each sketch's last point. `split_directions` comes first.

    The last point is the last row that is not all zero: what stands before it may be zero, what stands in the padding
    may be not.

    Args:
        model: the graph.
        tolerance: largest error of a start state's entries.
    """
    lstm, weight = direction_node(model, "reverse"), head_weight(model, "reverse")
    cell = Cell.of(lstm)
    steps, hidden = len(weight), cell.hidden_size
    states = np.concatenate(
        [np.zeros((1, 1, 2 * hidden)), cell.rest(read_stem(model).bias, np.zeros((1, 2 * hidden)), steps)]
    )[:, 0]  # after 0, 1 ... steps of padding
    # The step at position t comes after steps - t of padding.
    shares = np.einsum("th,tho->to", states[:0:-1, :hidden], weight)
    skipped = np.concatenate([np.cumsum(shares[::-1], axis=0)[::-1], np.zeros((1, shares.shape[1]))])

    editor = GraphEditor(model.graph)
    drawn = drawn_steps(model, editor, steps)
    padding = editor.op("Sub", editor.constant("all_steps", np.int32(steps)), drawn, name="padding_steps")
    factors, movements = (part.astype(np.float32) for part in _factor(states, tolerance))
    row = editor.op("Gather", editor.constant("reverse.factors", factors), padding, name="reverse.row")
    initial = []
    for name, part in (("h", movements[:, :hidden]), ("c", movements[:, hidden:])):
        state = editor.op(
            "MatMul", row, editor.constant(f"reverse.{name}_movements", part), name=f"reverse.start_{name}"
        )
        initial.append(editor.op("Unsqueeze", state, editor.constant("axis_0", [0]), name=f"reverse.{name}"))
    lstm.resize_inputs(7)
    for position, value in enumerate((drawn, *initial), start=4):  # sequence_lens, initial_h, initial_c
        lstm.replace_input_with(position, value)
    editor.insert_before(lstm)

    skipped_shares = editor.constant("reverse.skipped", skipped.astype(np.float32))
    add_to_logits(model, editor.op("Gather", skipped_shares, drawn, name="reverse.tail"), editor)
    model.graph.sort()


def _factor(states: Float64Array, tolerance: float) -> tuple[Float64Array, Float64Array]:
    """Factor (rows, 2 * hidden) into (rows, ranks) and (ranks, 2 * hidden), of as few ranks as the tolerance allows."""
    left, scales, right = np.linalg.svd(states, full_matrices=False)
    for ranks in range(1, len(scales) + 1):
        factors = left[:, :ranks] * scales[:ranks]
        if np.abs(factors @ right[:ranks] - states).max() <= tolerance:
            break
    return factors, right[:ranks]
