"""The forward direction stops soon after the last point, where the LSTM comes to rest; `settling` finds out how soon.

Whether a sketch's state really is near rest when its steps end is checked in the graph, row by row. Rows that are not
are late: an If takes these alone, from where they stopped, through the steps that are missing. A row's answer does not
depend on its neighbors.
"""

import numpy as np
import onnx_ir as ir

from sketch_export.passes.directions import add_to_logits, direction_node, head_reader, head_times, head_weight
from sketch_export.passes.linear_stem import read_stem
from sketch_export.passes.tools.cell import Cell
from sketch_export.passes.tools.drawn_steps import drawn_steps
from sketch_export.passes.tools.editor import GraphEditor
from sketch_export.passes.tools.late_rows import LateRows, add_missing_steps
from sketch_export.passes.tools.settling import Tail, find_tail
from sketch_infer.array_types import Float64Array, FloatArray
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE

RUN_STEPS = {"forward": "forward.run_steps", "reverse": "drawn_steps"}
"""Values int32 (batch,): how many steps, from the first on, are not zero in what the head reads."""

LOGIT_BUDGET = 0.4 * FP32_TOLERANCE
"""Largest error that this pass may add to a logit: below half of what is allowed where no logit is larger than 1."""


def skip_forward_padding(
    model: ir.Model, sketches: FloatArray, budget: float = LOGIT_BUDGET, int8: bool = False
) -> Tail:
    """Let the forward direction stop soon after each sketch's last point. `split_directions` comes first.

    Args:
        model: the graph.
        sketches: samples that decide how soon, float32 (N, sequence_length, 3); the answers hold for all others too.
        budget: largest error of a logit.
        int8: whether the LSTM is going to be one in int8.

    Raises:
        DoesNotSettle: if the network does not come to rest; the graph is left as it was.
    """
    lstm, weight = direction_node(model, "forward"), head_weight(model, "forward")
    cell, stem, steps = Cell.of(lstm), read_stem(model), len(weight)
    drawn_states = _states_after_drawing(cell, stem.features(sketches), sketches)
    resting = cell.with_int8_weights() if int8 else cell
    tail = find_tail(resting, stem.bias, weight, drawn_states, budget, int8)

    editor = GraphEditor(model.graph)
    further = editor.op("Add", drawn_steps(model, editor, steps), _steps(editor, tail.steps), name="forward.wanted")
    lengths = editor.op("Min", further, _steps(editor, steps), name="forward.steps")
    lstm.resize_inputs(5)
    lstm.replace_input_with(4, lengths)  # sequence_lens
    editor.insert_before(lstm)

    slow, late = _late_rows(editor, lstm, lengths, tail, steps)
    editor.op("Where", late, _steps(editor, steps), lengths, name=RUN_STEPS["forward"])
    reader, times = head_reader(model, "forward"), head_times(model, "forward")
    rows = LateRows(lstm, cell, stem.bias, lengths, late, np.eye(steps, dtype=np.float32) if times is None else times)
    longest = steps - tail.steps - 1  # a sketch has one step of its own at least
    whole = add_missing_steps(editor, rows, reader.inputs[0], longest)
    editor.insert_before(reader)
    reader.replace_input_with(0, whole)
    add_to_logits(model, _tail_logits(editor, lengths, slow, late, tail), editor)
    model.graph.sort()
    return tail


def _states_after_drawing(cell: Cell, features: Float64Array, sketches: FloatArray) -> Float64Array:
    """Return the states at each sketch's last point and at every fourth point before it, (rows, 2 * hidden)."""
    rows = np.arange(len(sketches))
    states = cell.run(features, np.zeros((len(sketches), 2 * cell.hidden_size)))
    last = np.minimum([int(np.flatnonzero(sketch.any(axis=1)).max(initial=0)) for sketch in sketches], len(states) - 1)
    # A sketch is also a sample of what it was before it was finished.
    return np.concatenate([states[: last[row] + 1, row][::-4] for row in rows])


