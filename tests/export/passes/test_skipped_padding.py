"""Padding is skipped as far as rows allow, and what cannot skip it says so."""

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
from sketch_export.passes.directions import direction_node, split_directions
from sketch_export.passes.forward_padding import skip_forward_padding
from sketch_export.passes.tools.settling import DoesNotSettle
from sketch_export.sample_drawings import probe_sketches
from sketch_infer.inference.installed import default_model
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.metadata import Precision
from sketch_infer.readers.files import read_sketches
from sketch_infer.strokes.preprocess import to_batch
from tests.export.passes.graphs import (
    LENGTH,
    assert_parity,
    awkward_sketches,
    expose,
    graph_bytes,
    is_factored,
    long_model,
    plain_graph,
    run,
)


@pytest.fixture(scope="module")
def plain_bytes() -> bytes:
    return graph_bytes(long_model(sequence_length=LENGTH))


@pytest.fixture(scope="module")
def low_rank_bytes() -> bytes:
    return graph_bytes(long_model(sequence_length=LENGTH, rank=4))


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
    assert head.startswith("the head is exported at full size: its weights do not have the smooth form that ")
    assert_parity(run(graph, proof_strokes(9, 60)), model, proof_strokes(9, 60))


@pytest.mark.parametrize(("n_layers", "initial_state"), [(2, False), (1, True)])
def test_what_cannot_skip_padding_says_so(tmp_path: Path, n_layers: int, initial_state: bool) -> None:
    model = long_model(n_layers=n_layers, sequence_length=40, rank=2)
    report = export_onnx(model, tmp_path / "model.onnx", initial_state=initial_state)
    (note,) = report.notes
    assert note.startswith("padding is not skipped: ")
    assert "Conv" not in {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert is_factored(ir.load(tmp_path / "model.onnx"))


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
