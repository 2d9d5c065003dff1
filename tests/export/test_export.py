import itertools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sketch_export import export_onnx
from sketch_export.checks.proof import BATCHES, proof_strokes
from sketch_export.weights import weights_sha256
from sketch_infer import InputError, OutputError, to_batch
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import OUTPUTS
from sketch_models import SketchRNN, SketchRNNConfig, run_eager
from tests import tiny
from tests.networks import float64_weights, make_model
from tests.reference import run_reference
from tests.support import ROOT

CONFIGS = [
    SketchRNNConfig(3, hidden_size, output_size, n_layers=n_layers, sequence_length=sequence_length)
    for (hidden_size, output_size), n_layers, sequence_length in itertools.product(
        [(4, 3), (33, 10)],
        [1, 2],
        [11, 40],  # 11 leaves the LSTM a single step
    )
]


def mixed_lengths(sequence_length: int, seed: int) -> FloatArray:
    """Sketches of every kind of length, padded: empty, one point, short, full, and one that had to be cut."""
    random = np.random.default_rng(seed)
    lengths = [0, 1, sequence_length // 3, sequence_length - 1, sequence_length, sequence_length + 5]
    batch, n_cut = to_batch([random.normal(0, 0.3, (n, 3)).astype(np.float32) for n in lengths], sequence_length)
    assert n_cut == 1
    return batch


def assert_close(found: FloatArray, expected: np.ndarray, logits: np.ndarray) -> None:
    scale = np.maximum(1, np.abs(logits).max(axis=1, keepdims=True))
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.all(np.abs(found - expected) <= FP32_TOLERANCE * scale)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_parity_with_eager_and_the_equations(tmp_path: Path, config: SketchRNNConfig) -> None:
    seed = CONFIGS.index(config)
    model = make_model(config, seed)
    path = tmp_path / "model.onnx"
    assert export_onnx(model, path)
    session = Session(path, "cpu")
    for batch in (*BATCHES, 5):
        strokes = proof_strokes(batch, config.sequence_length, seed=99)
        eager, reference = run_eager(model, strokes), run_reference(float64_weights(model), strokes)
        found = session.run(strokes)
        for name in OUTPUTS:
            assert_close(found[name], eager[name], eager["logits"])
            assert_close(found[name], reference[name], reference["logits"])
    strokes = mixed_lengths(config.sequence_length, seed)
    eager, found = run_eager(model, strokes), session.run(strokes)
    for name in OUTPUTS:
        assert_close(found[name], eager[name], eager["logits"])


def test_parity_of_large_logits(tmp_path: Path) -> None:
    model = make_model()
    with torch.no_grad():
        for parameter in model.lstm_1.parameters():
            parameter.mul_(4)
        model.fc_mu1.weight.mul_(50)
    report = export_onnx(model, tmp_path / "model.onnx")
    assert report
    assert np.abs(run_eager(model, proof_strokes(8, 24))["logits"]).max() > 5


@pytest.mark.parametrize("n_layers", [1, 2])
def test_initial_state(tmp_path: Path, n_layers: int) -> None:
    config = SketchRNNConfig(3, 6, 5, n_layers=n_layers, sequence_length=24)
    model = make_model(config)
    path = tmp_path / "model.onnx"
    report = export_onnx(model, path, initial_state=True)
    assert {row.case for row in report.rows} >= {"batch 7", "batch 7, h_0 and c_0"}
    session = Session(path, "cpu")
    strokes = proof_strokes(4, 24)
    random = np.random.default_rng(3)
    h_0, c_0 = random.uniform(-1, 1, (2, n_layers * 2, 4, 6)).astype(np.float32)
    reference = run_reference(float64_weights(model), strokes, (h_0.astype(np.float64), c_0.astype(np.float64)))
    found = session.run(strokes, {"h_0": h_0, "c_0": c_0})
    assert_close(found["logits"], reference["logits"], reference["logits"])
    swapped = session.run(strokes, {"h_0": c_0, "c_0": h_0})
    assert not np.allclose(found["logits"], swapped["logits"], atol=1e-4)
    zeros = session.run(strokes)
    assert_close(zeros["logits"], run_eager(model, strokes)["logits"], reference["logits"])


@pytest.mark.parametrize(("opset", "ir_version"), [(18, 8), (19, 9), (20, 9)])
def test_opset_and_oldest_ir_version(tmp_path: Path, opset: int, ir_version: int) -> None:
    path = tmp_path / "model.onnx"
    assert export_onnx(make_model(), path, opset=opset)
    model = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert model.ir_version == ir_version


def test_the_graph_is_the_network_op_for_op(tiny_plain_onnx: Path) -> None:
    graph = onnx.load(tiny_plain_onnx).graph
    assert [node.op_type for node in graph.node] == [
        "Transpose",
        *["Conv"] * 3,
        "Transpose",
        *["Transpose", "LSTM", "Transpose", "Reshape"],
        "Transpose",
        "Reshape",
        "Gemm",
        "LogSoftmax",
    ]
    initializers = {tensor.name for tensor in graph.initializer}
    lstm = next(node for node in graph.node if node.op_type == "LSTM")
    assert list(lstm.input)[1:] == ["lstm_1.W_l0", "lstm_1.R_l0", "lstm_1.B_l0"]
    assert set(lstm.input[1:]) <= initializers


def test_onnxruntimes_quantizer_takes_the_file(tmp_path: Path, tiny_plain_onnx: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(tiny_plain_onnx, tmp_path / "int8.onnx")
    operations = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert {"DynamicQuantizeLSTM", "MatMulInteger"} <= operations  # not hidden behind Slice and Concat
    # ONNX Runtime itself opens it: the runtime opens only what sketch-export writes.
    whole, int8 = (
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(
            ["logits"], {"strokes": proof_strokes(8, 24)}
        )[0]
        for path in (tiny_plain_onnx, tmp_path / "int8.onnx")
    )
    assert 0 < np.abs(whole - int8).max() < 0.1


def test_the_file_says_which_engines_it_is_for(tiny_onnx: Path, tiny_plain_onnx: Path) -> None:
    assert "sequence_lens" in onnx.load(tiny_onnx).doc_string
    assert "--graph plain" in onnx.load(tiny_onnx).doc_string
    assert "sequence_lens" not in onnx.load(tiny_plain_onnx).doc_string


def test_only_the_batch_axis_is_dynamic(tiny_onnx_with_state: Path) -> None:
    graph = onnx.load(tiny_onnx_with_state).graph
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {
        "strokes": ["batch", 24, 3],
        "h_0": [2, "batch", 6],
        "c_0": [2, "batch", 6],
        "log_probs": ["batch", 5],
        "logits": ["batch", 5],
    }


def test_equal_weights_give_equal_files(tmp_path: Path, tiny_onnx: Path) -> None:
    export_onnx(make_model(), tmp_path / "again.onnx", tiny.LABELS)
    assert (tmp_path / "again.onnx").read_bytes() == tiny_onnx.read_bytes()


def test_the_file_says_nothing_of_the_machine(tiny_onnx: Path) -> None:
    content = tiny_onnx.read_bytes()
    assert str(ROOT).encode() not in content
    assert b"site-packages" not in content


def test_metadata(tiny_onnx: Path, tiny_model: SketchRNN) -> None:
    metadata = Session(tiny_onnx, "cpu").metadata
    assert metadata.labels == tiny.LABELS
    assert metadata.sequence_length == 24
    assert metadata.preprocessing.startswith("stroke-3")
    assert not metadata.random_weights
    assert metadata.weights_sha256 == weights_sha256(tiny_model)
    assert metadata.tolerance["fp32"] == FP32_TOLERANCE
    assert metadata.tool_versions["torch"] == torch.__version__


def test_probes_hold_eager_pytorch_and_onnx_meets_them(tiny_onnx: Path, tiny_model: SketchRNN) -> None:
    session = Session(tiny_onnx, "cpu")
    probes = session.metadata.probes
    assert {"bicycle", "empty", "dense", "over-long"} <= set(probes.names)
    assert isinstance(probes.sketches, np.ndarray)
    eager = run_eager(tiny_model, probes.sketches)
    found = session.run(probes.sketches)
    for name in OUTPUTS:
        np.testing.assert_array_equal(probes.outputs[name], eager[name])
        assert_close(found[name], probes.outputs[name], eager["logits"])


def test_the_callers_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = make_model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    export_onnx(model, tmp_path / "model.onnx")
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected 5 labels"):
        export_onnx(make_model(), tmp_path / "model.onnx", ["one"])
    with pytest.raises(InputError, match="reads 3 values per point"):
        export_onnx(make_model(SketchRNNConfig(5, 4, 2, sequence_length=11)), tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="opset from 18 to 20"):
        export_onnx(make_model(), tmp_path / "model.onnx", opset=21)
    with pytest.raises(InputError, match=r"ends in \.onnx"):
        export_onnx(make_model(), tmp_path / "model.json")
    for odd in (2.0, -0.1, float("nan"), "half"):
        with pytest.raises(ValueError, match="expected a probability between 0 and 1, found"):
            export_onnx(make_model(), tmp_path / "model.onnx", reject_below=odd)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("threshold", [np.float32(0.5), 1])
def test_a_threshold_of_another_type_of_number(tmp_path: Path, threshold: float) -> None:
    assert export_onnx(make_model(), tmp_path / "model.onnx", reject_below=threshold)
    assert Session(tmp_path / "model.onnx", "cpu").metadata.reject_below == threshold


def test_unwritable_output(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        export_onnx(make_model(), tmp_path / "missing" / "model.onnx")


@pytest.mark.parametrize("rows_per_run", [1, 3])
def test_rows_are_independent_bit_for_bit(default_onnx: Path, rows_per_run: int) -> None:
    session = Session(default_onnx, "cpu")
    strokes = proof_strokes(24, session.metadata.sequence_length)
    together = session.run(strokes)
    apart = [session.run(strokes[start : start + rows_per_run]) for start in range(0, 24, rows_per_run)]
    for name in OUTPUTS:
        np.testing.assert_array_equal(together[name], np.concatenate([part[name] for part in apart]))


def test_the_default_model_is_within_the_providers_kernels(default_onnx: Path) -> None:
    model = onnx.load(default_onnx, load_external_data=False)
    assert model.ir_version <= 10
    assert max(entry.version for entry in model.opset_import) <= 20
    assert onnxruntime.InferenceSession(str(default_onnx), providers=["CPUExecutionProvider"])


def test_one_class_is_no_choice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two classes or more, found one"):
        export_onnx(SketchRNN(3, 4, 1, sequence_length=24), tmp_path / "one.onnx")
    assert list(tmp_path.iterdir()) == []
