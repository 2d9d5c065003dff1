import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from sketch_infer import InputError, ModelFileError, OutputError
from sketch_models import SketchRNN, SketchRNNConfig, config_from_state_dict, load_checkpoint, save_checkpoint
from tests import tiny
from tests.networks import TINY, make_model


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


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


def test_safetensors_round_trip_keeps_config_labels_and_metadata(tmp_path: Path) -> None:
    model = make_model(SketchRNNConfig(3, 4, 5, dropout=0.3, n_layers=2, sequence_length=20))
    path = tmp_path / "weights.safetensors"
    save_checkpoint(path, model, tiny.LABELS, {"licence": "CC BY 4.0"})
    loaded = load_checkpoint(path)
    assert loaded.model.config == model.config
    assert loaded.labels == tiny.LABELS
    assert loaded.metadata == {"licence": "CC BY 4.0"}
    assert same_weights(loaded.model, model)


def test_half_precision_storage_restores_float32(tmp_path: Path) -> None:
    model = make_model()
    save_checkpoint(tmp_path / "half.safetensors", model, dtype=torch.float16)
    save_checkpoint(tmp_path / "full.safetensors", model)
    restored = load_checkpoint(tmp_path / "half.safetensors").model
    assert same_weights(restored, make_model().half().float())
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * (tmp_path / "full.safetensors").stat().st_size


KNOTS = [0, 1, 5, 13]


def smooth_model(config: SketchRNNConfig = TINY, knots: list[int] = KNOTS) -> SketchRNN:
    """A network whose head is linear in time between the knots."""
    model = make_model(config)
    steps = np.arange(config.time_steps)
    hats = np.stack([np.interp(steps, knots, row) for row in np.eye(len(knots))])
    at_knots = np.random.default_rng(0).normal(size=(config.output_size, len(knots), 2 * config.hidden_size))
    head = np.einsum("nkh,kt->nth", at_knots, hats).reshape(config.output_size, -1)
    model.load_state_dict({**model.state_dict(), "fc_mu1.weight": torch.from_numpy(head)})
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_head_is_stored_by_its_knots(tmp_path: Path, dtype: torch.dtype) -> None:
    model = smooth_model()
    save_checkpoint(tmp_path / "knots.safetensors", model, tiny.LABELS, dtype=dtype, head_knots=KNOTS)
    loaded = load_checkpoint(tmp_path / "knots.safetensors")
    assert loaded.labels == tiny.LABELS
    assert loaded.metadata == {}
    head, found = model.fc_mu1.weight, loaded.model.fc_mu1.weight
    torch.testing.assert_close(found, head, rtol=0, atol=2 * torch.finfo(dtype).eps * float(head.detach().abs().max()))
    by_time = found.detach().double().view(len(head), TINY.time_steps, -1).permute(1, 0, 2).flatten(1)
    sizes = torch.linalg.svdvals(by_time)
    assert sizes[len(KNOTS)] <= 1e-7 * sizes[0] < sizes[len(KNOTS) - 1]
    # What was restored loses nothing when it is stored again.
    save_checkpoint(tmp_path / "again.safetensors", loaded.model, dtype=dtype, head_knots=KNOTS)
    assert same_weights(load_checkpoint(tmp_path / "again.safetensors").model, loaded.model)
    save_checkpoint(tmp_path / "whole.safetensors", loaded.model, tiny.LABELS)
    assert same_weights(load_checkpoint(tmp_path / "whole.safetensors").model, loaded.model)


def test_a_head_in_8_bits_is_near_and_loses_nothing_when_it_is_stored_again(tmp_path: Path) -> None:
    model, path, again = smooth_model(), tmp_path / "counted.safetensors", tmp_path / "again.safetensors"
    save_checkpoint(path, model, dtype=torch.float16, head_knots=KNOTS, head_in_8_bits=True)
    found = load_checkpoint(path).model
    shape = (TINY.output_size, TINY.time_steps, 2 * TINY.hidden_size)
    before, after = (network.fc_mu1.weight.detach().view(shape)[:, KNOTS] for network in (model, found))
    assert ((after - before).abs() <= before.abs().amax(dim=2, keepdim=True) / 253).all()  # half a count, and rounding
    save_checkpoint(again, found, dtype=torch.float16, head_knots=KNOTS, head_in_8_bits=True)
    torch.testing.assert_close(load_checkpoint(again).model.state_dict(), found.state_dict(), rtol=1e-6, atol=0)
    state = load_file(path)
    assert state["fc_mu1.knots"].dtype == torch.int8
    with safe_open(path, "pt") as file:
        texts = file.metadata()
    for wrong in ({**state, "fc_mu1.scales": torch.ones(3)}, {**state, "fc_mu1.knots": state["fc_mu1.knots"].half()}):
        save_file(wrong, path, metadata=texts)
        with pytest.raises(ModelFileError, match=r"expected fc_mu1.knots of torch.int8 .*, found"):
            load_checkpoint(path)


def test_one_time_step_is_one_knot(tmp_path: Path) -> None:
    model = make_model(SketchRNNConfig(3, 4, 2, sequence_length=11))
    save_checkpoint(tmp_path / "knots.safetensors", model, head_knots=[0])
    assert same_weights(load_checkpoint(tmp_path / "knots.safetensors").model, model)


