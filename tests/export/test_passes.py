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
from sketch_export.checks.proof import proof_strokes
from sketch_export.fast_graph import make_fast
from sketch_export.passes.branch_constants import HOST_READ, own_host_constants
from sketch_export.passes.directions import direction_node, split_directions
from sketch_export.passes.explicit_clip import set_clips
from sketch_export.passes.forward_padding import skip_forward_padding
from sketch_export.passes.head_blocks import skip_head_blocks
from sketch_export.passes.linear_stem import fold_stem
from sketch_export.passes.low_rank_head import FACTORED_HEAD, factor_head
from sketch_export.passes.reached_steps import drop_unreached_steps
from sketch_export.passes.reverse_padding import skip_reverse_padding
from sketch_export.passes.tools.editor import constant_array
from sketch_export.passes.tools.settling import DoesNotSettle
from sketch_export.plain_graph import make_plain
from sketch_export.sample_drawings import probe_sketches
from sketch_export.trace import trace
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.parity import FP32_TOLERANCE
from sketch_infer.errors import SketchError
from sketch_infer.inference.installed import default_model
from sketch_infer.inference.session import Session
from sketch_infer.model.contract import Precision
from sketch_infer.readers.files import read_sketches
from sketch_infer.strokes.preprocess import to_batch
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
    "head": (split_directions, factor_head),
    "reached": (split_directions, factor_head, skip_reverse_padding, skip_forward, drop_unreached_steps),
    "all": (
        *(fold_stem, split_directions, factor_head, skip_reverse_padding, skip_forward),
        *(drop_unreached_steps, skip_head_blocks, set_clips),
    ),
}


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


@pytest.fixture(scope="module")
def model() -> SketchRNN:
    return long_model(sequence_length=LENGTH)


@pytest.fixture(scope="module")
def low_rank_model() -> SketchRNN:
    return long_model(sequence_length=LENGTH, rank=4)


def graph_bytes(model: SketchRNN) -> bytes:
    content: bytes = ir.to_proto(plain_graph(model)).SerializeToString()
    return content


@pytest.fixture(scope="module")
def plain_bytes(model: SketchRNN) -> bytes:
    return graph_bytes(model)


@pytest.fixture(scope="module")
def low_rank_bytes(low_rank_model: SketchRNN) -> bytes:
    return graph_bytes(low_rank_model)


@pytest.mark.parametrize("low_rank", [False, True])
@pytest.mark.parametrize("name", PASSES)
def test_each_pass_alone(request: pytest.FixtureRequest, name: str, low_rank: bool) -> None:
    model: SketchRNN = request.getfixturevalue("low_rank_model" if low_rank else "model")
    graph = ir.from_proto(
        onnx.load_from_string(request.getfixturevalue("low_rank_bytes" if low_rank else "plain_bytes"))
    )
    for apply in PASSES[name]:
        apply(graph)
    assert is_factored(graph) == (low_rank and factor_head in PASSES[name])
    for strokes in (awkward_sketches(), proof_strokes(1, LENGTH), 30 * awkward_sketches()):
        assert_parity(run(graph, strokes), model, strokes)


@pytest.mark.parametrize(
    ("seed", "hidden_size", "output_size", "sequence_length", "rank"),
    [(seed, *sizes, seed % 3) for seed, sizes in enumerate(itertools.product([5, 24], [2, 9], [11, 61, 150]))],
)
def test_all_passes_on_random_networks(
    seed: int, hidden_size: int, output_size: int, sequence_length: int, rank: int
) -> None:
    model = long_model(seed, hidden_size, output_size, rank, sequence_length=sequence_length)
    graph = plain_graph(model)
    make_fast(graph, probe_sketches(sequence_length)[1])
    assert is_factored(graph) == (rank > 0 and sequence_length > 11)
    for batch in (1, 2, 33):
        strokes = proof_strokes(batch, sequence_length, seed)
        assert_parity(run(graph, strokes), model, strokes)


