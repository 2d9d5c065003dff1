import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from sketch_export.checks.hard_cases import first_part, rejection
from sketch_export.exporter import seal
from sketch_infer import drawing_to_sketch
from sketch_models import SketchRNNConfig, load_checkpoint, run_eager, save_checkpoint
from tests import tiny
from tests.networks import make_model
from tests.support import Run


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "weights.safetensors", make_model(), tiny.LABELS)
    return tmp_path / "weights.safetensors"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Random drawings under random words: what counts is that both sides are judged alike."""
    folder = tmp_path / "data"
    folder.mkdir()
    random = np.random.default_rng(0)
    for word in tiny.LABELS:
        lines = [
            json.dumps({"word": word, "drawing": [random.integers(0, 255, (2, 12)).tolist() for _ in range(2)]}) + "\n"
            for _ in range(6)
        ]
        (folder / f"{word}.ndjson").write_text("".join(lines), encoding="utf-8")
    return folder


def test_eager_and_onnx_side_by_side(
    sketch_export: Run, tiny_onnx: Path, checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "confusions.png"
    result = sketch_export("evaluate", checkpoint, tiny_onnx, data, "--confusion", picture)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["30", "drawings", str(checkpoint), str(tiny_onnx)]
    assert [line[0] for line in lines[1:6]] == ["top-1", "top-5", "loss", "mean", "calibration"]
    share = ["100.0%", "(30", "of", "30)"]
    assert lines[2][1:] == [*share, *share]  # five classes
    assert lines[1][1:5] == lines[1][5:]
    assert {line[0] for line in lines[7:12]} == set(tiny.LABELS)
    assert lines[13][1:3] == ["taken", "for"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_figures_are_those_of_the_predictions(sketch_export: Run, checkpoint: Path, data: Path) -> None:
    from sketch_infer import read_sketches, to_batch

    hits = []
    for label, word in enumerate(tiny.LABELS):
        sketches = [sketch.strokes for sketch in read_sketches(str(data / f"{word}.ndjson"))]
        logits = run_eager(load_checkpoint(checkpoint).model, to_batch(sketches, 24)[0])["logits"]
        hits += (logits.argmax(axis=1) == label).tolist()
    result = sketch_export("evaluate", checkpoint, data)
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("top-1")]
    assert line.split()[1] == f"{np.mean(hits):.1%}"


def test_bad_lines_are_counted_and_cuts_named(sketch_export: Run, checkpoint: Path, data: Path) -> None:
    long = json.dumps({"drawing": [[list(range(40)), [number % 2 * 200 for number in range(40)]]]})
    with (data / "ant.ndjson").open("a") as file:
        file.write(f"{{}}\n{long}\n")
    result = sketch_export("evaluate", checkpoint, data)
    assert result.exit_code == 0
    assert result.stdout.startswith("31 drawings")
    assert f"left out 1 that cannot be used: {data / 'ant.ndjson'}:7: " in result.stderr
    assert "cut 1 drawings" in result.stderr


def test_errors(sketch_export: Run, tiny_onnx: Path, checkpoint: Path, data: Path, tmp_path: Path) -> None:
    torch.save(make_model().state_dict(), tmp_path / "bare.pt")
    save_checkpoint(
        tmp_path / "wide.safetensors", make_model(SketchRNNConfig(4, 6, 5, sequence_length=24)), tiny.LABELS
    )
    relabeled = onnx.load(tiny_onnx)
    for entry in relabeled.metadata_props:
        if entry.key.endswith("labels"):
            entry.value = json.dumps(["one", "two", "three", "four", "five"])
    seal(relabeled, tmp_path / "relabeled.onnx")
    for arguments, words in {
        (checkpoint, tmp_path / "none"): "found nothing",
        (tmp_path / "none.onnx", data): "none.onnx",
        (tmp_path / "bare.pt", data): "expected class names",
        (tmp_path / "wide.safetensors", data): "reads 3 values per point (dx, dy, pen), found 4",
        (checkpoint, tmp_path / "relabeled.onnx", data): "expected the classes and sequence length of",
        (tmp_path / "relabeled.onnx", data): "expected a word among the 5 classes, found 'ant'",
        (checkpoint,): "Missing argument",
    }.items():
        result = sketch_export("evaluate", *arguments)
        assert result.exit_code == 2
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert words in line


def test_a_choice_among_the_classes_of_the_data(sketch_export: Run, checkpoint: Path, data: Path) -> None:
    for word in tiny.LABELS[2:]:
        (data / f"{word}.ndjson").unlink()
    free, restricted = (sketch_export("evaluate", checkpoint, data, *flag).stdout for flag in ((), ("--restrict",)))
    assert free.startswith("12 drawings")
    assert top1(free) < top1(restricted)
    assert "taken for cat" not in restricted


def test_drawings_of_other_classes(sketch_export: Run, checkpoint: Path, data: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    for word in ("zebra", "yak", tiny.LABELS[0]):
        (others / f"{word}.ndjson").write_text('{"drawing": [[[0, 9, 20], [0, 90, 3]]]}\n' * 3)
    metadata = {"reject_below": "0.99"}
    save_checkpoint(tmp_path / "rejecting.safetensors", make_model(), tiny.LABELS, metadata)
    further = tmp_path / "further"
    further.mkdir()
    (further / "yak.ndjson").write_text('{"drawing": [[[0, 9], [0, 90]]]}\n')
    networks = (checkpoint, tmp_path / "rejecting.safetensors")
    result = sketch_export("evaluate", *networks, data, "--others", further, "--others", others)
    assert result.exit_code == 0, result.output
    assert "1 drawings of other classes: further" in result.stdout
    assert "6 drawings of other classes: others" in result.stdout  # ant is none of them
    rows = [line.split() for line in result.stdout.splitlines()[-3:]]
    assert rows[0][0] == "AUROC"
    assert rows[1][-2:] == ["-", "0.0%"]  # a random network is never as sure as 99%
    assert rows[2][-2:] == ["-", "100.0%"]
    for word in ("zebra", "yak"):
        (others / f"{word}.ndjson").unlink()
    refused = sketch_export("evaluate", checkpoint, data, "--others", others)
    assert "expected drawings of other classes, found none" in refused.stderr


@pytest.mark.parametrize("threshold", ["abc", "nan", "7", ""])
def test_a_recorded_threshold_that_is_no_probability(
    sketch_export: Run, checkpoint: Path, data: Path, tmp_path: Path, threshold: str
) -> None:
    odd = tmp_path / "odd.safetensors"
    save_checkpoint(odd, make_model(), tiny.LABELS, {"reject_below": threshold})
    for command in (
        ("evaluate", checkpoint, odd, data, "--others", tmp_path / "none"),
        ("onnx", "--checkpoint", odd, "--output", tmp_path / "odd.onnx"),
    ):
        result = sketch_export(*command)
        assert result.exit_code == 2
        words = f"Error: {odd}: reject_below in its metadata: expected a probability between 0 and 1, found"
        assert f"{words} {threshold!r}\n" in result.stderr


def test_auroc_is_the_chance_of_being_surer_of_the_known() -> None:
    rng = np.random.default_rng(0)
    known, others = rng.normal(1, 1, 400), rng.normal(0, 1, 300)
    probabilities = [0.5 + 0.5 / (1 + np.exp(-values)) for values in (known, others)]
    sure, unsure = (np.log(np.stack([one, 1 - one], axis=1)) for one in probabilities)
    expected = (known[:, None] > others).mean()
    assert rejection(sure, unsure, None).auroc == pytest.approx(expected)
    same = rejection(sure, sure, 0.7)
    assert same.auroc == pytest.approx(0.5)
    assert same.kept is not None
    assert same.refused == pytest.approx(1 - same.kept)


def test_unfinished_drawings_are_scaled_as_they_were_seen(sketch_export: Run, checkpoint: Path, data: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.integers(0, 255, (2, 12)).tolist()
    for part, count in ((0.25, 3), (0.5, 6), (1.0, 11)):
        seen = first_part(drawing_to_sketch([points]), part)
        expected = drawing_to_sketch([[axis[: count + 1] for axis in points]])
        np.testing.assert_allclose(seen, expected, atol=1e-6)
    result = sketch_export("evaluate", checkpoint, data, "--unfinished")
    assert result.exit_code == 0, result.output
    assert [line.split()[2] for line in result.stdout.splitlines()[-3:]] == ["25%", "50%", "75%"]


def test_reliability_diagram(sketch_export: Run, checkpoint: Path, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    picture = tmp_path / "reliability.svg"
    assert sketch_export("evaluate", checkpoint, data, "--reliability", picture).exit_code == 0
    assert "<svg" in picture.read_text()


def top1(text: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith("top-1")]
    return float(line.split()[1].rstrip("%"))


@pytest.mark.parametrize("option", ["--confusion", "--reliability"])
def test_a_picture_of_no_known_kind_is_refused_before_the_work(
    sketch_export: Run, checkpoint: Path, tmp_path: Path, option: str
) -> None:
    result = sketch_export("evaluate", checkpoint, tmp_path / "no data", option, tmp_path / "picture.xyz")
    assert result.exit_code == 2
    assert "expected a file that ends in .png, .svg, .pdf, found" in result.stderr


def test_two_pictures_in_one_file_are_refused(sketch_export: Run, checkpoint: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for other in (tmp_path / "z.png", tmp_path / "link" / "z.png"):
        result = sketch_export("evaluate", checkpoint, data, "--confusion", tmp_path / "z.png", "--reliability", other)
        assert result.exit_code == 2
        assert f"--reliability {other} is also the --confusion; name another file" in result.stderr
    assert not (tmp_path / "z.png").exists()
