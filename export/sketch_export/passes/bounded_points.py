"""Points as features within [-1, 1], the form that int8 takes, without losing precision to the range.

A delta is small as a rule and 1 at most. One int8 number for the whole range would round it to 1 part in 127 of that
largest value, too coarse for the small ones. So it is cut into pieces, each with a range of its own:

    v = clip(v, -1/2, 1/2) + (clip(v, -1, 1) - clip(v, -1/2, 1/2))

Weights get the same care: what rounding to integers takes away from them is itself a weight, on a smaller copy of the
point. In float32 all of this changes nothing, and so it is tested.
"""

import numpy as np
import onnx_ir as ir

from sketch_export.passes.tools.editor import GraphEditor, constant_array, producer
from sketch_export.passes.tools.int8_weights import quantize
from sketch_export.plain_graph import lstm_nodes
from sketch_infer.array_types import Array
from sketch_infer.errors import SketchError
from sketch_infer.model.contract.tensors import INT8_RANGE
from sketch_infer.strokes.preprocess import INPUT_SIZE

_PIECES = 2
"""With one, 0.3% more real drawings changed their label; four were no better than two."""

_COPY = 16
"""How much smaller than a piece the copy for the weights' remainders is."""

_TOP = 127 / 127.5
"""Largest feature: with steps of 2/255 and zero at 128, uint8 ends at 127 steps."""


def bound_points(model: ir.Model) -> None:
    """Let the first LSTM layer read bounded features instead of windows. `fold_stem` comes first.

    Each row of W is afterwards integers times a scale, but for the remainders on the copies.
    """
    windows = lstm_nodes(model)[0].inputs[0]
    taps = producer(windows, "Concat").inputs
    points = producer(taps[0], "Slice").inputs[0]
    editor = GraphEditor(model.graph)
    if points is None:
        raise SketchError("expected windows of points: not a graph with a folded stem")
    features = _features(editor, points)
    for tap in taps:
        producer(tap, "Slice").replace_input_with(0, features)
    editor.insert_before(producer(taps[0], "Slice"))
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if node.op_type == "LSTM" and node.inputs[0] is windows and (old := node.inputs[1]) is not None:
            spread = _spread(constant_array(old), len(taps))
            node.replace_input_with(1, editor.constant(f"{old.name}.bounded", spread))


def _features(editor: GraphEditor, points: ir.Value) -> ir.Value:
    """Record the features of points (time, batch, 3): pieces and the copy, (time, batch, 3 * (pieces + 1))."""
    inner: ir.Value | None = None
    pieces = []
    for piece in range(1, _PIECES + 1):
        limit = np.float32(INT8_RANGE * piece / _PIECES)
        low, high = editor.constant(f"minus_{limit}", -limit), editor.constant(f"plus_{limit}", limit)
        within = editor.op("Clip", points, low, high, name=f"points.within_{limit}")
        pieces.append(within if inner is None else editor.op("Sub", within, inner, name=f"points.within_{limit}.rest"))
        inner = within
    scale = np.repeat(_SCALES, INPUT_SIZE).astype(np.float32)
    together = editor.op("Concat", *pieces, within, name="points.pieces", axis=2)
    return editor.op("Mul", together, editor.constant("points.scale", scale), name="points.bounded")


_SCALES = np.array([_TOP * _PIECES / INT8_RANGE] * _PIECES + [_TOP / INT8_RANGE / _COPY])
"""Of each piece and of the copy."""


def _spread(weight: Array, taps: int) -> Array:
    """Turn W (directions, 4 * hidden, taps * 3) of windows into that of their features, (..., taps * features)."""
    per_piece = weight.astype(np.float64) / _SCALES[0]
    integers, step = quantize(per_piece)
    rounded = integers * step[:, :, None].astype(np.float64)
    remainder = (per_piece - rounded) * _SCALES[0] / _SCALES[-1]
    by_tap = [part.reshape(*part.shape[:2], taps, 1, -1) for part in (*[rounded] * _PIECES, remainder)]
    return np.concatenate(by_tap, axis=3).reshape(*weight.shape[:2], -1).astype(np.float32)
