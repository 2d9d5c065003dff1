"""The fast graph: the plain graph's inputs, outputs and answers, at a cost that grows with the points drawn."""

import onnx_ir as ir
import onnx_ir.passes.common as passes

from sketch_infer.strokes import FloatArray

from .passes.directions import split_directions
from .passes.forward_padding import skip_forward_padding
from .passes.head_blocks import skip_head_blocks
from .passes.linear_stem import fold_stem
from .passes.reverse_padding import skip_reverse_padding
from .passes.settling import DoesNotSettle
from .plain_graph import lstm_nodes

SETTLE_STEPS = "sketch_infer.settle_steps"
"""Metadata: steps that the forward direction takes after the last point."""


def make_fast(model: ir.Model, sketches: FloatArray) -> list[str]:
    """Apply all passes that the network allows to its plain graph, in place.

    Args:
        model: a plain graph.
        sketches: samples, float32 (N, sequence_length, 3), that decide how soon the forward direction may stop.

    Returns:
        which passes were left out and why, one line each.
    """
    notes = []
    fold_stem(model)
    if len(lstm_nodes(model)) > 1:
        notes.append("padding is not skipped: a second LSTM layer reads what the first one makes of it")
    elif len(model.graph.inputs) > 1:
        notes.append("padding is not skipped: with initial states every sketch walks through it on its own way")
    else:
        split_directions(model)
        skip_reverse_padding(model)
        try:
            model.metadata_props[SETTLE_STEPS] = str(skip_forward_padding(model, sketches).steps)
        except DoesNotSettle as error:
            notes.append(f"padding is not skipped in the forward direction: {error}")
        skip_head_blocks(model)
    passes.RemoveUnusedNodesPass()(model)
    passes.ShapeInferencePass()(model)
    return notes
