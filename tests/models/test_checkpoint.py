"""Checkpoints as this project saves them in safetensors, and files that are no checkpoint at all."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sketch_infer import InputError, ModelFileError, OutputError
from sketch_models import SketchRNNConfig, load_checkpoint, save_checkpoint
from tests import tiny
from tests.models.state_dicts import damaged, same_weights
from tests.networks import TINY, make_model


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


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 not a zip", b"\x80\x02garbage"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_garbage_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"expected a state dict|not a readable"):
        load_checkpoint(path)


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
