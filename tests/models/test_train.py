"""sketch-train on drawings made here: two classes that a tiny network can tell apart."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from sketch_infer.errors import InputError
from sketch_infer.strokes.preprocess import drawing_to_sketch
from sketch_models import load_checkpoint
from sketch_models.training.data.augment import Augmentation, stroke_batch, vary
from sketch_models.training.data.dataset import read_drawings
from sketch_models.training.data.files import read_training_data
from sketch_models.training.judging.accuracy import classify, measure_accuracy
from sketch_models.training.network.smooth_head import head_knots
from tests.models.drawn_classes import circle, cross, train, two_classes, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return two_classes(tmp_path / "data")


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).model.state_dict()


def test_learns_two_classes_and_writes_all_files(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the learning curve needs matplotlib")
    output, plot = tmp_path / "two.safetensors", tmp_path / "two.png"
    result = train(data, "-o", output, "--epochs", 8, "--plot", plot, "--provenance", "made in a test")
    assert result.exit_code == 0, result.output
    checkpoint = load_checkpoint(output)
    assert checkpoint.labels == ("circle", "cross")
    assert checkpoint.metadata["provenance"] == "made in a test"
    assert "--epochs 8" in checkpoint.metadata["training"]
    with safe_open(output, framework="pt") as file:
        assert file.get_slice("fc_mu1.knots").get_shape() == [
            2,
            len(head_knots(checkpoint.model.config.time_steps)),
            16,
        ]
    rng = np.random.default_rng(1)
    fresh = [*(circle(rng) for _ in range(20)), *(cross(rng) for _ in range(20))]
    answers = classify(checkpoint.model, fresh).argmax(axis=1)
    assert (answers == np.repeat([0, 1], 20)).mean() >= 0.95
    history = [json.loads(line) for line in Path(f"{output}.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in history] == list(range(1, 9))
    assert history[-1]["loss"] < history[0]["loss"]
    # The figures of the log are the file's, but for the padding that is skipped and the rounding to float16.
    held = read_drawings(data, ("circle", "cross"))[0].split(0.1)[1]
    best = max(history, key=lambda entry: (entry["val_top1"], -entry["val_loss"]))
    measured = measure_accuracy(checkpoint.model, held)
    assert (measured.top1, measured.top5) == (best["val_top1"], best["val_top5"])
    assert measured.loss == pytest.approx(best["val_loss"], rel=0.02)
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_resumed_run_ends_as_an_uninterrupted_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    assert train(data, "-o", whole, "--epochs", 4).exit_code == 0

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(
            "sketch_models.training.run.plot_learning_curve", stop
        )  # called when the epoch's files are written
        assert train(data, "-o", parts, "--epochs", 4, "--plot", tmp_path / "curve.png").exit_code != 0
    assert len(Path(f"{parts}.jsonl").read_text().splitlines()) == 1
    assert train(data, "-o", parts, "--epochs", 4, "--resume").exit_code == 0
    logs = [
        [{**json.loads(line), "rate": 0, "seconds": 0} for line in Path(f"{path}.jsonl").read_text().splitlines()]
        for path in (whole, parts)
    ]
    assert logs[0] == logs[1]
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(parts)[name])
    other = train(data, "-o", parts, "--epochs", 5, "--resume")
    assert other.exit_code == 2
    assert "expected the settings of the run to resume, found other: recipe" in other.output


def test_pretraining_names_the_targets_only(data: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    write(tmp_path / "further", "wall", [[[[0, 0, 9, 9], [0, int(y), int(y), 0]]] for y in rng.integers(5, 99, 40)])
    write(tmp_path / "val", "circle", [circle(rng) for _ in range(9)], first_id=5000)
    output = tmp_path / "two.safetensors"
    folders = (data, "--val", tmp_path / "val", "--pretrain", tmp_path / "further")
    result = train(*folders, "-o", output, "--pretrain-epochs", 2, "--epochs", 1)
    assert result.exit_code == 0, result.output
    assert load_checkpoint(output).labels == ("circle", "cross")
    history = [json.loads(line) for line in Path(f"{output}.jsonl").read_text().splitlines()]
    assert [(entry["phase"], entry["drawings"]) for entry in history] == [
        ("pretrain", 160),
        ("pretrain", 160),
        ("fine", 128),  # a fifth of the further class's
    ]


def test_stops_early_without_gain(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "two.safetensors"
    result = train(data, "-o", output, "--epochs", 50, "--patience", 2)
    assert "stopped: no gain on val for 2 epochs" in result.output
    assert 3 <= len(Path(f"{output}.jsonl").read_text().splitlines()) < 50


def test_bad_lines_are_counted_and_named(data: Path, tmp_path: Path) -> None:
    (data / "cross.ndjson").write_text('{"word": "cross"}\nno json\n{"drawing": [[[1], [1]]]}\n')
    result = train(data, "-o", tmp_path / "x.safetensors", "--epochs", 1)
    assert result.exit_code == 0, result.output
    assert "3 bad lines left out: cross.ndjson:1: expected a JSON object with" in result.output
    assert "cross.ndjson:3: expected a drawing of at least 2 points, found 1" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere: expected a folder of CLASS.ndjson files, found nothing"),
        (("empty",), "empty: expected files named CLASS.ndjson or CLASS.ndjson.gz, found none"),
        (("data", "--classes", "three.txt"), "expected drawings of every class to train on, found none of square"),
        (("data", "--classes", "one.txt"), "expected at least 2 classes, found circle"),
        (("data", "--val", "other"), "expected a word among the 2 classes, found 'square'"),
        (("data", "--resume"), "expected the state of a run to resume, found nothing"),
        (("data", "-o", "nowhere/x.safetensors"), "expected a file in an existing folder"),
        (("data", "-o", "x.pt"), "expected --output as FILE.safetensors, found x.pt"),
        (
            ("data", "--plot", "x.xyz"),
            "Invalid value for '--plot': expected a file that ends in .png, .svg, .pdf, found x.xyz",
        ),
        (("data", "--from", "old.safetensors", "-o", "old.safetensors"), "--output old.safetensors is also an input"),
        (("data", "--teacher", "old.safetensors", "-o", "old.safetensors"), "--output old.safetensors is also an"),
        (("data", "--classes", "old.safetensors", "-o", "./old.safetensors"), "--output old.safetensors is also an"),
    ],
)
def test_errors_are_one_line_and_exit_with_2(
    arguments: tuple[str, ...], message: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    Path("empty").mkdir()
    Path("three.txt").write_text("circle\ncross\nsquare\n")
    Path("one.txt").write_text("circle\n")
    Path("old.safetensors").write_text("not to be overwritten")
    write(Path("other"), "square", [circle(np.random.default_rng(0))])
    result = train(*(() if "-o" in arguments else ("-o", "x.safetensors")), *arguments)
    assert result.exit_code == 2
    assert message in result.output.splitlines()[-1]
    assert Path("old.safetensors").read_text() == "not to be overwritten"


def test_batches_are_the_preprocessing_s(data: Path) -> None:
    drawings, _ = read_drawings(data, ("circle", "cross"))
    rows = np.array([0, 70, 3, 100])
    batch = stroke_batch(*drawings.padded(rows))
    unvaried = stroke_batch(*vary(*drawings.padded(rows), Augmentation(), np.random.default_rng(0)))
    for got, same, row in zip(batch, unvaried, rows, strict=True):
        sketch = drawing_to_sketch(drawings.strokes(row))
        np.testing.assert_allclose(got[: len(sketch)], sketch, atol=1e-6)
        np.testing.assert_allclose(same[: len(sketch)], sketch, atol=1e-6)
        assert not got[len(sketch) :].any()


def test_varying_keeps_strokes_whole(data: Path) -> None:
    drawings, _ = read_drawings(data, ("circle", "cross"))
    rows = np.arange(60, 120)  # crosses: 2 strokes of 2 points
    how = Augmentation(rotation=8, drop_strokes=0.3, reverse_strokes=0.5, reorder=0.5, mirror=0.5, jitter=0.01)
    xy, pen, lengths = vary(*drawings.padded(rows), how, np.random.default_rng(0))
    assert set(lengths) == {4}  # half of the points is too much to lose
    assert (pen == [False, True, False, True]).all()
    assert np.abs(np.diff(xy, axis=1)[:, ::2]).max() > 0.5
    whole = np.sort(np.linalg.norm(np.diff(xy, axis=1)[:, ::2], axis=2), axis=1)
    assert whole.min() > 1  # each stroke is still a diagonal


def test_split_is_by_key_id_and_keeps_sides(data: Path) -> None:
    drawings, _ = read_drawings(data, ("circle", "cross"))
    kept, held = drawings.split(0.3)
    assert len(kept) + len(held) == len(drawings)
    assert not set(kept.hashes) & set(held.hashes)
    assert 15 <= len(held) <= 60
    again, _ = read_drawings(data, ("cross", "circle"))
    assert set(again.split(0.3)[1].hashes) == set(held.hashes)


def test_unrecognized_drawings_are_left_out_of_training_unless_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write(tmp_path / "data", "circle", [circle(rng)], recognized=False)
    write(tmp_path / "data", "cross", [cross(rng)], 1, recognized=True)
    learned, report = read_drawings(tmp_path / "data", ("circle", "cross"), only_recognized=True)
    assert (len(learned), report.unrecognized) == (1, 1)
    assert len(read_drawings(tmp_path / "data", ("circle", "cross"))[0]) == 2

    data, val = tmp_path / "data", two_classes(tmp_path / "val", first_id=5000)
    assert len(read_training_data([data], val=val, unrecognized=True).train) == 2
    with pytest.raises(InputError, match="found none of circle"):
        read_training_data([data], val=val)
