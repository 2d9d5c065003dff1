"""sketch-train --codes: drawings of a class get codes of a kind, and the network stays as it was."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from sketch_infer.model.codes import CODE
from sketch_infer.strokes.preprocess import drawing_to_sketch, to_batch
from sketch_models import SketchHash, load_checkpoint, run_eager
from sketch_models.training.cli import main
from sketch_models.training.hashing.retrieval import retrieve, signs
from tests.models.drawn_classes import circle, cross, train, two_classes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codes")
    assert train(two_classes(folder / "data"), "-o", folder / "classes.safetensors", "--epochs", 8).exit_code == 0
    return folder


def run(folder: Path, *more: object) -> Result:
    return CliRunner().invoke(main, [str(folder / "data"), "-o", str(folder / "codes.safetensors"), *map(str, more)])


def test_a_network_gets_codes_and_stays_as_it_was(folder: Path) -> None:
    result = run(folder, "--codes", 32, "--from", folder / "classes.safetensors")
    assert result.exit_code == 0, result.output
    assert "mean average precision" in result.output
    before, after = (load_checkpoint(folder / f"{name}.safetensors") for name in ("classes", "codes"))
    assert isinstance(after.model, SketchHash)
    assert after.model.hash_layer.code_bits == 32
    assert (after.labels, after.metadata["training"]) == (before.labels, before.metadata["training"])
    assert after.metadata["codes"].startswith("sketch-train --codes 32 --seed 0, ")
    changed = after.model.state_dict()
    assert all(torch.equal(tensor, changed[name]) for name, tensor in before.model.state_dict().items())
    rng = np.random.default_rng(1)
    drawings = [*(circle(rng) for _ in range(10)), *(cross(rng) for _ in range(10))]
    batch, _ = to_batch([drawing_to_sketch(drawing) for drawing in drawings], 40)
    codes = signs(run_eager(after.model, batch)[CODE])
    labels = np.repeat([0, 1], 10)
    assert retrieve(codes, labels, codes, labels).mean_average_precision > 0.95


def test_codes_need_a_network(folder: Path) -> None:
    for more in ((), ("--from", folder / "classes.pt")):
        result = run(folder, "--codes", 64, *more)
        assert result.exit_code == 2
        assert "expected --codes with --from FILE.safetensors, the network that gets codes" in result.output


def test_codes_may_be_added_in_place(tmp_path: Path) -> None:
    path = tmp_path / "codes.safetensors"
    path.write_text("no checkpoint")
    two_classes(tmp_path / "data")
    assert "codes.safetensors: not a readable safetensors file" in run(tmp_path, "--codes", 32, "--from", path).output


def test_codes_refuse_what_is_for_classes(folder: Path) -> None:
    result = run(folder, "--codes", 64, "--from", folder / "classes.safetensors", "--epochs", 3)
    assert result.exit_code == 2
    assert "expected --codes without --epochs, which is for training classes" in result.output
    assert run(folder, "--codes", 12, "--from", folder / "classes.safetensors").exit_code == 2


def test_mean_average_precision_by_hand() -> None:
    gallery = np.array([[1.0], [0.9], [0.8], [0.7]], np.float32)
    found = retrieve(np.ones((1, 1), np.float32), np.array([5]), gallery, np.array([5, 2, 5, 2]))
    assert found.mean_average_precision == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert (found.precision, found.first) == (0.5, 4)
