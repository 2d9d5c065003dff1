"""What only a machine with an NVIDIA GPU can show. Everywhere else these tests skip and say what is missing."""

import json
from pathlib import Path

import numpy as np
import pytest

from sketch_export import export_onnx, prove
from sketch_export.checks.layers import compare_layers, layers_table
from sketch_export.checks.proof import proof_strokes
from sketch_infer import Classifier
from sketch_infer.checks.self_check import self_check
from sketch_infer.inference.cuda import CUDA
from sketch_models import SketchRNN, SketchRNNConfig
from tests.networks import make_model
from tests.support import SAMPLES, Run

pytestmark = pytest.mark.cuda


@pytest.fixture(autouse=True)
def _needs_cuda(tiny_onnx: Path) -> None:
    classifier = Classifier(tiny_onnx, "auto")
    if classifier.provider != CUDA:
        pytest.skip(f"CUDA does not start here: {classifier.cuda_missing}")


@pytest.mark.parametrize(
    "config",
    [SketchRNNConfig(3, 256, 40), SketchRNNConfig(3, 33, 7, n_layers=2, sequence_length=40)],
    ids=["published", "two layers"],
)
@pytest.mark.parametrize("initial_state", [False, True])
def test_parity_on_cuda(tmp_path: Path, config: SketchRNNConfig, initial_state: bool) -> None:
    model: SketchRNN = make_model(config)
    export_onnx(model, tmp_path / "model.onnx", initial_state=initial_state)
    report = prove(tmp_path / "model.onnx", model, "cuda")
    assert report, str(report)


def test_no_rows_on_cuda(tiny_onnx: Path) -> None:
    assert Classifier(tiny_onnx, "cuda").predict(np.zeros((0, 24, 3))).logits.shape == (0, 5)


def test_cuda_and_cpu_agree_on_labels(tiny_onnx: Path) -> None:
    strokes = proof_strokes(64, 24)
    on_cuda, on_cpu = (Classifier(tiny_onnx, provider).predict(strokes) for provider in ("cuda", "cpu"))
    np.testing.assert_allclose(on_cuda.logits, on_cpu.logits, atol=1e-5)


def test_the_command_on_cuda(sketch_infer: Run, tiny_onnx: Path) -> None:
    result = sketch_infer(SAMPLES / "drawings.ndjson", "--model", tiny_onnx, "--provider", "cuda", "--format", "json")
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)) == 8
    assert "running on CUDAExecutionProvider" in sketch_infer(SAMPLES / "drawings.npy", "--model", tiny_onnx).stderr


@pytest.mark.parametrize("graph", ["plain", "fast"])
def test_the_self_check_on_cuda(tiny_onnx: Path, tiny_plain_onnx: Path, graph: str) -> None:
    report = self_check(tiny_onnx if graph == "fast" else tiny_plain_onnx, "cuda")
    assert report, str(report)


@pytest.mark.parametrize("graph", ["plain", "fast"])
def test_the_layers_on_cuda(tiny_onnx: Path, tiny_plain_onnx: Path, graph: str) -> None:
    comparisons = compare_layers(tiny_onnx if graph == "fast" else tiny_plain_onnx, make_model(), "cuda")
    assert all(comparisons), str(layers_table("", comparisons))


def test_the_verify_command_on_cuda(sketch_export: Run, tmp_path: Path) -> None:
    from sketch_models import save_checkpoint

    save_checkpoint(tmp_path / "weights.safetensors", make_model())
    for arguments in (
        ["onnx", "--output", tmp_path / "model.onnx"],
        ["verify", tmp_path / "model.onnx", "--provider", "cuda"],
    ):
        assert sketch_export(*arguments, "--checkpoint", tmp_path / "weights.safetensors").exit_code == 0
