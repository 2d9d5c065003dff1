"""Any network: the plain, fast and int8 files are as near to it as their dtype allows, or are refused because of it.

What a dtype allows is measured, not hoped for: when every weight moves as rounding moves it, the network in float64
moves its logits by that dtype's noise. Chaotic networks have noise beyond any tolerance; eager PyTorch is wrong then.

`pytest tests/export/passes/test_properties.py --hypothesis-profile thorough` draws more networks.
"""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import event, given
from hypothesis import strategies as st

from sketch_export import NotProvenError, export_onnx
from sketch_export.checks.proof import BATCHES, proof_strokes
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.parity.report import ParityReport
from sketch_infer.checks.parity.tolerances import INT8_TOLERANCE, TRUTH_FACTOR, TRUTH_FLOOR
from sketch_infer.inference.session import Session
from sketch_models import SketchRNN, SketchRNNConfig, run_eager
from tests.networks import make_model

FP32_STEP = 2.0**-24
"""Half of a float32's last digit, relative."""
INT8_STEP = 1 / 128
"""Half of a step of a weight in int8, of 64 levels to either side, relative to the largest weight of its row."""

NOISE_FACTOR = 8
"""Weights are rounded once, but activations at every step; and the largest of a few draws is not the largest of all."""

INT8_FLOOR = 1e-3
"""What skipping padding may change of a state in int8."""


@dataclass(frozen=True)
class Network:
    """What is drawn: sizes, and how extreme the weights are."""

    config: SketchRNNConfig
    seed: int
    weight_scale: float
    saturated: bool

    def build(self) -> SketchRNN:
        model = make_model(self.config, self.seed)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name.startswith("lstm_1"):
                    weight.mul_(self.weight_scale)
                    if self.saturated and "bias_ih" in name:
                        weight.add_(20 * torch.sign(weight))
        return model


networks = st.builds(
    Network,
    config=st.builds(
        SketchRNNConfig,
        input_size=st.just(3),
        hidden_size=st.integers(1, 24),
        output_size=st.integers(2, 9),
        n_layers=st.integers(1, 2),
        sequence_length=st.integers(12, 60),
    ),
    seed=st.integers(0, 1000),
    weight_scale=st.sampled_from([0.01, 0.3, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]),
    saturated=st.booleans(),
)
stroke_scales = st.sampled_from([1e-6, 1e-2, 1.0, 50.0, 1e3])


def error(logits: npt.NDArray[np.floating], exact: npt.NDArray[np.floating]) -> float:
    """Return the largest difference in units of the rows' scale."""
    scale = np.maximum(1.0, np.abs(exact).max(axis=1, keepdims=True))
    return float((np.abs(logits - exact) / scale).max())


def sketches(network: Network, scale: float) -> FloatArray:
    strokes = proof_strokes(16, network.config.sequence_length, seed=network.seed + 1)
    strokes[:, :, :2] *= np.float32(scale)
    return strokes


def noise(model: SketchRNN, strokes: FloatArray, step: float, of_row: bool) -> float:
    """Return how far logits move, in units of scale, when every weight is off by up to a step of itself or its row."""
    exact = run_eager(model, strokes, dtype=torch.float64)["logits"]
    generator = torch.Generator().manual_seed(0)
    largest = 0.0
    for _ in range(3):
        moved = copy.deepcopy(model).double()
        with torch.no_grad():
            for weight in moved.parameters():
                span = weight.abs().amax(dim=-1, keepdim=True) if of_row else weight.abs()
                draw = torch.rand(weight.shape, generator=generator, dtype=torch.float64)
                weight.add_(step * span * (2 * draw - 1))
        logits = run_eager(moved, strokes, dtype=torch.float64)["logits"]
        largest = max(largest, error(logits, exact))
    return largest


def proof_noise(model: SketchRNN, step: float, of_row: bool) -> float:
    """Return the noise on the strokes that the export's proof runs."""
    length = model.config.sequence_length
    return max(noise(model, proof_strokes(batch, length), step, of_row) for batch in BATCHES)


def export_or_refuse(model: SketchRNN, path: Path, **options: object) -> ParityReport:
    """Return the proof, whether it holds or not."""
    try:
        report = export_onnx(model, path, **options)  # type: ignore[arg-type]
    except NotProvenError as refused:
        report = refused.report
    event("proven" if report else "refused")
    return report


@pytest.mark.parametrize("graph", ["plain", "fast"])
@given(network=networks, stroke_scale=stroke_scales)
def test_fp32(tmp_path_factory: pytest.TempPathFactory, graph: str, network: Network, stroke_scale: float) -> None:
    model = network.build()
    path = tmp_path_factory.mktemp("drawn") / "model.onnx"
    report = export_or_refuse(model, path, graph=graph)
    if not report:
        own = max(row.eager_error for row in report.rows if np.isfinite(row.eager_error))
        allowed = max(own, NOISE_FACTOR * proof_noise(model, FP32_STEP, of_row=False))
        # From here on the proof's bound, twice eager's own error and the floor, depends on how lucky eager is.
        assert allowed > TRUTH_FLOOR, f"refused, though float32 is good enough: {report.summary}"
        return
    strokes = sketches(network, stroke_scale)
    exact = run_eager(model, strokes, dtype=torch.float64)["logits"]
    own = max(
        error(run_eager(model, strokes)["logits"], exact), NOISE_FACTOR * noise(model, strokes, FP32_STEP, of_row=False)
    )
    assert error(Session(path, "cpu").run(strokes)["logits"], exact) <= TRUTH_FACTOR * own + TRUTH_FLOOR


@given(network=networks, stroke_scale=st.sampled_from([1e-6, 1e-2, 0.3]))
def test_int8(tmp_path_factory: pytest.TempPathFactory, network: Network, stroke_scale: float) -> None:
    model = network.build()
    path = tmp_path_factory.mktemp("drawn") / "model.onnx"
    # "random": their labels are near ties, which no share of equal labels can judge
    report = export_or_refuse(model, path, random_weights=True, precision="int8")
    if not report:
        allowed = NOISE_FACTOR * proof_noise(model, INT8_STEP, of_row=True)
        assert allowed > INT8_TOLERANCE, f"refused, though int8 is good enough: {report.summary}"
        return
    strokes = sketches(network, stroke_scale)
    exact = run_eager(model, strokes, dtype=torch.float64)["logits"]
    allowed = NOISE_FACTOR * noise(model, strokes, INT8_STEP, of_row=True) + INT8_FLOOR
    assert error(Session(path, "cpu").run(strokes)["logits"], exact) <= allowed


def test_weights_beyond_float32_are_refused_and_named(tmp_path: Path) -> None:
    chaotic = Network(SketchRNNConfig(3, 16, 5, sequence_length=60), 0, 16.0, saturated=False).build()
    with pytest.raises(NotProvenError, match="these weights ask for more than float32") as refused:
        export_onnx(chaotic, tmp_path / "model.onnx")
    assert max(row.eager_error for row in refused.value.report.rows if np.isfinite(row.eager_error)) > 1e-4
    assert not (tmp_path / "model.onnx").exists()
