"""The user's own answers and modules: another network with the same weights is not exported as if it were ours."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sketch_export import export_onnx
from sketch_export.checks.expected import Expected, check_expected
from sketch_infer import Classifier, InputError, ParityError
from sketch_infer.array_types import FloatArray
from sketch_models import SketchRNN
from tests.networks import TINY, make_model
from tests.support import Run, random_sketches

Module = TypeVar("Module", bound=nn.Module)

STROKES = random_sketches(12, TINY.sequence_length, seed=3)


class Own(nn.Module):
    """A user's class: SketchRNN's attribute names, and a forward pass that may be another one."""

    def __init__(self, activation: Callable[[Tensor], Tensor] = torch.clone, scale: float = 1.0) -> None:
        super().__init__()
        for name, layer in make_model().named_children():
            self.add_module(name, layer)
        self.activation, self.scale = activation, scale

    def forward(self, x: Tensor) -> Tensor:
        x = self.scale * x.transpose(1, 2)
        for number in (1, 2, 3):
            x = self.get_submodule(f"conv1d_{number}")(x)
            x = self.get_submodule(f"dropout_{number}")(self.activation(x))
        x = self.get_submodule("lstm_1")(x.transpose(1, 2))[0]
        logits: Tensor = self.get_submodule("fc_mu1")(x.flatten(1))
        return logits


def logits_of(module: nn.Module, strokes: FloatArray = STROKES) -> FloatArray:
    with torch.no_grad():
        return np.asarray(module(torch.from_numpy(strokes)).numpy())


def softmax(logits: FloatArray) -> FloatArray:
    return torch.from_numpy(logits).softmax(dim=1).numpy()


def log_softmax(logits: FloatArray) -> FloatArray:
    return torch.from_numpy(logits).log_softmax(dim=1).numpy()


OWN = logits_of(Own().eval())

DIFFERENT: dict[str, tuple[dict[str, FloatArray], str]] = {
    "ReLU": ({"logits": logits_of(Own(nn.ReLU()).eval())}, "your network has a ReLU after each convolution"),
    "tanh": ({"log_probs": log_softmax(logits_of(Own(nn.Tanh()).eval()))}, "has a Tanh after each convolution"),
    "pixels": ({"logits": logits_of(Own(scale=1 / 255).eval())}, "your network reads the strokes times 0.003922"),
    "columns": ({"logits": logits_of(Own().eval(), STROKES[:, :, [2, 0, 1]].copy())}, r"reads \(pen, dx, dy\)"),
    "probabilities": ({"logits": softmax(OWN)}, "they are probabilities: record what your head gives"),
    "log-probabilities": ({"logits": log_softmax(OWN)}, "they are log-probabilities: record them as log_probs"),
    "softmax twice": ({"log_probs": log_softmax(softmax(OWN))}, "they went through softmax twice"),
    "dropout": ({"logits": logits_of(Own().train())}, r"as much as dropout makes: call model\.eval\(\)"),
    "weights": ({"logits": OWN + random_sketches(12, 5)[:, :, 0] * 30}, "no common cause explains it"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_answers_of_another_network(what: str) -> None:
    outputs, words = DIFFERENT[what]
    model = make_model()
    with pytest.raises(ParityError, match=words) as raised:
        check_expected(model, Expected.of("own.npz", STROKES, outputs, model))
    assert str(raised.value).startswith("own.npz: its log")
    assert "\n" not in str(raised.value)


def test_answers_of_the_same_network() -> None:
    model = make_model()
    outputs = {"logits": OWN, "log_probs": log_softmax(OWN)}
    check = check_expected(model, Expected.of("own.npz", STROKES, outputs, model))
    assert check
    assert check.found.startswith("12 sketches of own.npz within ")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.save(make_model().state_dict(), tmp_path / "own.pt")
    return tmp_path / "own.pt"


def test_export_and_verify_with_expected_answers(
    sketch_export: Run, tmp_path: Path, checkpoint: Path, tiny_onnx: Path
) -> None:
    same, other, output = tmp_path / "same.npz", tmp_path / "other.npz", tmp_path / "own.onnx"
    np.savez(same, strokes=STROKES, logits=OWN)
    np.savez(other, strokes=STROKES, logits=DIFFERENT["ReLU"][0]["logits"])
    export = ["onnx", "--checkpoint", checkpoint, "--output", output, "--sequence-length", 24]
    result = sketch_export(*export, "--expected", other)
    assert result.exit_code == 1
    assert "your network has a ReLU after each convolution" in result.stderr
    assert not output.exists()
    result = sketch_export(*export, "--expected", same)
    assert result.exit_code == 0, result.output
    assert f"12 sketches of {same} within" in " ".join(result.stdout.split())
    verify = ["verify", tiny_onnx, "--checkpoint", checkpoint, "--expected"]
    assert sketch_export(*verify, other).exit_code == 1
    result = sketch_export(*verify, same)
    assert result.exit_code == 0, result.output
    assert "your own answers" in result.stdout


def test_what_is_assumed_is_said_and_another_length_has_to_be_meant(
    sketch_export: Run, tmp_path: Path, checkpoint: Path
) -> None:
    output = tmp_path / "own.onnx"
    result = sketch_export("onnx", "--checkpoint", checkpoint, "--output", output)
    assert result.exit_code == 2
    said = " ".join(result.stdout.split())
    assert "SketchRNN(3, 6, 5), 24 points" in said
    assert "assumed: Conv1d(3, 48, 5), Conv1d(48, 64, 5), Conv1d(64, 96, 3) with no activation and no padding" in said
    assert "LSTM(96, 6) in both directions, all 14 time steps into Linear(168, 5), log_softmax" in said
    assert "add --sequence-length 24; if its head pools, it is another network" in result.stderr
    result = sketch_export("onnx", "--checkpoint", checkpoint, "--output", output, "--sequence-length", 25)
    assert result.exit_code == 2
    assert "is of a network that reads 24 points" in result.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"strokes": STROKES}, "expected the arrays strokes and logits or log_probs, found strokes"),
        ({"logits": OWN}, "found logits"),
        ({"x": OWN}, "found neither"),
        ({"strokes": STROKES[:, :20], "logits": OWN}, r"strokes of shape \(N, 24, 3\), found \(12, 20, 3\)"),
        ({"strokes": STROKES[:0], "logits": OWN[:0]}, r"found \(0, 24, 3\)"),
        ({"strokes": STROKES, "logits": OWN[:, :4]}, "logits of 12 rows of 5 classes"),
        ({"strokes": STROKES, "logits": OWN * np.nan}, "logits as finite floats, found NaN or infinity"),
        ({"strokes": STROKES, "logits": OWN.astype(object)}, "expected an .npz file of arrays"),
        ({"strokes": STROKES.astype(int), "logits": OWN}, "strokes as finite floats, found int64"),
        ({"strokes": STROKES * np.float64(1e300), "logits": OWN}, r"strokes of at most 1e\+30, found \d"),
    ],
)
def test_expected_answers_that_cannot_be_used(tmp_path: Path, arrays: dict[str, FloatArray], words: str) -> None:
    np.savez(tmp_path / "own.npz", **arrays, allow_pickle=True)
    with pytest.raises(InputError, match=words) as raised:
        Expected.read(tmp_path / "own.npz", make_model())
    assert str(raised.value).startswith(str(tmp_path / "own.npz"))


def test_expected_answers_of_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "own.npz").write_bytes(b"no archive")
    np.save(tmp_path / "own.npy", OWN)
    shutil.copyfile(tmp_path / "own.npy", tmp_path / "renamed.npz")
    with zipfile.ZipFile(tmp_path / "texts.npz", "w") as archive:
        archive.writestr("strokes", "no array")
        archive.writestr("logits", "no array")
    for name, words in {
        "own.npz": "expected an .npz",
        "own.npy": r"found \.npy suffix",
        "none.npz": "none.npz: cannot be read: No such",
        "renamed.npz": "expected an .npz file of arrays, found a single array",
        "texts.npz": "expected strokes as an array, found other bytes",
    }.items():
        with pytest.raises(InputError, match=words):
            Expected.read(tmp_path / name, make_model())


def test_a_module_of_ones_own_is_exported(tmp_path: Path) -> None:
    own = Own().train()
    state = torch.random.get_rng_state()
    assert export_onnx(own, tmp_path / "own.onnx")
    assert own.training
    assert torch.equal(torch.random.get_rng_state(), state)
    found = Classifier(tmp_path / "own.onnx", "cpu").predict(STROKES).logits
    np.testing.assert_allclose(found, OWN, atol=1e-5)


class Subclass(SketchRNN):
    def forward(self, inputs: Tensor, hidden: object = None) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        log_probs, logits = super().forward(inputs.flip(1))
        return log_probs, logits


def broken(module: Module, number: float) -> Module:
    with torch.no_grad():
        module.get_parameter("fc_mu1.weight")[0, 0] = number
    return module


class Headless(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1d_1 = nn.Conv1d(3, 48, 5)


@pytest.mark.parametrize(
    ("module", "error", "words"),
    [
        (Own(nn.ReLU()), ParityError, "Own: its logits differ .* has a ReLU after each convolution"),
        (Subclass.from_config(TINY), ParityError, "Subclass: its .* differ"),
        (Headless(), InputError, r"Headless: not a SketchRNN: expected lstm_1\.weight_hh_l0"),
        (
            broken(make_model(), np.nan),
            InputError,
            r"SketchRNN: expected finite weights, found NaN .* in fc_mu1\.weight",
        ),
        (broken(Own(), np.inf), InputError, r"Own: expected finite weights, found NaN or infinity in fc_mu1\.weight"),
        (broken(make_model().double(), 1e300), InputError, "SketchRNN: expected finite weights"),
        (make_model().to("meta"), InputError, r"SketchRNN: expected weights, found none in conv1d_1\.weight"),
        (Own().to("meta"), InputError, r"Own: expected weights, found none in .* load its weights first"),
        (Own(lambda x: x[:, :, ::2]), InputError, r"Own: does not run on strokes \(12, 24, 3\)"),
    ],
)
def test_a_module_that_is_another_network_is_not_exported(
    tmp_path: Path, module: nn.Module, error: type[Exception], words: str
) -> None:
    state = torch.random.get_rng_state()
    with pytest.raises(error, match=words):
        export_onnx(module, tmp_path / "own.onnx")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert list(tmp_path.iterdir()) == []
