"""Checkpoints that PyTorch saved, as training scripts write them, and those of other contents."""

import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from sketch_infer import ModelFileError
from sketch_models import SketchRNN, SketchRNNConfig, config_from_state_dict, load_checkpoint
from tests.models.state_dicts import damaged, same_weights
from tests.networks import TINY, make_model


@pytest.mark.parametrize(
    "config",
    [TINY, SketchRNNConfig(3, 4, 7, n_layers=3, sequence_length=30), SketchRNNConfig(5, 8, 2, sequence_length=12)],
)
def test_sizes_are_read_off_a_bare_state_dict(tmp_path: Path, config: SketchRNNConfig) -> None:
    model = make_model(config)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    loaded = load_checkpoint(tmp_path / "weights.pt")
    assert loaded.model.config == config
    assert loaded.labels is None
    assert not loaded.model.training
    assert same_weights(loaded.model, model)


def test_a_state_dict_of_another_class_loads(tmp_path: Path) -> None:
    class Theirs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc_mu1 = nn.Linear(2 * 6 * 14, 5)
            self.lstm_1 = nn.LSTM(96, 6, 1, bidirectional=True, batch_first=True)
            self.conv1d_1, self.conv1d_2, self.conv1d_3 = (
                nn.Conv1d(3, 48, 5),
                nn.Conv1d(48, 64, 5),
                nn.Conv1d(64, 96, 3),
            )

    theirs = Theirs()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    loaded = load_checkpoint(tmp_path / "theirs.pth").model
    assert loaded.config == TINY
    assert torch.equal(loaded.state_dict()["fc_mu1.weight"], theirs.fc_mu1.weight)


def without(part: str) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in make_model().state_dict().items() if part not in name}


def prefixed(prefix: str, seed: int = 0) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in make_model(seed=seed).state_dict().items()}


OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]}


@pytest.mark.parametrize(
    ("file", "saved", "notes"),
    [
        ("ddp.pt", prefixed("module."), ["the weights were found at module."]),
        ("compiled.pth", prefixed("_orig_mod.module."), ["the weights were found at _orig_mod.module."]),
        (
            "lightning.ckpt",
            {
                "epoch": 4,
                "state_dict": prefixed("net.") | {"loss.weight": torch.ones(5)},
                "optimizer_states": [OPTIMIZER],
            },
            [
                "the weights were found at state_dict: net.",
                "tensors that are no part of the network were left out: loss.weight",
            ],
        ),
        ("best.pth.tar", {"arch": "rnn", "state_dict": prefixed("")}, ["the weights were found at state_dict"]),
        (
            "train.bin",
            {"model_state_dict": prefixed(""), "optimizer_state_dict": OPTIMIZER},
            ["the weights were found at model_state_dict"],
        ),
        (
            "averaged.pt",
            {"n_averaged": torch.tensor(7), **prefixed("module.")},
            ["the weights were found at module."],
        ),
        ("double.pt", make_model().double().state_dict(), []),
    ],
)
def test_checkpoints_as_training_scripts_write_them(
    tmp_path: Path, file: str, saved: dict[str, object], notes: list[str]
) -> None:
    torch.save(saved, tmp_path / file)
    loaded = load_checkpoint(tmp_path / file)
    assert same_weights(loaded.model, make_model())
    assert list(loaded.notes) == notes
    assert not loaded.has_config


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_of_a_state_dict(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.save(make_model().to(dtype).state_dict(), tmp_path / "half.pt")
    assert same_weights(load_checkpoint(tmp_path / "half.pt").model, make_model().to(dtype).float())


def test_files_of_before_torch_1_6(tmp_path: Path) -> None:
    torch.save(make_model().state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert same_weights(load_checkpoint(tmp_path / "old.pt").model, make_model())


def test_tensors_that_were_saved_on_cuda(tmp_path: Path) -> None:
    torch.save(make_model().state_dict(), tmp_path / "cpu.pt")
    with zipfile.ZipFile(tmp_path / "cpu.pt") as cpu, zipfile.ZipFile(tmp_path / "cuda.pt", "w") as cuda:
        for name in cpu.namelist():  # what torch.save writes for them, but for the device of each storage
            cuda.writestr(name, cpu.read(name).replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"))
    assert same_weights(load_checkpoint(tmp_path / "cuda.pt").model, make_model())


def test_a_torchscript_archive_says_how_to_save_its_weights(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and still around
        torch.jit.save(torch.jit.script(nn.Linear(3, 2)), tmp_path / "script.pt")
    with pytest.raises(ModelFileError, match=r"TorchScript archive; save its weights with torch.save\(torch.jit"):
        load_checkpoint(tmp_path / "script.pt")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (damaged("fc_mu1.bias", None), "fc_mu1.bias"),
        (damaged("conv1d_1.weight", None), "conv1d_1.weight"),
        (damaged("lstm_1.weight_ih_l0", torch.zeros(24, 95)), "lstm_1.weight_ih_l0"),
        (damaged("extra.weight", torch.zeros(1)), "extra.weight"),
        (damaged("fc_mu1.weight", torch.zeros(5, 167)), "multiple of 12"),
        (damaged("fc_mu1.bias", torch.full((5,), torch.nan)), "finite weights"),
        (damaged("lstm_1.weight_hh_l0", torch.zeros(0, 0)), "with values"),
        (damaged("fc_mu1.bias", torch.zeros(5, dtype=torch.int64)), "float dtype, found torch.int64"),
        (damaged("fc_mu1.bias", torch.zeros(5, dtype=torch.complex64)), "float dtype, found torch.complex64"),
        ({1: torch.zeros(2)}, "found a dict with 1"),
        ({"w": torch.zeros(2)}, "conv1d_1.weight"),
        ({"model": make_model().state_dict(), "ema": make_model(seed=1).state_dict()}, "found them at model and ema"),
        (
            prefixed("model.") | prefixed("ema.module.", seed=1),
            r"found them at model\. and ema\.module\.; save",
        ),
        (prefixed("") | prefixed("ema.", seed=1), r"found them at the file itself and ema\.;"),
        ({"optimizer": {"state": {}}, "epoch": 3}, "found a dict with epoch, optimizer"),
        (damaged("fc_mu2.weight", torch.zeros(5, 168)), "expected no tensors fc_mu2.weight: the network has one head"),
        (damaged("conv1d_2.weight", torch.zeros(64, 48, 3)), r"conv1d_2.weight of shape \(64, 48, 5\), found .*3\)"),
        (without("_reverse"), "weight_ih_l0_reverse.* found none; the LSTM has to be bidirectional"),
        (without("bias"), "conv1d_1.bias, .* bias=False"),
        (
            damaged("fc_mu1.weight", torch.zeros(5, 12)),
            "a head that reads the mean or the last state",
        ),
        ([torch.zeros(2)], "found list"),
    ],
)
def test_other_contents_are_refused(tmp_path: Path, state: object, words: str) -> None:
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(ModelFileError, match=words) as raised:
        load_checkpoint(tmp_path / "weights.pt")
    assert str(raised.value).startswith(str(tmp_path / "weights.pt"))
    assert "\n" not in str(raised.value)


def test_pickled_objects_are_not_unpickled(tmp_path: Path) -> None:
    torch.save(make_model(), tmp_path / "model.pt")
    with pytest.raises(ModelFileError, match="other pickled objects"):
        load_checkpoint(tmp_path / "model.pt")


def test_config_from_published_state_dict() -> None:
    assert config_from_state_dict(SketchRNN(3, 256, 40).state_dict()) == SketchRNNConfig(3, 256, 40)
