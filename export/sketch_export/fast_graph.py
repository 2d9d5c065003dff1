"""The fast graph: the plain graph's inputs, outputs and answers, at a cost that grows with the points drawn.

In fp32 the answers are the same to rounding. In int8 they are near, and cost a good half of that.
"""

import onnx_ir as ir
import onnx_ir.passes.common as passes

from sketch_infer.model.contract import Precision
from sketch_infer.strokes.preprocess import FloatArray

from .passes.bounded_points import bound_points
from .passes.directions import split_directions
from .passes.forward_padding import LOGIT_BUDGET, skip_forward_padding
from .passes.head_blocks import quantize_head, skip_head_blocks
from .passes.int8_lstm import quantize_lstms
from .passes.linear_stem import fold_stem
from .passes.reverse_padding import STATE_TOLERANCE, skip_reverse_padding
from .passes.tools.settling import DoesNotSettle
from .plain_graph import lstm_nodes

SETTLE_STEPS = "sketch_infer.settle_steps"
"""Metadata: steps that the forward direction takes after the last point."""

_TOLERANCES = {"fp32": (STATE_TOLERANCE, LOGIT_BUDGET), "int8": (1e-3, 0.1)}
"""What skipping padding may change of a state and of a logit. In int8, where h comes in steps of 1/127 and a trained
network's logits move by up to 0.3 anyway, smaller tables do, and noise in h must not look like a late sketch."""


def make_fast(model: ir.Model, sketches: FloatArray, precision: Precision = "fp32") -> list[str]:
    """Apply all passes that the network allows to its plain graph, in place.

    Args:
        model: a plain graph.
        sketches: samples, float32 (N, sequence_length, 3), that decide how soon the forward direction may stop.
        precision: of the LSTMs and the head; int8 needs a graph without initial states.

    Returns:
        which passes were left out and why, one line each.
    """
    notes = []
    fold_stem(model)
    state_tolerance, logit_budget = _TOLERANCES[precision]
    int8 = precision == "int8"
    if len(lstm_nodes(model)) > 1:
        notes.append("padding is not skipped: a second LSTM layer reads what the first one makes of it")
        if int8:
            split_directions(model)
    elif len(model.graph.inputs) > 1:
        notes.append("padding is not skipped: with initial states every sketch walks through it on its own way")
    else:
        split_directions(model)
        skip_reverse_padding(model, state_tolerance)
        try:
            tail = skip_forward_padding(model, sketches, logit_budget)
            model.metadata_props[SETTLE_STEPS] = str(tail.steps)
        except DoesNotSettle as error:
            notes.append(f"padding is not skipped in the forward direction: {error}")
        if not int8:
            skip_head_blocks(model)
    if int8:
        bound_points(model)
        quantize_head(model)
        quantize_lstms(model)
    passes.RemoveUnusedNodesPass()(model)
    passes.ShapeInferencePass()(model)
    return notes
