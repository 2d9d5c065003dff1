"""The reverse direction starts in the padding, where it does the same for every sketch.

After the last point every window is zero, so the LSTM, coming from the end, walks one trajectory that depends on the
weights alone. Its state after n steps is in a table, and so is what the steps it skips add to the logits.
"""

import numpy as np
import onnx_ir as ir

from .cell import Cell
from .directions import add_to_logits, direction_node, head_of
from .drawn_steps import drawn_steps
from .editor import GraphEditor, constant_array
from .linear_stem import read_stem

_SETTLED = 1e-7
"""A state this near to all that follow it stands for them: as near as float32 tells numbers around 1 apart."""


def skip_reverse_padding(model: ir.Model) -> None:
    """Let the reverse direction start at each sketch's last point. `split_directions` comes first.

    The last point is the last row that is not all zero: what stands before it may be zero, what stands in the padding
    may be not.
    """
    lstm, head = direction_node(model, "reverse"), head_of(model, "reverse")
    cell, weight = Cell.of(lstm), constant_array(head.inputs[1])
    steps, hidden = len(weight) // cell.hidden_size, cell.hidden_size
    states = np.concatenate(
        [np.zeros((1, 1, 2 * hidden)), cell.rest(read_stem(model).bias, np.zeros((1, 2 * hidden)), steps)]
    )[:, 0]  # after 0, 1 ... steps of padding
    # The step at position t comes after steps - t of padding.
    shares = np.einsum("th,tho->to", states[:0:-1, :hidden], weight.astype(np.float64).reshape(steps, hidden, -1))
    skipped = np.concatenate([np.cumsum(shares[::-1], axis=0)[::-1], np.zeros((1, shares.shape[1]))])

    editor = GraphEditor(model.graph)
    drawn = drawn_steps(model, editor, steps)
    padding = editor.op("Sub", editor.constant("all_steps", np.int32(steps)), drawn, name="padding_steps")
    last = _settled_after(states)
    row = editor.op("Min", padding, editor.constant("reverse.last_row", np.int32(last)), name="reverse.row")
    table = editor.constant("reverse.states", states[: last + 1].reshape(-1, 2, hidden).astype(np.float32))
    start = editor.op("Gather", table, row, name="reverse.start")  # (batch, 2, hidden)
    initial = [
        editor.op("Unsqueeze", state, editor.constant("axis_0", [0]), name=f"reverse.{name}")
        for name, state in (
            ("h", editor.op("Gather", start, editor.constant("h", np.int64(0)), name="reverse.start_h", axis=1)),
            ("c", editor.op("Gather", start, editor.constant("c", np.int64(1)), name="reverse.start_c", axis=1)),
        )
    ]
    lstm.resize_inputs(7)
    for position, value in enumerate((drawn, *initial), start=4):  # sequence_lens, initial_h, initial_c
        lstm.replace_input_with(position, value)
    editor.insert_before(lstm)

    skipped_shares = editor.constant("reverse.skipped", skipped.astype(np.float32))
    add_to_logits(model, editor.op("Gather", skipped_shares, drawn, name="reverse.tail"), editor)
    model.graph.sort()


def _settled_after(states: np.ndarray) -> int:
    """Return the first row after which nothing moves any more, the last one if that never is."""
    distance = np.abs(states - states[-1]).max(axis=1)
    return int(np.flatnonzero(distance > _SETTLED).max(initial=-1)) + 1