def test_a_head_that_is_not_linear_between_the_knots_is_not_stored_by_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a head that is linear between the knots"):
        save_checkpoint(tmp_path / "knots.safetensors", make_model(), head_knots=KNOTS)
    with pytest.raises(ValueError, match=r"expected head_knots that rise from 0 to 13, found \[0, 5\]"):
        save_checkpoint(tmp_path / "knots.safetensors", smooth_model(), head_knots=[0, 5])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("knots", "shape", "words"),
    [
        ("[0, 5, 1, 13]", (5, 4, 12), "rise from 0 to 13"),
        ("[0, 1, 5, 14]", (5, 4, 12), "rise from 0 to 13"),
        ('{"0": 1}', (5, 4, 12), "rise from 0 to 13"),
        ("[0, 1.5, 13]", (5, 3, 12), "rise from 0 to 13"),
        ("[]", (5, 0, 12), "rise from 0 to 13"),
        ("[0, 1", (5, 4, 12), "not a SketchRNN checkpoint"),
        ("[0, 13]", (5, 4, 12), r"fc_mu1.knots of shape \(5, 2, 12\), found \(5, 4, 12\)"),
        ("[0, 1, 5, 13]", None, r"fc_mu1.knots of shape \(5, 4, 12\), found None"),
    ],
)
def test_knots_that_do_not_fit_are_refused(
    tmp_path: Path, knots: str, shape: tuple[int, ...] | None, words: str
) -> None:
    state = damaged("fc_mu1.weight", None) | ({"fc_mu1.knots": torch.zeros(shape)} if shape else {})
    texts = {"config": json.dumps(TINY.to_dict()), "head_knots": knots}
    save_file(state, tmp_path / "weights.safetensors", metadata=texts)
    with pytest.raises(ModelFileError, match=words):
        load_checkpoint(tmp_path / "weights.safetensors")


def test_safetensors_without_metadata_loads(tmp_path: Path) -> None:
    save_file(make_model().state_dict(), tmp_path / "bare.safetensors")
    assert load_checkpoint(tmp_path / "bare.safetensors").model.config == TINY


def test_saving_refuses_labels_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected 5 labels"):
        save_checkpoint(tmp_path / "weights.safetensors", make_model(), ["one"])
    assert list(tmp_path.iterdir()) == []


def test_saving_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        save_checkpoint(tmp_path / "missing" / "weights.safetensors", make_model())


def damaged(name: str, value: torch.Tensor | None) -> dict[str, torch.Tensor]:
    state = dict(make_model().state_dict())
    if value is None:
        del state[name]
    else:
        state[name] = value
    return state


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
    ("sizes", "words"),
    [
        ({"n_layers": 10**7}, "expected 10000000 LSTM layers, as its config says, found the tensors of 1"),
        ({"sequence_length": 10**9}, "expected a head of less than 2147483648 bytes"),
        ({"hidden_size": 10**12}, "not a SketchRNN checkpoint"),
        ({"sequence_length": 196}, "expected fc_mu1.weight of shape"),
    ],
)
def test_a_config_of_absurd_sizes_is_refused_at_once(tmp_path: Path, sizes: dict[str, int], words: str) -> None:
    texts = {"config": json.dumps({**TINY.to_dict(), **sizes})}
    save_file(make_model().state_dict(), tmp_path / "weights.safetensors", metadata=texts)
    with pytest.raises(ModelFileError, match=words):
        load_checkpoint(tmp_path / "weights.safetensors")
    if "sequence_length" in sizes:  # a head by its knots would be as large as the config says
        state = damaged("fc_mu1.weight", None) | {"fc_mu1.knots": torch.zeros(5, 2, 12)}
        texts["head_knots"] = json.dumps([0, sizes["sequence_length"] - 11])
        save_file(state, tmp_path / "knots.safetensors", metadata=texts)
        if sizes["sequence_length"] > 196:
            with pytest.raises(ModelFileError, match=words):
                load_checkpoint(tmp_path / "knots.safetensors")


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


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 not a zip", b"\x80\x02garbage"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_garbage_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"expected a state dict|not a readable"):
        load_checkpoint(path)


def test_pickled_objects_are_not_unpickled(tmp_path: Path) -> None:
    torch.save(make_model(), tmp_path / "model.pt")
    with pytest.raises(ModelFileError, match="other pickled objects"):
        load_checkpoint(tmp_path / "model.pt")


def test_missing_file_folder_and_suffix(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="found nothing"):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(ModelFileError, match="found a folder"):
        load_checkpoint(tmp_path)
    (tmp_path / "weights.h5").touch()
    with pytest.raises(ModelFileError, match=r"found \.h5 suffix"):
        load_checkpoint(tmp_path / "weights.h5")


@pytest.mark.parametrize(
    "metadata",
    [
        {"config": "{"},
        {"config": json.dumps({"hidden_size": 6})},
        {"config": json.dumps({**TINY.to_dict(), "hidden_size": 7})},
        {"config": "[3, 6, 5]"},
        {"labels": json.dumps(["one"])},
        {"labels": json.dumps({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5})},
        {"labels": json.dumps(["same"] * 5)},
    ],
)
def test_wrong_metadata_is_refused(tmp_path: Path, metadata: dict[str, str]) -> None:
    save_file(make_model().state_dict(), tmp_path / "weights.safetensors", metadata)
    with pytest.raises(ModelFileError, match="not a SketchRNN checkpoint"):
        load_checkpoint(tmp_path / "weights.safetensors")


def test_config_from_published_state_dict() -> None:
    assert config_from_state_dict(SketchRNN(3, 256, 40).state_dict()) == SketchRNNConfig(3, 256, 40)
