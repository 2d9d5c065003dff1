"""`sketch-export verify --layers` names the layer where a model file starts to differ."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from sketch_export import export_onnx
from sketch_export.checks.layers import LayerParity, compare_layers, layers_table
from sketch_export.exporter import seal
from sketch_models import SketchRNN, SketchRNNConfig, save_checkpoint
from tests import tiny
from tests.networks import TINY, make_model
from tests.support import Run

PLAIN_TENSORS = [
    "transpose_1",
    "conv1d_1",
    "conv1d_2",
    "conv1d_3",
    "transpose_2",
    "lstm_1.time_first_l0",
    "lstm_1.directions_l0",
    "lstm_1",
    "flatten",
    "logits",
    "log_probs",
]


def first_divergence(comparisons: list[LayerParity]) -> str | None:
    return next((layer.tensor for layer in comparisons if not layer), None)


def damage(source: Path, target: Path, initializer: str) -> None:
    model = onnx.load(source)
    (weight,) = [tensor for tensor in model.graph.initializer if tensor.name == initializer]
    array = numpy_helper.to_array(weight).copy()
    array.reshape(-1)[: max(1, array.size // 2)] *= -1
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    seal(model, target)


def test_every_tensor_of_the_plain_graph_is_compared(tiny_plain_onnx: Path, tiny_model: SketchRNN) -> None:
    comparisons = compare_layers(tiny_plain_onnx, tiny_model)
    outputs = {name for node in onnx.load(tiny_plain_onnx).graph.node for name in node.output if name}
    assert {layer.tensor for layer in comparisons} == outputs
    assert [layer.tensor for layer in comparisons if layer.tensor in PLAIN_TENSORS] == PLAIN_TENSORS
    assert all(comparisons)
    assert all(layer.compared == np.prod(layer.shape) for layer in comparisons)
    assert min(layer.cosine for layer in comparisons) > 0.999999


@pytest.mark.parametrize(
    ("initializer", "layer"),
    [
        ("conv1d_1.weight", "conv1d_1"),
        ("conv1d_2.weight", "conv1d_2"),
        ("conv1d_3.bias", "conv1d_3"),
        ("lstm_1.R_l0", "lstm_1.directions_l0"),
        ("fc_mu1.weight", "logits"),
    ],
)
def test_the_damaged_layer_is_named(
    sketch_export: Run, tiny_plain_onnx: Path, tiny_model: SketchRNN, tmp_path: Path, initializer: str, layer: str
) -> None:
    damage(tiny_plain_onnx, tmp_path / "damaged.onnx", initializer)
    assert first_divergence(compare_layers(tmp_path / "damaged.onnx", tiny_model)) == layer
    save_checkpoint(tmp_path / "weights.safetensors", tiny_model)
    result = sketch_export(
        "verify", tmp_path / "damaged.onnx", "--checkpoint", tmp_path / "weights.safetensors", "--layers"
    )
    assert result.exit_code == 1
    (marked,) = [line for line in result.stdout.splitlines() if "first divergence" in line]
    assert marked.startswith(f"{layer} ")
    assert f"{layer} is the first to differ" in result.stdout


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("initializer", ["lstm_1.reverse.R", "fc_mu1.bias"])
def test_the_fast_graphs(tmp_path: Path, precision: str, initializer: str) -> None:
    model = make_model()
    with_large_bias(model)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, tiny.LABELS, precision=precision, random_weights=True)  # type: ignore[arg-type]
    comparisons = compare_layers(path, model)
    assert all(comparisons), layers_table("", comparisons)
    names = " ".join(layer.tensor for layer in comparisons)
    assert "lstm_1.forward.Y" in names
    assert "lstm_1.reverse.Y" in names
    stored = {tensor.name for tensor in onnx.load(path).graph.initializer}
    damage(path, path, initializer if initializer in stored else f"{initializer}.int8")
    divergence = first_divergence(compare_layers(path, model))
    assert divergence is not None
    assert divergence.startswith("lstm_1.reverse" if "reverse" in initializer else "logits")


def with_large_bias(model: SketchRNN) -> None:
    """So that a damaged bias moves the logits by more than int8's tolerance."""
    model.fc_mu1.bias.data[:] = 2.0


@pytest.mark.parametrize(
    "options", [{"graph": "plain"}, {}, {"precision": "int8", "random_weights": True}], ids=["plain", "fast", "int8"]
)
def test_two_layers(tmp_path: Path, options: dict[str, object]) -> None:
    model = make_model(SketchRNNConfig(3, 7, 4, n_layers=2, sequence_length=30))
    export_onnx(model, tmp_path / "model.onnx", **options)  # type: ignore[arg-type]
    comparisons = compare_layers(tmp_path / "model.onnx", model)
    assert all(comparisons)
    assert sum(layer.tensor.startswith("lstm_1") for layer in comparisons) >= 2


def test_initial_states_are_zeros(tiny_onnx_with_state: Path, tiny_model: SketchRNN) -> None:
    assert all(compare_layers(tiny_onnx_with_state, tiny_model))


def test_another_shape_does_not_hold() -> None:
    nan = float("nan")
    assert not LayerParity("lstm_1", (1, 2), 0, nan, nan, nan, nan, in_int8=False)


def test_steps_beyond_the_last_are_not_compared(tiny_onnx: Path, tiny_model: SketchRNN) -> None:
    reverse = next(layer for layer in compare_layers(tiny_onnx, tiny_model) if layer.tensor == "lstm_1.reverse.Y")
    assert 0 < reverse.compared < np.prod(reverse.shape)
    assert reverse.shape[3] == TINY.hidden_size
