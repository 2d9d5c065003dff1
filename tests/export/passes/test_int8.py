"""The int8 file: its passes in float32 and in int8, what it refuses, and that no row knows of its neighbors."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch

from sketch_export import export_onnx
from sketch_export.checks.proof import check_int8, proof_strokes, prove
from sketch_export.fast_graph import make_fast
from sketch_export.passes.bounded_points import bound_points
from sketch_export.passes.head_blocks import QUANTIZED_MATMUL
from sketch_export.passes.linear_stem import fold_stem
from sketch_export.passes.low_rank_head import FACTORED_HEAD
from sketch_export.passes.tools.int8_weights import WEIGHT_LEVELS, quantize
from sketch_export.sample_drawings import probe_sketches, varied_sketches
from sketch_infer import Classifier, InputError, ModelFileError, default_model
from sketch_infer.checks.parity.report import OutputParity, ParityReport
from sketch_infer.checks.parity.tolerances import INT8_TOLERANCE
from sketch_infer.inference.session import Session
from sketch_infer.readers.files import read_sketches
from sketch_infer.strokes.preprocess import to_batch
from sketch_models import SketchRNN, run_eager
from tests import tiny
from tests.export.passes.graphs import LENGTH, assert_parity, awkward_sketches, long_model, plain_graph, run
from tests.networks import make_model
from tests.support import Run


@pytest.fixture(scope="session")
def int8_onnx() -> Path:
    return default_model("int8")


@pytest.fixture(scope="module")
def model() -> SketchRNN:
    return long_model(sequence_length=LENGTH)


def int8_graph(model: SketchRNN) -> ir.Model:
    graph = plain_graph(model)
    make_fast(graph, probe_sketches(model.config.sequence_length)[1], "int8")
    return graph


def test_bounded_points_change_nothing_in_float32(model: SketchRNN) -> None:
    graph = plain_graph(model)
    fold_stem(graph)
    bound_points(graph)
    strokes = np.clip(awkward_sketches(), -1, 1)
    strokes[0, :4, :2] = np.array([[1, -1], [0.5, -0.5], [0.51, 0.49], [1e-3, -1e-3]])
    assert_parity(run(graph, strokes), model, strokes)


def test_quantized_weights_do_not_saturate_and_are_half_a_step_off_at_most() -> None:
    weight = np.random.default_rng(0).normal(size=(2, 5, 70))
    weight[1, 3] = 0
    integers, scale = quantize(weight)
    assert np.abs(integers).max() == WEIGHT_LEVELS
    assert 2 * WEIGHT_LEVELS * 255 < 2**15
    assert np.all(np.abs(integers * scale[..., None] - weight) <= scale[..., None] * 0.5001)


@pytest.mark.parametrize(
    "sizes",
    [
        {"hidden_size": 24, "output_size": 9, "sequence_length": 150},
        {"hidden_size": 24, "output_size": 9, "sequence_length": 150, "rank": 4},
        {"hidden_size": 5, "output_size": 2, "sequence_length": 11},
        {"hidden_size": 12, "output_size": 4, "sequence_length": 61, "n_layers": 2, "rank": 3},
        {"hidden_size": 12, "output_size": 4, "sequence_length": 61, "n_layers": 3},
    ],
)
def test_int8_is_near_eager(sizes: dict[str, int]) -> None:
    model = long_model(1, **sizes)
    graph = int8_graph(model)
    for batch in (1, 2, 33):
        strokes = proof_strokes(batch, model.config.sequence_length)
        expected = run_eager(model, strokes)["logits"]
        scale = np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
        assert np.abs((run(graph, strokes) - expected) / scale).max() < INT8_TOLERANCE / 2


def test_rows_are_independent_bit_for_bit(int8_onnx: Path) -> None:
    session = Session(int8_onnx, "cpu")
    strokes, _ = to_batch(varied_sketches(24), 196)
    strokes[5] = proof_strokes(1, 196)[0]
    strokes[6:8] = np.random.default_rng(0).choice([-1.0, 1.0], (2, 196, 3))  # outliers: every value at its limit
    together = session.run(strokes)["logits"]
    alone = np.concatenate([session.run(strokes[row : row + 1])["logits"] for row in range(len(strokes))])
    np.testing.assert_array_equal(together, alone)
    order = np.random.default_rng(1).permutation(len(strokes))
    np.testing.assert_array_equal(session.run(strokes[order])["logits"], together[order])


def test_a_sketch_that_settles_late_is_run_in_full() -> None:
    model = long_model(sequence_length=LENGTH)
    size = model.config.hidden_size
    with torch.no_grad():
        # Forget slowly, so that what opened a gate stays.
        model.lstm_1.get_parameter("bias_hh_l0")[size : 2 * size] += 1.8
        model.lstm_1.get_parameter("weight_ih_l0").mul_(4)
        model.lstm_1.get_parameter("weight_hh_l0").mul_(0.1)
    graph = int8_graph(model)
    strokes = np.clip(proof_strokes(12, LENGTH), -1, 1)
    strokes[:, 50:] = 0
    strokes[::2, :50, :2] = np.sign(np.random.default_rng(0).normal(size=(6, 1, 2)))
    (late,) = [node.outputs[0] for node in graph.graph if node.outputs[0].name == "forward.late"]
    late.dtype, late.shape = ir.DataType.BOOL, ir.Shape(["batch"])
    graph.graph.outputs.append(late)
    found = run(graph, strokes, "forward.late")
    assert found[::2].any()
    assert not found[1::2].any()
    logits, expected = run(graph, strokes), run_eager(model, strokes)["logits"]
    scale = np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
    assert np.abs((logits - expected) / scale).max() < INT8_TOLERANCE
    # The late rows do not reach into the others.
    np.testing.assert_array_equal(logits[1::2], run(graph, np.ascontiguousarray(strokes[1::2])))


def test_the_default_file_is_int8_and_small(int8_onnx: Path) -> None:
    assert int8_onnx.stat().st_size <= 1.3e6
    session = Session(int8_onnx, "cpu")
    assert session.metadata.precision == "int8"
    agreement = session.metadata.int8_agreement
    assert agreement["drawings"] == 512
    assert agreement["top1_agreement"] >= 0.99
    assert 0 < agreement["max_logit_difference"] < 0.5
    check_int8(int8_onnx, session.metadata)


def test_real_drawings_get_the_labels_of_fp32(int8_onnx: Path, drawings_folder: Path) -> None:
    files = sorted(drawings_folder.glob("*.ndjson.gz"))[::4]
    sketches = [sketch.strokes[:196] for file in files for sketch in read_sketches(str(file))]
    fp32, int8 = (Classifier(path, "cpu").predict(sketches).labels for path in (default_model(), int8_onnx))
    assert np.mean(np.array(fp32) == np.array(int8)) >= 0.99


def test_what_is_not_int8_is_not_called_so(tmp_path: Path, int8_onnx: Path, default_onnx: Path) -> None:
    metadata = Session(int8_onnx, "cpu").metadata
    with pytest.raises(ModelFileError, match="expected DynamicQuantizeLSTM and no LSTM or Conv in float"):
        check_int8(default_onnx, metadata)
    damaged = onnx.load(int8_onnx)
    modes = next(
        tensor for tensor in damaged.graph.initializer if tensor.name == f"{FACTORED_HEAD.format('reverse')}.int8"
    )
    modes.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(modes).astype(np.float32), modes.name))
    onnx.save(damaged, tmp_path / "damaged.onnx")
    with pytest.raises(ModelFileError, match="expected 1904640 weights of the head in int8, found 0"):
        check_int8(tmp_path / "damaged.onnx", metadata)


def test_a_whole_head_in_float_is_not_called_int8(tmp_path: Path) -> None:
    path = tmp_path / "whole.onnx"
    export_onnx(make_model(), path, precision="int8")
    metadata, damaged = Session(path, "cpu").metadata, onnx.load(path)
    check_int8(path, metadata)
    block = next(node for node in damaged.graph.node if node.op_type == QUANTIZED_MATMUL)
    block.op_type = "MatMul"
    onnx.save(damaged, tmp_path / "damaged.onnx")
    with pytest.raises(ModelFileError, match="expected 840 weights of the head in int8, found 420"):
        check_int8(tmp_path / "damaged.onnx", metadata)


def test_values_beyond_the_range_are_refused(int8_onnx: Path) -> None:
    strokes = np.zeros((3, 10, 3))
    strokes[1, 4] = (0.5, -1.5, 0)
    with pytest.raises(InputError, match=r"expected strokes between -1 and 1 for an int8 model, found 1\.5; min-max"):
        Classifier(int8_onnx, "cpu").predict(strokes, input_format="network")


def test_export_and_verify(sketch_export: Run, sketch_infer: Run, tmp_path: Path, strokes_file: Path) -> None:
    path = tmp_path / "tiny.onnx"
    checkpoint = tmp_path / "tiny.pt"
    torch.save(make_model().state_dict(), checkpoint)
    (tmp_path / "labels.txt").write_text("\n".join(tiny.LABELS))
    options = ("--checkpoint", checkpoint, "--labels", tmp_path / "labels.txt")
    result = sketch_export("onnx", *options, "--output", path, "--int8", "--sequence-length", tiny.LENGTH)
    assert result.exit_code == 0, result.output
    assert "matches eager PyTorch in shapes, dtypes and the label of " in result.stdout
    result = sketch_export("verify", path, "--checkpoint", checkpoint)
    assert result.exit_code == 0, result.output
    assert "512 drawings" in result.stdout
    result = sketch_infer(strokes_file, "--model", path)
    assert [json.loads(line)["label"] in tiny.LABELS for line in result.stdout.splitlines()] == [True] * 7


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--initial-state",), "--int8 takes no --initial-state"),
        (("--graph", "plain"), "--int8 goes with --graph fast"),
    ],
)
def test_what_int8_does_not_take(sketch_export: Run, tmp_path: Path, options: tuple[str, ...], problem: str) -> None:
    result = sketch_export("onnx", "--random-weights", "--output", tmp_path / "m.onnx", "--int8", *options)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not (tmp_path / "m.onnx").exists()


def test_the_library_refuses_the_same(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected the fast graph without initial states for int8"):
        export_onnx(make_model(), tmp_path / "m.onnx", precision="int8", initial_state=True)
    with pytest.raises(ValueError, match="expected precision fp32 or int8, found 'fp16'"):
        export_onnx(make_model(), tmp_path / "m.onnx", precision="fp16")  # type: ignore[arg-type]


def test_precision_chooses_the_model(sketch_infer: Run, strokes_file: Path, default_onnx: Path) -> None:
    fp32, int8 = (
        json.loads(sketch_infer(strokes_file, *options, "--format", "json").stdout)[0]["probability"]
        for options in ((), ("--precision", "int8"))
    )
    assert fp32 == pytest.approx(int8, abs=0.1)
    assert fp32 != int8
    result = sketch_infer(strokes_file, "--model", default_onnx, "--precision", "int8")
    assert result.exit_code == 2
    assert "--precision chooses between the files of an installed model" in result.stderr


def test_too_few_equal_labels_fail() -> None:
    row = OutputParity("8 drawings", "logits", (8, 2), (8, 2), "f", "f", 0.1, 0.05, 0.1, 0, 0, 0.75, min_agreement=0.99)
    report = ParityReport((row,))
    assert not report
    assert report.summary.endswith("the same label for 75.0% of rows, expected 99%")


def test_other_weights_are_found(int8_onnx: Path) -> None:
    assert Session(int8_onnx, "cpu").metadata.weights_sha256 == Session(default_model(), "cpu").metadata.weights_sha256
    session = onnxruntime.InferenceSession(int8_onnx, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_outputs()] == ["log_probs", "logits"]
    with pytest.raises(Exception, match="exported from other weights"):
        prove(int8_onnx, long_model(sequence_length=LENGTH))
