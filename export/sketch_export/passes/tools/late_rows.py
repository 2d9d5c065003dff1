"""The rows of a batch whose state is not near rest when their steps end go on alone, where they stopped.

Most batches have none, so this is the branch of an If. What the head reads of the missing steps is computed row by row,
so that no row knows of another one.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from sketch_export.passes.tools.cell import Cell
from sketch_export.passes.tools.editor import GraphEditor
from sketch_infer.array_types import Array, Float64Array


@dataclass(frozen=True)
class LateRows:
    """A direction that stopped early, and for which rows that was too early.

    Attributes:
        lstm, cell: the direction; the node's outputs Y_h and Y_c are there.
        inputs: what it reads after the last point, (inputs,).
        lengths: the steps that each row ran, int32 (batch,).
        late: rows that must run the others too, bool (batch,).
        times: the sums over time that the head reads, float32 (sums, time); the identity if it reads every step.
    """

    lstm: ir.Node
    cell: Cell
    inputs: Float64Array
    lengths: ir.Value
    late: ir.Value
    times: Array


def add_missing_steps(editor: GraphEditor, rows: LateRows, read: ir.Value | None, longest: int) -> ir.Value:
    """Record what the head reads, with the steps that late rows did not run.

    Args:
        editor: of the graph.
        rows: the late ones.
        read: what the head reads without them, (sums, batch, hidden).
        longest: the most steps that a row can miss.

    Returns:
        the value, of the same shape in both branches: OpenVINO reads unwritten memory where these differ.
    """
    counted = editor.op("Cast", rows.late, name="forward.late_count", to=ir.DataType.INT32)
    most = editor.op("ReduceMax", counted, name="forward.any_late_count", keepdims=0)
    any_late = editor.op("Cast", most, name="forward.any_late", to=ir.DataType.BOOL)
    some, none = GraphEditor(editor.graph), GraphEditor(editor.graph)
    whole = some.op("Add", read, _run_on(some, rows, longest), name="forward.with_late")
    same = none.op("Identity", read, name="forward.none_late")
    then, otherwise = some.branch(whole), none.branch(same)
    return editor.op("If", any_late, name="forward.all_steps", then_branch=then, else_branch=otherwise)


def _zeros(editor: GraphEditor, by_row: ir.Value, axes: list[int], sizes: list[int], name: str) -> ir.Value:
    """Record zeros: by_row (rows,) reshaped to the axes and expanded to the sizes.

    So no shape has to be computed, which ONNX Runtime would do on the CPU, beside CUDA.
    """
    column = editor.op("Cast", by_row, name=f"{name}.float", to=ir.DataType.FLOAT)
    column = editor.op("Sub", column, column, name=f"{name}.row")
    column = editor.op("Reshape", column, editor.constant(f"{name}.axes", axes), name=f"{name}.column")
    return editor.op("Expand", column, editor.constant(f"{name}.sizes", sizes), name=name)


def _run_on(editor: GraphEditor, rows: LateRows, longest: int) -> ir.Value:
    sums, steps = rows.times.shape
    hidden, name = rows.cell.hidden_size, "forward.late"
    axis_0, axis_1 = editor.constant("axis_0", [0]), editor.constant("axis_1", [1])
    found = editor.op("NonZero", rows.late, name=f"{name}.indices")
    index = editor.op("Squeeze", found, axis_0, name=f"{name}.rows")
    stopped = editor.op("Gather", rows.lengths, index, name=f"{name}.stopped", axis=0)
    y = editor.op("Squeeze", _lstm(editor, rows, index, stopped, longest), axis_1, name=f"{name}.steps")
    y = editor.op("Transpose", y, name=f"{name}.by_row", perm=[1, 0, 2])  # (rows, longest, hidden)
    # A row's step n is the sequence's step stopped + n; where that is past the end, y is zero.
    start = editor.op("Unsqueeze", stopped, axis_1, name=f"{name}.start")
    numbers = editor.constant(f"{name}.numbers", np.arange(longest, dtype=np.int32))
    position = editor.op("Add", start, numbers, name=f"{name}.number")
    position = editor.op(
        "Min", position, editor.constant(f"last_{steps}", np.int32(steps - 1)), name=f"{name}.position"
    )
    by_step = editor.constant("forward.sums_by_step", np.ascontiguousarray(rows.times.T))
    times = editor.op("Gather", by_step, position, name=f"{name}.times", axis=0)  # (rows, longest, sums)
    times = editor.op("Transpose", times, name=f"{name}.times_first", perm=[0, 2, 1])
    pooled = editor.op("MatMul", times, y, name=f"{name}.sums")  # (rows, sums, hidden)
    zeros = _zeros(editor, rows.late, [-1, 1, 1], [1, sums, hidden], f"{name}.zeros")
    target = editor.op("Unsqueeze", index, axis_1, name=f"{name}.target")
    placed = editor.op("ScatterND", zeros, target, pooled, name=f"{name}.placed")
    return editor.op("Transpose", placed, name=f"{name}.found", perm=[1, 0, 2])


def _lstm(editor: GraphEditor, rows: LateRows, index: ir.Value, stopped: ir.Value, longest: int) -> ir.Value:
    """Record the LSTM on the late rows, from where they stopped, (longest, 1, rows, hidden)."""
    cell, name = rows.cell, "forward.late"
    steps = editor.constant(f"steps_{rows.times.shape[1]}", np.int32(rows.times.shape[1]))
    missing = editor.op("Sub", steps, stopped, name=f"{name}.missing")
    states = [
        editor.op("Gather", state, index, name=f"{name}.{letter}", axis=1)
        for letter, state in zip("hc", rows.lstm.outputs[1:3], strict=True)
    ]
    # What is read after the last point is the same at every step, and so a part of the bias: the one input is zero.
    x = _zeros(editor, missing, [1, -1, 1], [longest, 1, 1], f"{name}.X")
    bias = np.concatenate([cell.bias + cell.input_weight @ rows.inputs, np.zeros_like(cell.bias)])
    return editor.op(
        "LSTM",
        x,
        editor.constant(f"{name}.W", np.zeros((1, len(cell.bias), 1), np.float32)),
        rows.lstm.inputs[2],
        editor.constant(f"{name}.B", bias[None].astype(np.float32)),
        missing,
        *states,
        name=f"{name}.Y",
        direction="forward",
        hidden_size=cell.hidden_size,
    )