def test_the_head_is_factored_by_the_smallest_rank_within_a_bound(low_rank_model: SketchRNN) -> None:
    weight = (
        low_rank_model.fc_mu1.weight.detach().double().view(4, -1, 2, 12).numpy()
    )  # (classes, time, direction, hidden)
    graph = plain_graph(low_rank_model)
    split_directions(graph)
    assert factor_head(graph) == []
    for position, direction in enumerate(("forward", "reverse")):
        times, modes = (
            constant_array(graph.graph.initializers[f"fc_mu1.{direction}.{part}"]) for part in ("times", "modes")
        )
        assert len(times) == 4
        restored = np.einsum("kt,kho->oth", times.astype(np.float64), modes.reshape(4, 12, 4).astype(np.float64))
        expected = weight[:, :, position]
        bound = np.finfo(np.float32).eps * np.abs(expected).sum(axis=(1, 2))
        assert (np.abs(restored - expected).sum(axis=(1, 2)) <= bound).all()


def test_a_head_that_is_nearly_of_low_rank_is_factored_within_a_budget_alone(low_rank_model: SketchRNN) -> None:
    nearly = long_model(sequence_length=LENGTH, rank=4)
    with torch.no_grad():
        nearly.fc_mu1.weight.copy_(low_rank_model.fc_mu1.weight.half().float())
        error = float((nearly.fc_mu1.weight - low_rank_model.fc_mu1.weight).abs().sum(dim=1).max())
    content = graph_bytes(nearly)
    for budget, left in ((0.0, ["forward", "reverse"]), (error / 50, ["forward", "reverse"]), (error, [])):
        graph = ir.from_proto(onnx.load_from_string(content))
        split_directions(graph)
        assert factor_head(graph, budget) == left
        strokes = awkward_sketches()
        difference = np.abs(run(graph, strokes) - run_eager(nearly, strokes)["logits"]).max()
        assert difference <= 2 * budget + 1e-4


@pytest.mark.parametrize("sizes", [{"hidden_size": 24}, {"hidden_size": 5, "rank": 1}, {"rank": 3, "n_layers": 2}])
def test_rows_are_independent_bit_for_bit(sizes: dict[str, int]) -> None:
    model = long_model(2, **{"rank": 6, "sequence_length": LENGTH, **sizes})
    graph = plain_graph(model)
    make_fast(graph, probe_sketches(LENGTH)[1])
    assert is_factored(graph)
    strokes = np.concatenate([awkward_sketches(), 1000 * awkward_sketches()[:5], proof_strokes(16, LENGTH)])
    together = run(graph, strokes)
    for rows in ([row] for row in range(0, 37, 3)):
        np.testing.assert_array_equal(run(graph, strokes[rows]), together[rows])
    for size in (2, 3, 12, 16, 17):
        np.testing.assert_array_equal(run(graph, strokes[-size:]), together[-size:])


def outside_host_reads(branch: onnx.GraphProto) -> list[str]:
    """Return what a branch reads on the host and does not hold or compute itself."""
    own = {name for node in branch.node for name in node.output} | {tensor.name for tensor in branch.initializer}
    return [
        f"{node.op_type} reads {node.input[position]}"
        for node in branch.node
        for position in HOST_READ.get(node.op_type, ())
        if position < len(node.input) and node.input[position] and node.input[position] not in own
    ]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("name", ["plain_bytes", "low_rank_bytes"])
def test_no_branch_reads_on_the_host_what_comes_from_outside(
    request: pytest.FixtureRequest, name: str, precision: Precision
) -> None:
    content: bytes = request.getfixturevalue(name)
    graph = ir.from_proto(onnx.load_from_string(content))
    make_fast(graph, probe_sketches(LENGTH)[1], precision)
    branches = [
        attribute.g
        for node in ir.to_proto(graph).graph.node
        for attribute in node.attribute
        if attribute.type == onnx.AttributeProto.GRAPH
    ]
    assert len(branches) >= 2
    assert [outside_host_reads(branch) for branch in branches] == [[]] * len(branches)


def test_a_branch_that_would_read_on_the_host_what_is_computed_outside_is_refused(low_rank_bytes: bytes) -> None:
    graph = ir.from_proto(onnx.load_from_string(low_rank_bytes))
    split_directions(graph)
    factor_head(graph)
    skip_forward(graph)
    (branches,) = [node for node in graph.graph if node.op_type == "If"]
    branch = branches.attributes["then_branch"].as_graph()
    lstm = next(node for node in branch if node.op_type == "LSTM")
    lstm.replace_input_with(4, direction_node(graph, "forward").inputs[4])
    with pytest.raises(SketchError, match=r"to compute forward\.steps, which LSTM:forward\.late\.Y reads on"):
        own_host_constants(graph)


