"""Graphs of random networks, the sketches that are hard on them, and their run in ONNX Runtime."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import torch

from sketch_export.checks.proof import proof_strokes
from sketch_export.passes.low_rank_head import FACTORED_HEAD
from sketch_export.plain_graph import make_plain
from sketch_export.trace import trace
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE
from sketch_models import SketchRNN, SketchRNNConfig, run_eager
from tests.networks import make_model

LENGTH = 120
"""Long enough for a random network to come to rest, and for more than one block of the head."""


def long_model(seed: int = 0, hidden_size: int = 12, output_size: int = 4, rank: int = 0, **sizes: int) -> SketchRNN:
    """A random network; with a rank, its head is of that rank in time."""
    model = make_model(SketchRNNConfig(3, hidden_size, output_size, **sizes), seed)
    with torch.no_grad():
        model.fc_mu1.weight.mul_(10)
        if rank:
            by_time = model.fc_mu1.weight.view(output_size, -1, 2 * hidden_size).double()
            knots = torch.randn(by_time.shape[1], rank, dtype=torch.float64)
            model.fc_mu1.weight.copy_(torch.einsum("nkh,tk->nth", by_time[:, :rank], knots).flatten(1))
    return model


def is_factored(graph: ir.Model) -> bool:
    return {FACTORED_HEAD.format(direction) for direction in ("forward", "reverse")} <= graph.graph.initializers.keys()


def plain_graph(model: SketchRNN) -> ir.Model:
    graph = trace(model)
    make_plain(graph)
    return graph


def graph_bytes(model: SketchRNN) -> bytes:
    content: bytes = ir.to_proto(plain_graph(model)).SerializeToString()
    return content


def run(graph: ir.Model, strokes: FloatArray, output: str = "logits") -> np.ndarray:
    proto = ir.to_proto(graph)
    onnx.checker.check_model(proto, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # networks this small only wait for a second thread
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run([output], {"strokes": strokes})[0]
    return found


def expose(graph: ir.Model, name: str) -> str:
    """Make a value an output of the graph."""
    graph.graph.outputs.append(next(value for node in graph.graph for value in node.outputs if value.name == name))
    return name


def awkward_sketches() -> FloatArray:
    """Empty, one point, gaps of zeros inside, full, a last row alone, and padding that is not zero."""
    strokes = proof_strokes(16, LENGTH)
    strokes[1] = 0
    strokes[2, 1:] = 0
    strokes[3, 10:60] = 0
    strokes[4, :-1] = 0
    strokes[4, -1] = 0.3
    strokes[5, 30:] = (0, 0, 1)
    strokes[6, 40:] = (1e-30, 0, 0)
    return strokes


def assert_parity(found: np.ndarray, model: SketchRNN, strokes: FloatArray) -> None:
    expected = run_eager(model, strokes)["logits"]
    scale = np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
    assert np.abs((found - expected) / scale).max() <= FP32_TOLERANCE
