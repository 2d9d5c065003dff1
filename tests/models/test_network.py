import numpy as np
import pytest
import torch

from sketch_export.checks.proof import proof_strokes
from sketch_infer.model.contract.tensors import OUTPUTS
from sketch_models import SketchRNN, SketchRNNConfig, run_eager
from tests.networks import TINY, float64_weights, make_model
from tests.reference import run_reference

TWO_LAYERS = SketchRNNConfig(3, 4, 3, n_layers=2, sequence_length=15)


def test_published_sizes_give_the_published_parameters() -> None:
    model = SketchRNN(3, 256, 40)
    assert {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()} == {
        "conv1d_1.weight": (48, 3, 5),
        "conv1d_1.bias": (48,),
        "conv1d_2.weight": (64, 48, 5),
        "conv1d_2.bias": (64,),
        "conv1d_3.weight": (96, 64, 3),
        "conv1d_3.bias": (96,),
        **{
            f"lstm_1.{name}{suffix}": shape
            for suffix in ("_l0", "_l0_reverse")
            for name, shape in {
                "weight_ih": (1024, 96),
                "weight_hh": (1024, 256),
                "bias_ih": (1024,),
                "bias_hh": (1024,),
            }.items()
        },
        "fc_mu1.weight": (40, 95232),
        "fc_mu1.bias": (40,),
    }
    assert [dropout.p for dropout in (model.dropout_1, model.dropout_2, model.dropout_3)] == [0.1] * 3


@pytest.mark.parametrize("config", [TINY, TWO_LAYERS])
@pytest.mark.parametrize("with_state", [False, True])
def test_eager_meets_the_equations(config: SketchRNNConfig, with_state: bool) -> None:
    model = make_model(config)
    strokes = proof_strokes(5, config.sequence_length)
    random = np.random.default_rng(1)
    shape = (config.n_layers * 2, 5, config.hidden_size)
    state = {name: random.uniform(-1, 1, shape).astype(np.float32) for name in ("h_0", "c_0")} if with_state else None
    hidden = (state["h_0"].astype(np.float64), state["c_0"].astype(np.float64)) if state else None
    expected = run_reference(float64_weights(model), strokes, hidden)
    in_float64 = run_eager(model, strokes, state, torch.float64)
    in_float32 = run_eager(model, strokes, state)
    for name in OUTPUTS:
        np.testing.assert_allclose(in_float64[name], expected[name], rtol=0, atol=1e-12)
        np.testing.assert_allclose(in_float32[name], expected[name], rtol=0, atol=1e-6)


def test_final_state_is_the_last_output_in_the_forward_direction_only() -> None:
    model, size = make_model(), TINY.hidden_size
    x = torch.randn(3, TINY.time_steps, 96)
    output, (h_n, _) = model.lstm_1(x)
    assert torch.equal(h_n[0], output[:, -1, :size])
    assert torch.equal(h_n[1], output[:, 0, size:])
    assert not torch.allclose(h_n[1], output[:, -1, size:])


def test_reference_agrees_on_the_final_states() -> None:
    model = make_model(TWO_LAYERS)
    strokes = proof_strokes(4, TWO_LAYERS.sequence_length)
    states: list[torch.Tensor] = []
    model.double().lstm_1.register_forward_hook(lambda _module, _inputs, output: states.extend(output[1]))
    model(torch.from_numpy(strokes).double())
    expected = run_reference(float64_weights(model), strokes)
    for state, name in zip(states, ("h_n", "c_n"), strict=True):
        np.testing.assert_allclose(state.detach().numpy(), expected[name], rtol=0, atol=1e-12)


def test_there_is_no_activation_between_convolutions() -> None:
    model = make_model().double()
    stem = torch.nn.Sequential(model.conv1d_1, model.conv1d_2, model.conv1d_3)
    a, b = torch.randn(2, 1, 3, TINY.sequence_length, dtype=torch.float64)
    torch.testing.assert_close(stem(a + b) + stem(torch.zeros_like(a)), stem(a) + stem(b))


@pytest.mark.parametrize(
    ("inputs", "hidden", "error", "words"),
    [
        (torch.zeros(2, 24), None, ValueError, ["(batch, 24, 3)", "(2, 24)"]),
        (torch.zeros(2, 24, 4), None, ValueError, ["(batch, 24, 3)", "(2, 24, 4)"]),
        (torch.zeros(2, 23, 3), None, ValueError, ["(batch, 24, 3)", "(2, 23, 3)"]),
        (torch.zeros(2, 24, 3, dtype=torch.float64), None, TypeError, ["torch.float32", "torch.float64"]),
        (torch.zeros(2, 24, 3), (torch.zeros(2, 3, 6), torch.zeros(2, 2, 6)), ValueError, ["h_0", "(2, 2, 6)"]),
        (torch.zeros(2, 24, 3), (torch.zeros(2, 2, 6), torch.zeros(1, 2, 6)), ValueError, ["c_0", "(1, 2, 6)"]),
        (
            torch.zeros(2, 24, 3),
            (torch.zeros(2, 2, 6), torch.zeros(2, 2, 6).double()),
            TypeError,
            ["c_0", "torch.float64"],
        ),
    ],
)
def test_wrong_input_names_expected_and_found(
    inputs: torch.Tensor, hidden: tuple[torch.Tensor, torch.Tensor] | None, error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as raised:
        make_model()(inputs, hidden)
    for word in words:
        assert word in str(raised.value)


def test_config_round_trip() -> None:
    assert SketchRNNConfig.from_dict(TWO_LAYERS.to_dict()) == TWO_LAYERS
    assert SketchRNN.from_config(TWO_LAYERS).config == TWO_LAYERS


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"n_layers": -1}, "n_layers"),
        ({"sequence_length": 10}, "sequence_length as an integer >= 11, found 10"),
        ({"hidden_size": 6.0}, r"hidden_size as an integer >= 1, found 6\.0"),
        ({"hidden_size": "6"}, "hidden_size as an integer >= 1, found '6'"),
        ({"dropout": None}, "dropout"),
        ({"dropout": 1.0}, "dropout"),
        ({"depth": 3}, "depth"),
    ],
)
def test_config_refuses(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SketchRNNConfig.from_dict({**TINY.to_dict(), **changes})


def test_config_refuses_what_has_no_sizes() -> None:
    with pytest.raises(ValueError, match="expected sizes by name"):
        SketchRNNConfig.from_dict({"input_size": 3})
    with pytest.raises(ValueError, match="expected sizes by name"):
        SketchRNNConfig.from_dict([3, 6, 5])


def test_eager_of_no_rows_has_the_right_shapes() -> None:
    outputs = run_eager(make_model(), np.zeros((0, 24, 3), np.float32))
    assert {name: array.shape for name, array in outputs.items()} == {"log_probs": (0, 5), "logits": (0, 5)}
