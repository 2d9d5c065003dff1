"""Learning from finished networks: `sketch-train --teacher`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sketch_models import SketchRNN, load_checkpoint
from sketch_models.training.cli import main
from sketch_models.training.data.augment import Augmentation
from sketch_models.training.data.dataset import read_drawings
from sketch_models.training.loss import TEACHING, TEACHING_TEMPERATURE, classification_loss
from sketch_models.training.network.fast_path import FastSketchRNN
from sketch_models.training.recipe import Phase, Recipe
from sketch_models.training.trainer import Trainer
from tests.models.drawn_classes import TINY, train, two_classes, write

PHASE = Phase("fine", 1, 1e-3, 1e-5, 0.2, 0.0, 0.3, 1.0, Augmentation(), outliers=0.5)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return two_classes(tmp_path / "data")


def log_softmax(values: np.ndarray) -> np.ndarray:
    centered: np.ndarray = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    return centered


def test_the_loss_is_that_of_labels_and_teachers() -> None:
    random = np.random.default_rng(0)
    logits, *answers = random.normal(0, 3, (3, 6, 5))  # of five classes, three of them targets
    labels = np.array([0, 1, 2, 2, 3, 4])

    def among(rows: slice, n: int) -> float:
        own, own_labels = logits[rows, :n], labels[rows]
        hard = -log_softmax(own)[np.arange(len(own)), own_labels].sum()
        taught = np.mean([np.exp(log_softmax(one[rows, :n] / TEACHING_TEMPERATURE)) for one in answers], axis=0)
        soft = -(taught * log_softmax(own / TEACHING_TEMPERATURE)).sum() * TEACHING_TEMPERATURE**2
        return float((1 - TEACHING) * hard + TEACHING * soft)

    expected = 0.3 * among(slice(6), 5) + among(slice(4), 3) - 0.5 * log_softmax(logits[4:, :3]).mean(axis=1).sum()
    tensors = [torch.from_numpy(values) for values in (logits, labels, *answers)]
    found = classification_loss(tensors[0], tensors[1], 3, PHASE, 0.0, tensors[2:])
    assert found.item() == pytest.approx(expected)


def test_a_network_learns_from_teachers(data: Path, tmp_path: Path) -> None:
    teacher, taught, other = (tmp_path / f"{name}.safetensors" for name in ("teacher", "taught", "other"))
    larger = [str(data), "-o", str(teacher), *TINY, "--epochs", "1", "--hidden-size", "16"]
    assert CliRunner().invoke(main, larger).exit_code == 0
    result = train(data, "-o", taught, "--epochs", 1, "--teacher", teacher, "--teacher", teacher)
    assert result.exit_code == 0, result.output
    assert "--teacher teacher.safetensors --teacher teacher.safetensors" in load_checkpoint(taught).metadata["training"]
    assert train(data, "-o", other, "--epochs", 1).exit_code == 0
    heads = [load_checkpoint(path).model.fc_mu1.weight for path in (taught, other)]
    assert not torch.equal(*heads)

    resumed = train(data, "-o", taught, "--epochs", 1, "--resume")  # without them it would be another run
    assert resumed.exit_code == 2
    assert "teachers" in resumed.output


def test_teachers_answer_to_whole_copies_of_their_own(data: Path) -> None:
    drawings, _ = read_drawings(data, ("circle", "cross"))
    cores = [SketchRNN(3, 8, 1, sequence_length=40) for _ in range(2)]
    net, teacher = (FastSketchRNN(core, 2) for core in cores)
    read: dict[str, list[tuple[torch.Tensor, ...]]] = {"net": [], "teacher": []}
    net.register_forward_pre_hook(lambda _, given: read["net"].append(given))
    teacher.register_forward_pre_hook(lambda _, given: read["teacher"].append(given))
    cut = Phase("train", 1, 1e-3, 1e-5, 0.0, 0.0, 1.0, 0.0, Augmentation(rotation=5.0, unfinished=1.0))
    list(Trainer(net, drawings, 2, Recipe((cut,), workers=1), [teacher]).run())
    for (seen, steps, *_), (copies, copies_steps, *_) in zip(read["net"], read["teacher"], strict=True):
        assert set(copies_steps.tolist()) == set((drawings.lengths - 1).tolist())
        assert (steps < copies_steps).float().mean() > 0.5
        assert not torch.isclose(seen[:, 0], copies[:, 0]).all(dim=1).any()


def test_a_teacher_that_cannot_teach_is_refused(data: Path, tmp_path: Path) -> None:
    teacher, taught = tmp_path / "teacher.safetensors", tmp_path / "taught.safetensors"
    assert train(data, "-o", teacher, "--epochs", 1).exit_code == 0
    shorter = CliRunner().invoke(
        main, [str(data), "-o", str(taught), "--teacher", str(teacher), *TINY, "--sequence-length", "30"]
    )
    assert shorter.exit_code == 2
    assert "expected a teacher of 30 points, found 40" in shorter.output
    write(data, "moon", [[[[0, 9, 0], [0, y, y]]] for y in range(20, 60)], first_id=9000)
    unknown = train(data, "-o", taught, "--teacher", teacher)
    assert unknown.exit_code == 2
    assert "expected a teacher that knows all classes; it does not know moon" in unknown.output
    nothing = train(data, "-o", taught, "--from", teacher, "--teacher", teacher, "--epochs", 0)
    assert nothing.exit_code == 2
    assert "expected --teacher without --epochs 0" in nothing.output
    assert not taught.exists()
