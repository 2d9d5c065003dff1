"""Each graph pass alone and all together against eager PyTorch."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch

from sketch_export import export_onnx
from sketch_export.drawings import probe_sketches
from sketch_export.fast_graph import make_fast
from sketch_export.passes.directions import direction_node, split_directions
from sketch_export.passes.forward_padding import skip_forward_padding
from sketch_export.passes.head_blocks import skip_head_blocks
from sketch_export.passes.linear_stem import fold_stem
from sketch_export.passes.reverse_padding import skip_reverse_padding
from sketch_export.passes.tools.settling import DoesNotSettle
from sketch_export.plain_graph import make_plain
from sketch_export.proof import proof_strokes
from sketch_export.trace import trace
from sketch_infer.checks.parity import FP32_TOLERANCE
from sketch_infer.inference.session import Session
from sketch_infer.strokes.preprocess import FloatArray
from sketch_models import SketchRNN, SketchRNNConfig, run_eager
from tests.networks import make_model

LENGTH = 120
"""Long enough for a random network to come to rest, and for more than one block of the head."""


def skip_forward(model: ir.Model) -> None:
    skip_forward_padding(model, probe_sketches(LENGTH)[1])


PASSES: dict[str, tuple[Callable[[ir.Model], object], ...]] = {
    "stem": (fold_stem,),
    "directions": (split_directions,),
    "reverse": (split_directions, skip_reverse_padding),
    "forward": (split_directions, skip_forward),
    "reverse and head": (split_directions, skip_reverse_padding, skip_head_blocks),
    "all": (fold_stem, split_directions, skip_reverse_padding, skip_forward, skip_head_blocks),
}


def long_model(seed: int = 0, hidden_size: int = 12, output_size: int = 4, **sizes: int) -> SketchRNN:
    model = make_model(SketchRNNConfig(3, hidden_size, output_size, **sizes), seed)
    with torch.no_grad():
        model.fc_mu1.weight.mul_(10)
    return model


def plain_graph(model: SketchRNN) -> ir.Model:
    graph = trace(model)
    make_plain(graph)
    return graph


def run(graph: ir.Model, strokes: FloatArray, output: str = "logits") -> np.ndarray:
    proto = ir.to_proto(graph)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
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


@pytest.fixture(scope="module")
def model() -> SketchRNN:
    return long_model(sequence_length=LENGTH)


@pytest.fixture(scope="module")
def plain_bytes(model: SketchRNN) -> bytes:
    content: bytes = ir.to_proto(plain_graph(model)).SerializeToString()
    return content


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_alone(model: SketchRNN, plain_bytes: bytes, name: str) -> None:
    graph = ir.from_proto(onnx.load_from_string(plain_bytes))
    for apply in PASSES[name]:
        apply(graph)
    for strokes in (awkward_sketches(), proof_strokes(1, LENGTH), 30 * awkward_sketches()):
        assert_parity(run(graph, strokes), model, strokes)


@pytest.mark.parametrize(
    ("seed", "hidden_size", "output_size", "sequence_length"),
    [(seed, *sizes) for seed, sizes in enumerate(itertools.product([5, 24], [2, 9], [11, 61, 150]))],
)
def test_all_passes_on_random_networks(seed: int, hidden_size: int, output_size: int, sequence_length: int) -> None:
    model = long_model(seed, hidden_size, output_size, sequence_length=sequence_length)
    graph = plain_graph(model)
    make_fast(graph, probe_sketches(sequence_length)[1])
    for batch in (1, 2, 33):
        strokes = proof_strokes(batch, sequence_length, seed)
        assert_parity(run(graph, strokes), model, strokes)


def test_cost_grows_with_the_points_drawn(plain_bytes: bytes) -> None:
    graph = ir.from_proto(onnx.load_from_string(plain_bytes))
    assert make_fast(graph, probe_sketches(LENGTH)[1]) == []
    steps = {}
    for direction in ("forward", "reverse"):
        lengths = direction_node(graph, direction).inputs[4]
        assert lengths is not None
        steps[direction] = run(graph, awkward_sketches(), expose(graph, str(lengths.name)))
    every = LENGTH - 10
    assert steps["reverse"][[0, 1, 2, 4, 5, 6]].tolist() == [every, 1, 1, every, every, every]
    further = steps["forward"][1] - steps["reverse"][1]
    assert 0 < further < every / 2
    np.testing.assert_array_equal(steps["forward"], np.minimum(steps["reverse"] + further, every))


def test_a_sketch_that_settles_late_is_run_in_full() -> None:
    model = long_model(sequence_length=LENGTH)
    size = model.config.hidden_size
    with torch.no_grad():
        for suffix in ("", "_reverse"):
            model.lstm_1.get_parameter(f"bias_hh_l0{suffix}")[size : 2 * size] += 1  # forget gates nearer to 1
    graph = plain_graph(model)
    assert make_fast(graph, probe_sketches(LENGTH)[1]) == []
    strokes = proof_strokes(8, LENGTH)
    strokes[:, 40:] = 0
    strokes[::2] *= 1000  # opens gates for good: |c| grows to some 40
    late = run(graph, strokes, expose(graph, "forward.late"))
    assert late.any()
    assert not late[1::2].any()
    logits = run(graph, strokes)
    assert_parity(logits, model, strokes)
    # The late rows do not reach into the others.
    np.testing.assert_array_equal(logits[1::2], run(graph, np.ascontiguousarray(strokes[1::2])))


def test_a_network_that_does_not_settle_runs_its_full_sequence() -> None:
    model = long_model(sequence_length=60)
    size = model.config.hidden_size
    with torch.no_grad():
        model.lstm_1.get_parameter("bias_hh_l0")[size : 2 * size] = 12  # forget nothing
    graph = plain_graph(model)
    split_directions(graph)
    with pytest.raises(DoesNotSettle):
        skip_forward_padding(graph, probe_sketches(60)[1])
    graph = plain_graph(model)
    (note,) = make_fast(graph, probe_sketches(60)[1])
    assert note.startswith("padding is not skipped in the forward direction: ")
    assert_parity(run(graph, proof_strokes(9, 60)), model, proof_strokes(9, 60))


@pytest.mark.parametrize(("n_layers", "initial_state"), [(2, False), (1, True)])
def test_what_cannot_skip_padding_says_so(tmp_path: Path, n_layers: int, initial_state: bool) -> None:
    model = long_model(n_layers=n_layers, sequence_length=40)
    report = export_onnx(model, tmp_path / "model.onnx", initial_state=initial_state)
    (note,) = report.notes
    assert note.startswith("padding is not skipped: ")
    assert "Conv" not in {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}


def test_plain_and_fast_have_one_signature(tiny_onnx: Path, tiny_plain_onnx: Path) -> None:
    fast, plain = (onnx.load(path).graph for path in (tiny_onnx, tiny_plain_onnx))
    for kind in ("input", "output"):
        (fast_values, plain_values) = (
            [(value.name, value.type.SerializeToString()) for value in getattr(graph, kind)] for graph in (fast, plain)
        )
        assert fast_values == plain_values


def test_no_probe_of_the_default_model_settles_late(default_onnx: Path) -> None:
    model = onnx.load(default_onnx)
    model.graph.output.append(onnx.helper.make_tensor_value_info("forward.late", onnx.TensorProto.BOOL, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    strokes = Session(default_onnx, "cpu").metadata.probes.sketches
    assert not session.run(["forward.late"], {"strokes": strokes})[0].any()
