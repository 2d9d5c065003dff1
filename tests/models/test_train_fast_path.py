"""The training path computes SketchRNN's own function and gradients."""

import numpy as np
import pytest
import torch
from torch import nn

from sketch_models import SketchRNN
from sketch_models.training.network.fast_path import FastSketchRNN
from sketch_models.training.network.gates import Gates
from sketch_models.training.network.lstm_scan import lstm_scan
from sketch_models.training.network.smooth_head import time_basis

HIDDEN, POINTS, CLASSES = 8, 40, 3


def sketches(lengths: list[int], points: int = POINTS) -> torch.Tensor:
    rng = np.random.default_rng(0)
    batch = torch.zeros(len(lengths), points, 3)
    for row, length in zip(batch, lengths, strict=True):
        row[:length, :2] = torch.from_numpy(rng.normal(0, 0.1, (length, 2)))
        row[:length, 2] = torch.from_numpy(rng.random(length) < 0.2)
    return batch


def network(settle: int, points: int = POINTS) -> FastSketchRNN:
    torch.manual_seed(0)
    core = SketchRNN(3, HIDDEN, 1, dropout=0.0, sequence_length=points)
    return FastSketchRNN(core, CLASSES, settle=settle, dtype=torch.float32)


@pytest.mark.parametrize(("has_bfloat16", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_the_recurrence_runs_in_bfloat16_only_where_the_processor_has_it(
    has_bfloat16: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has_bfloat16)
    assert FastSketchRNN(SketchRNN(3, HIDDEN, 1, sequence_length=POINTS), CLASSES).dtype == dtype


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("steps", [1, 6])
def test_lstm_scan_is_torchs_lstm_with_its_gradients(backwards: bool, steps: int) -> None:
    torch.manual_seed(1)
    lstm = nn.LSTM(5, HIDDEN)
    inputs, h_0, c_0 = torch.randn(steps, 4, 5), torch.randn(1, 4, HIDDEN), torch.randn(1, 4, HIDDEN)
    weights = torch.randn(steps, 4, HIDDEN)
    leaves = [inputs, h_0, c_0, *lstm.parameters()]
    for leaf in leaves:
        leaf.requires_grad_()
    expected = lstm(inputs.flip(0) if backwards else inputs, (h_0, c_0))[0]
    expected = expected.flip(0) if backwards else expected
    double_g = torch.ones(4 * HIDDEN, 1)
    double_g[2 * HIDDEN : 3 * HIDDEN] = 2
    w_ih, w_hh, b_ih, b_hh = lstm.parameters()
    projected = inputs @ (w_ih * double_g).t() + (b_ih + b_hh) * double_g[:, 0]
    states = lstm_scan(projected, w_hh * double_g, h_0[0], c_0[0], backwards)
    torch.testing.assert_close(states, expected)
    ours = torch.autograd.grad((states * weights).sum(), leaves)
    for gradient, reference in zip(ours, torch.autograd.grad((expected * weights).sum(), leaves), strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lengths", [[1, 5, 7], [12, 30, 40], [40, 40, 40], [29, 31, 30]])
def test_exact_path_is_sketch_rnns_function(lengths: list[int]) -> None:
    fast = network(settle=POINTS)
    batch = sketches(lengths)
    expected = fast.to_sketch_rnn(CLASSES)(batch)[1]
    torch.testing.assert_close(fast(batch, torch.tensor(lengths)).logits, expected, rtol=1e-5, atol=1e-6)
    cut = batch[:, : max(lengths)]
    torch.testing.assert_close(fast(cut, torch.tensor(lengths)).logits, expected, rtol=1e-5, atol=1e-6)


def test_exact_path_has_sketch_rnns_gradients() -> None:
    fast, lengths = network(settle=POINTS), [3, 9, 20]
    core, batch, weights = fast.core, sketches(lengths), torch.randn(3, CLASSES)
    leaves = [tensor for name, tensor in fast.named_parameters() if not name.startswith("core.fc_mu1")]
    ours = torch.autograd.grad((fast(batch, torch.tensor(lengths)).logits * weights).sum(), leaves)
    stem = core.conv1d_3(core.conv1d_2(core.conv1d_1((batch * fast.input_scale).transpose(1, 2))))
    states = core.lstm_1(stem.transpose(1, 2))[0]
    features = torch.einsum("kt,bth->bkh", time_basis(core.config.time_steps), states).flatten(1)
    reference = torch.autograd.grad((fast.head(features) * weights).sum(), leaves)
    for gradient, expected in zip(ours, reference, strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


def test_skipping_padding_approaches_the_network_with_more_steps_to_settle() -> None:
    lengths = [5, 20, 30]
    errors = []
    for settle in (2, 8, 60):
        fast = network(settle, points=150)
        for _ in range(20):
            fast.follow()
        batch = sketches(lengths, 150)
        with torch.no_grad():
            got = fast(batch, torch.tensor(lengths))
        error = got.logits - fast.to_sketch_rnn(CLASSES)(batch)[1]
        errors.append(float(error.detach().abs().max()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-6


def test_unsettled_measures_the_distance_to_the_fixed_point() -> None:
    lengths = torch.tensor([5, 20, 30])
    distances = []
    for settle in (1, 10, 60):
        fast = network(settle, points=150)
        for _ in range(20):
            fast.follow()
        distances.append(float(fast(sketches([5, 20, 30], 150), lengths).unsettled.detach()))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-10


def test_settling_rate_is_what_a_step_leaves_of_a_distance_from_rest() -> None:
    fast = network(settle=4, points=80)
    for _ in range(40):
        fast.follow()
    gates, rest = fast.gates()[0], fast.tails[0, -1]
    directions = torch.randn(2, 50, HIDDEN)
    rate = gates.settling_rate(rest, directions)
    # The same by the step itself, from states that are a little off.
    off = 1e-3 * directions.double()
    exact = Gates(gates.window.double(), gates.bias.double(), gates.recurrent.double())
    h, c = (rest.double()[:, None] + off).detach()
    for _ in range(24):
        h, c = exact.step(h, c)
    h_0, c_0 = rest.double()[:, None].detach()
    for _ in range(24):
        h_0, c_0 = exact.step(h_0, c_0)
    left = torch.stack([h - h_0, c - c_0]).norm() / off.norm()
    torch.testing.assert_close(rate.double(), left ** (1 / 24), rtol=1e-3, atol=0)


def test_settling_rate_falls_by_its_gradient() -> None:
    fast = network(settle=4)
    batch, lengths, directions = sketches([12, 20]), torch.tensor([12, 20]), torch.randn(2, 50, HIDDEN)
    optimizer = torch.optim.Adam(fast.parameters(), 0.02)
    rates = []
    for _ in range(30):
        fast.follow()
        rate = fast(batch, lengths, directions=directions).settling_rate
        rates.append(rate.item())
        optimizer.zero_grad()
        rate.backward()
        optimizer.step()
    assert rates[0] > 0.5
    assert rates[-1] < rates[0] - 0.1


def test_input_scale_is_folded_without_rounding() -> None:
    fast = network(settle=4)
    scale = fast.input_scale[:, None]
    assert scale.max() > 1
    assert torch.equal(fast.to_sketch_rnn(2).conv1d_1.weight / scale, fast.core.conv1d_1.weight)


def test_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="n_layers 1, found 2"):
        FastSketchRNN(SketchRNN(3, HIDDEN, 1, n_layers=2, sequence_length=POINTS), CLASSES)
