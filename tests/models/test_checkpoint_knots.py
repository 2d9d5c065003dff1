"""Checkpoints whose head is stored by its knots, in floats or in 8 bits."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sketch_infer import ModelFileError
from sketch_models import SketchRNN, SketchRNNConfig, load_checkpoint, save_checkpoint
from tests import tiny
from tests.models.state_dicts import damaged, same_weights
from tests.networks import TINY, make_model

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
