"""LSTMs that say how far they clip, which is not at all, so that OpenVINO heeds how long each row is.

OpenVINO ignores `sequence_lens` where the batch is dynamic and the LSTM runs in one piece. One with a clip it runs step
by step, and counts each row's steps. The largest float is ONNX Runtime's own default.
"""

import numpy as np
import onnx_ir as ir

from sketch_export.passes.int8_lstm import QUANTIZED_LSTM

NO_CLIP = float(np.finfo(np.float32).max)


def set_clips(model: ir.Model) -> None:
    """Set the clip of all LSTMs, in fp32 and int8, to what it is without one."""
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if node.op_type in ("LSTM", QUANTIZED_LSTM):
            node.attributes["clip"] = ir.AttrFloat32("clip", NO_CLIP)