def _steps(editor: GraphEditor, steps: int) -> ir.Value:
    return editor.constant(f"steps_{steps}", np.int32(steps))


def _compact(editor: GraphEditor, name: str, matrix: Float64Array, tolerance: float) -> ir.Value:
    """Store a matrix in half precision where no column's norm changes by more than the tolerance, else in single."""
    half = matrix.astype(np.float16)
    if np.linalg.norm(half - matrix, axis=0).max() > tolerance:
        return editor.constant(name, matrix.astype(np.float32))
    return editor.op("Cast", editor.constant(f"{name}.half", half), name=name, to=ir.DataType.FLOAT)


def _late_rows(
    editor: GraphEditor, lstm: ir.Node, lengths: ir.Value, tail: Tail, steps: int
) -> tuple[ir.Value, ir.Value]:
    """Compute Q'd and whether the state is too far from rest, bool (batch,)."""
    axis_0, axis_1 = editor.constant("axis_0", [0]), editor.constant("axis_1", [1])
    lstm.resize_outputs(3)
    for name, output in zip(("h", "c"), lstm.outputs[1:], strict=True):
        output.name, output.dtype = f"forward.end_{name}", ir.DataType.FLOAT
    h_and_c = editor.op("Concat", *lstm.outputs[1:], name="forward.end", axis=2)
    state = editor.op("Squeeze", h_and_c, axis_0, name="forward.end_state")
    rest = editor.constant("forward.rest", tail.rest.astype(np.float32))
    basis = _compact(editor, "forward.basis", tail.basis, tail.basis_rounding)
    distance = editor.op("Sub", state, rest, name="forward.distance")
    slow = editor.op("MatMul", distance, basis, name="forward.slow")
    back = editor.op("Gemm", slow, basis, name="forward.slow_distance", transB=1)
    fast = editor.op("Sub", distance, back, name="forward.fast")
    far = []
    for part, value, bound in (("slow", slow, tail.slow_bound), ("fast", fast, tail.fast_bound)):
        norm = editor.op("ReduceL2", value, axis_1, name=f"forward.{part}_norm", keepdims=0)
        limit = editor.constant(f"forward.{part}_bound", np.float32(bound))
        far.append(editor.op("Greater", norm, limit, name=f"forward.{part}_far"))
    unfinished = editor.op("Less", lengths, _steps(editor, steps), name="forward.unfinished")
    late = editor.op("And", editor.op("Or", *far, name="forward.far"), unfinished, name="forward.late")
    return slow, late


def _tail_logits(editor: GraphEditor, lengths: ir.Value, slow: ir.Value, late: ir.Value, tail: Tail) -> ir.Value:
    """Compute what the steps left out add to the logits, (batch, classes); nothing for rows that left out none."""
    ranks, classes = tail.times.shape[1], tail.at_rest.shape[1]
    axis_1 = editor.constant("axis_1", [1])
    at_rest = editor.op(
        "Gather", editor.constant("forward.at_rest", tail.at_rest.astype(np.float32)), lengths, name="forward.resting"
    )
    times = editor.op(
        "Gather", editor.constant("forward.times", tail.times.astype(np.float32)), lengths, name="forward.now"
    )
    modes = _compact(editor, "forward.modes", tail.modes, tail.modes_rounding)
    moving = editor.op("MatMul", slow, modes, name="forward.moving_flat")
    shape = editor.constant("forward.modes_shape", [-1, ranks, classes])
    moving = editor.op("Reshape", moving, shape, name="forward.moving")
    now = editor.op("Unsqueeze", times, axis_1, name="forward.now_row")
    moving = editor.op("Squeeze", editor.op("MatMul", now, moving, name="forward.move"), axis_1, name="forward.moved")
    left_out = editor.op("Add", at_rest, moving, name="forward.left_out")
    column = editor.op("Unsqueeze", late, axis_1, name="forward.late_column")
    zero = editor.constant("zero", np.float32(0))
    return editor.op("Where", column, zero, left_out, name="forward.tail")