def test_cost_grows_with_the_points_drawn(low_rank_bytes: bytes) -> None:
    graph = ir.from_proto(onnx.load_from_string(low_rank_bytes))
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


@pytest.mark.parametrize("name", ["plain_bytes", "low_rank_bytes"])
def test_an_lstm_is_given_the_steps_of_its_longest_row(request: pytest.FixtureRequest, name: str) -> None:
    graph = ir.from_proto(onnx.load_from_string(request.getfixturevalue(name)))
    make_fast(graph, probe_sketches(LENGTH)[1])
    strokes = proof_strokes(4, LENGTH)
    strokes[:, 20:] = 0
    strokes[1, 10:] = 0
    for direction in ("forward", "reverse"):
        lstm = direction_node(graph, direction)
        lengths, y = lstm.inputs[4], lstm.outputs[0]
        assert lengths is not None
        longest = run(graph, strokes, expose(graph, str(lengths.name))).max()
        assert longest < LENGTH - 10
        given = longest if is_factored(graph) else LENGTH - 10
        assert len(run(graph, strokes, expose(graph, str(y.name)))) == given


@pytest.mark.parametrize("rank", [0, 4])
def test_late_rows_go_on_alone(rank: int) -> None:
    model = long_model(sequence_length=LENGTH, rank=rank)
    size = model.config.hidden_size
    with torch.no_grad():
        for suffix in ("", "_reverse"):
            model.lstm_1.get_parameter(f"bias_hh_l0{suffix}")[size : 2 * size] += 1  # forget gates nearer to 1
    graph = plain_graph(model)
    make_fast(graph, probe_sketches(LENGTH)[1])
    assert is_factored(graph) == (rank > 0)
    strokes = proof_strokes(16, LENGTH)
    strokes[:, 40:] = 0
    strokes[2, 25:] = 0
    strokes[::2] *= 1000  # opens gates for good: |c| grows to some 40
    late = run(graph, strokes, expose(graph, "forward.late"))
    assert late.sum() >= 3
    assert not late[1::2].any()
    logits = run(graph, strokes)
    assert_parity(logits, model, strokes)
    for rows in (slice(0, None, 2), slice(1, None, 2), slice(2, 3), slice(4, 5), slice(0, 3)):
        np.testing.assert_array_equal(logits[rows], run(graph, np.ascontiguousarray(strokes[rows])))


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
    head, padding = make_fast(graph, probe_sketches(60)[1])
    assert padding.startswith("padding is not skipped in the forward direction: ")
    assert head == "the head reads every step: it is not of low rank in time (forward and reverse)"
    assert_parity(run(graph, proof_strokes(9, 60)), model, proof_strokes(9, 60))


@pytest.mark.parametrize(("n_layers", "initial_state"), [(2, False), (1, True)])
def test_what_cannot_skip_padding_says_so(tmp_path: Path, n_layers: int, initial_state: bool) -> None:
    model = long_model(n_layers=n_layers, sequence_length=40, rank=2)
    report = export_onnx(model, tmp_path / "model.onnx", initial_state=initial_state)
    (note,) = report.notes
    assert note.startswith("padding is not skipped: ")
    assert "Conv" not in {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert is_factored(ir.load(tmp_path / "model.onnx"))


def test_plain_and_fast_have_one_signature(tiny_onnx: Path, tiny_plain_onnx: Path) -> None:
    fast, plain = (onnx.load(path).graph for path in (tiny_onnx, tiny_plain_onnx))
    for kind in ("input", "output"):
        (fast_values, plain_values) = (
            [(value.name, value.type.SerializeToString()) for value in getattr(graph, kind)] for graph in (fast, plain)
        )
        assert fast_values == plain_values


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_hardly_a_real_drawing_settles_late(precision: Precision, drawings_folder: Path) -> None:
    path = default_model(precision)
    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info("forward.late", onnx.TensorProto.BOOL, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    metadata = Session(path, "cpu").metadata
    assert not session.run(["forward.late"], metadata.probes.feeds())[0].any()
    files = sorted(drawings_folder.glob("*.ndjson.gz"))[::8]
    drawings = [sketch.strokes for file in files for sketch in read_sketches(str(file))]
    late = session.run(["forward.late"], {"strokes": to_batch(drawings, metadata.sequence_length)[0]})[0]
    assert late.mean() <= 0.01
