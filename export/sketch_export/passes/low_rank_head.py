"""A head whose weights change slowly over time reads a few weighted sums over time instead of every step.

Seen as a matrix of time steps by all else, such a head's weights W have a low rank: W[t] = sum over k of
times[t, k] modes[k]. So sum over t of h[t] W[t] is sum over k of (sum over t of times[t, k] h[t]) modes[k]. A head that
was trained as linear between ten time steps has rank 10 instead of 186, and a twentieth of the weights.

What the factors leave out is bounded and not sampled: as no |h| exceeds 1, they move a logit by no more than the sum of
their errors in its weights.
"""

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes

from sketch_export.passes.directions import DIRECTIONS, HEAD_TIMES, head_of, head_reader, head_times, head_weight
from sketch_export.passes.tools.editor import GraphEditor, constant_array
from sketch_export.passes.tools.int8_weights import quantize
from sketch_infer.array_types import Array, Float64Array

FACTORED_HEAD = "fc_mu1.{}.modes"
"""Initializer of a direction's modes."""

POOLED = "pooled.{}.flat_sums"
"""Value of a factored head: the sums over time, (sums, batch * hidden)."""

_LEVELS = 127
"""Integers that store the modes are -127 to 127: no sum of products of them is taken."""

_EPSILON = float(np.finfo(np.float32).eps)


def factor_head(model: ir.Model, budget: float = 0.0) -> list[str]:
    """Factor the head of each direction where its weights are of low rank in time. `split_directions` comes first.

    Args:
        model: the graph.
        budget: largest error of a direction's share of a logit, beyond what rounding the head's weights to float32 may
            cause: float32's epsilon of the sum of their absolute values, which no share exceeds.

    Returns:
        the directions whose head was left as it was.
    """
    whole = []
    for direction in DIRECTIONS:
        factors = _factor(head_weight(model, direction), budget)
        if factors is None:
            whole.append(direction)
        else:
            _pool(model, direction, *factors)
    passes.RemoveUnusedNodesPass()(model)
    return whole


def _factor(weight: Float64Array, budget: float) -> tuple[Array, Array] | None:
    """Factor (time, hidden, classes) into float32 times (time, ranks) and modes (ranks, hidden, classes).

    Returns:
        the factors of the smallest rank whose products are near enough, or None if they are more than half as many
        numbers as the weights.
    """
    limit = budget + _EPSILON * np.abs(weight).sum(axis=(0, 1))  # by class
    flat = weight.reshape(len(weight), -1)
    directions, sizes, _ = np.linalg.svd(flat, full_matrices=False)
    for rank in range(1, flat.size // sum(flat.shape) // 2 + 1):
        if sizes[rank] > limit.sum():
            continue  # the errors of any product of this rank add up to more
        times = directions[:, :rank].astype(np.float32)
        # Fitted to the rounded times, so that rounding these costs nothing.
        modes = np.linalg.lstsq(times.astype(np.float64), flat, rcond=None)[0].astype(np.float32)
        error = np.abs(times.astype(np.float64) @ modes.astype(np.float64) - flat).reshape(weight.shape)
        if (error.sum(axis=(0, 1)) <= limit).all():
            return times, modes.reshape(rank, *weight.shape[1:])
    return None


def _pool(model: ir.Model, direction: str, times: Array, modes: Array) -> None:
    """Let a direction's head read sums over time."""
    reader, head = head_reader(model, direction), head_of(model, direction)
    rank, hidden, classes = modes.shape
    editor = GraphEditor(model.graph)
    name = f"pooled.{direction}"
    flat = editor.op("Reshape", reader.inputs[0], editor.constant("flat", [0, -1]), name=f"{name}.flat")
    over_time = editor.constant(HEAD_TIMES.format(direction), np.ascontiguousarray(times.T))
    pooled = editor.op("MatMul", over_time, flat, name=POOLED.format(direction))
    pooled = editor.op("Reshape", pooled, editor.constant(f"{name}.shape", [rank, -1, hidden]), name=name)
    editor.insert_before(reader)
    reader.replace_input_with(0, pooled)
    weight = editor.constant(FACTORED_HEAD.format(direction), modes.reshape(rank * hidden, classes))
    head.replace_input_with(1, weight)


def quantize_factored_head(model: ir.Model) -> None:
    """Store the modes as integers with a scale for each rank and class, where the head is factored."""
    for direction in DIRECTIONS:
        times = head_times(model, direction)
        if times is None:
            continue
        head, editor = head_of(model, direction), GraphEditor(model.graph)
        modes = constant_array(head.inputs[1])
        integers, scale = quantize(modes.reshape(len(times), -1, modes.shape[1]).transpose(0, 2, 1), _LEVELS)
        name = FACTORED_HEAD.format(direction)
        stored = editor.constant(f"{name}.int8", np.ascontiguousarray(integers.transpose(0, 2, 1)))
        # Of constants alone: ONNX Runtime computes it once, when the file is opened.
        weight = editor.op("Cast", stored, name=f"{name}.float", to=ir.DataType.FLOAT)
        weight = editor.op("Mul", weight, editor.constant(f"{name}.scale", scale[:, None]), name=f"{name}.scaled")
        shape = editor.constant(f"{name}.shape", modes.shape)
        weight = editor.op("Reshape", weight, shape, name=f"{name}.restored")
        editor.insert_before(head)
        head.replace_input_with(1, weight)
    passes.RemoveUnusedNodesPass()(model)
