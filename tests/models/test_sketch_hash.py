from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sketch_infer import ModelFileError
from sketch_infer.model.codes import CODE, EMBEDDING, pack_code
from sketch_models import HashLayer, SketchHash, load_checkpoint, run_eager, save_checkpoint
from tests import tiny
from tests.networks import TINY, make_hash, make_model
from tests.support import random_sketches

STROKES = random_sketches(70, TINY.sequence_length)


def test_classes_are_those_of_the_network_without_codes() -> None:
    found, expected = run_eager(make_hash(), STROKES), run_eager(make_model(), STROKES)
    assert list(found) == [*expected, EMBEDDING, CODE]
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("code_bits", [8, 64])
def test_the_code_is_the_signs_of_the_embedding(code_bits: int) -> None:
    found = run_eager(make_hash(code_bits=code_bits), STROKES)
    assert found[EMBEDDING].shape == (70, code_bits)
    np.testing.assert_allclose(np.linalg.norm(found[EMBEDDING], axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(found[CODE], pack_code(found[EMBEDDING]))
    assert found[CODE].dtype == np.uint8


def test_bits_come_in_bytes() -> None:
    with pytest.raises(ValueError, match="expected code_bits as a multiple of 8, found 12"):
        HashLayer(5, 12)


def test_a_checkpoint_keeps_the_hash_layer(tmp_path: Path) -> None:
    model, path = make_hash(), tmp_path / "codes.safetensors"
    save_checkpoint(path, model, tiny.LABELS)
    loaded = load_checkpoint(path).model
    assert isinstance(loaded, SketchHash)
    assert not loaded.training
    found, expected = run_eager(loaded, STROKES), run_eager(model, STROKES)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


DAMAGED: dict[str, dict[str, Tensor | None]] = {
    "missing": {"fc_1.weight": None},
    "no bias": {"fc_2.bias": None},
    "another width": {"fc_1.weight": torch.zeros(256, 6)},
    "of integers": {"fc_2.bias": torch.zeros(16, dtype=torch.int32)},
    "no whole bytes": {"fc_2.bias": torch.zeros(12)},
    "infinite": {"fc_2.bias": torch.full((16,), torch.inf)},
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_hash_layer_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "codes.safetensors"
    save_checkpoint(path, make_hash())
    state = load_file(path)
    for name, tensor in DAMAGED[what].items():
        del state[f"hash_layer.{name}"]
        if tensor is not None:
            state[f"hash_layer.{name}"] = tensor
    save_file(state, path)
    with pytest.raises(ModelFileError, match=r"hash_layer|code_bits"):
        load_checkpoint(path)
