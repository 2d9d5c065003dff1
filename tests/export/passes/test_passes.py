"""Each graph pass alone and all together against eager PyTorch."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from sketch_export.checks.proof import proof_strokes
from sketch_export.fast_graph import make_fast
from sketch_export.passes.branch_constants import HOST_READ, own_host_constants
from sketch_export.passes.directions import direction_node, split_directions
from sketch_export.passes.explicit_clip import set_clips
from sketch_export.passes.forward_padding import skip_forward_padding
from sketch_export.passes.head_blocks import skip_head_blocks
from sketch_export.passes.linear_stem import fold_stem
from sketch_export.passes.low_rank_head import factor_head
from sketch_export.passes.reached_steps import drop_unreached_steps
from sketch_export.passes.reverse_padding import skip_reverse_padding
from sketch_export.passes.tools.editor import constant_array
from sketch_export.sample_drawings import probe_sketches
from sketch_infer.errors import SketchError
from sketch_infer.model.contract.metadata import Precision
from sketch_models import SketchRNN, run_eager
from tests.export.passes.graphs import (
    LENGTH,
    assert_parity,
    awkward_sketches,
    graph_bytes,
    is_factored,
    long_model,
    plain_graph,
    run,
)


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


@pytest.fixture(scope="module")
def model() -> SketchRNN:
    return long_model(sequence_length=LENGTH)


@pytest.fixture(scope="module")
def low_rank_model() -> SketchRNN:
    return long_model(sequence_length=LENGTH, rank=4)


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


def test_plain_and_fast_have_one_signature(tiny_onnx: Path, tiny_plain_onnx: Path) -> None:
    fast, plain = (onnx.load(path).graph for path in (tiny_onnx, tiny_plain_onnx))
    for kind in ("input", "output"):
        (fast_values, plain_values) = (
            [(value.name, value.type.SerializeToString()) for value in getattr(graph, kind)] for graph in (fast, plain)
        )
        assert fast_values == plain_values
