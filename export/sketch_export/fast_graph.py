"""The fast graph: the plain graph's inputs, outputs and answers, at a cost that grows with the points drawn.

In fp32 the answers are the same to rounding. In int8 they are near, and cost a good half of that.
"""

import onnx_ir as ir
import onnx_ir.passes.common as passes

from sketch_export.passes.bounded_points import bound_points
from sketch_export.passes.branch_constants import own_host_constants
from sketch_export.passes.directions import DIRECTIONS, split_directions
from sketch_export.passes.explicit_clip import set_clips
from sketch_export.passes.forward_padding import LOGIT_BUDGET, skip_forward_padding
from sketch_export.passes.head_blocks import quantize_whole_head, skip_head_blocks
from sketch_export.passes.int8_lstm import quantize_lstms
from sketch_export.passes.linear_stem import fold_stem
from sketch_export.passes.low_rank_head import factor_head, quantize_factored_head
from sketch_export.passes.reached_steps import drop_unreached_steps
from sketch_export.passes.reverse_padding import STATE_TOLERANCE, skip_reverse_padding
from sketch_export.passes.tools.settling import DoesNotSettle
from sketch_export.plain_graph import lstm_nodes
from sketch_infer.array_types import FloatArray
from sketch_infer.model.contract.metadata import Precision

SETTLE_STEPS = "sketch_infer.settle_steps"
"""Metadata: steps that the forward direction takes after the last point."""

_TOLERANCES = {"fp32": (STATE_TOLERANCE, LOGIT_BUDGET, 0.0), "int8": (1e-3, 0.1, 0.1)}
"""What skipping padding may change of a state and of a logit, and factoring the head of a direction's share. In int8,
where h comes in steps of 1/127 and a trained network's logits move by up to 0.3 anyway, smaller tables do, and noise in
h must not look like a late sketch."""


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
    state_tolerance, logit_budget, head_budget = _TOLERANCES[precision]
    split_directions(model)
    if whole := factor_head(model, head_budget):
        which = "the head" if len(whole) == len(DIRECTIONS) else f"the head of the {whole[0]} direction"
        notes.append(
            f"{which} is exported at full size: its weights do not have the smooth form that sketch-train gives them"
        )
    if len(lstm_nodes(model)) > 2:
        notes.append("padding is not skipped: a second LSTM layer reads what the first one makes of it")
    elif len(model.graph.inputs) > 1:
        notes.append("padding is not skipped: with initial states every sketch walks through it on its own way")
    else:
        skip_reverse_padding(model, state_tolerance)
        try:
            tail = skip_forward_padding(model, sketches, logit_budget, precision == "int8")
            model.metadata_props[SETTLE_STEPS] = str(tail.steps)
        except DoesNotSettle as error:
            notes.append(f"padding is not skipped in the forward direction: {error}")
    if precision == "int8":
        bound_points(model)
    drop_unreached_steps(model)
    if precision == "int8":
        quantize_factored_head(model)
        quantize_whole_head(model)
        quantize_lstms(model)
    else:
        skip_head_blocks(model)
    set_clips(model)
    own_host_constants(model)
    passes.RemoveUnusedNodesPass()(model)
    passes.ShapeInferencePass()(model)
    return notes
