import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from sketch_export.exporter import seal
from sketch_models import load_checkpoint, run_eager, save_checkpoint
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
    assert [line[0] for line in lines[1:6]] == ["top-1", "top-5", "mean", "mean", "calibration"]
    assert lines[2][1:] == ["100.0000%", "100.0000%"]  # five classes
    for line in lines[1:3]:
        assert line[-1] == line[-2]
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
    assert line.split()[1] == f"{np.mean(hits):.4%}"


def test_bad_lines_are_counted_and_cuts_named(sketch_export: Run, checkpoint: Path, data: Path) -> None:
    long = json.dumps({"drawing": [np.arange(80).reshape(2, 40).tolist()]})
    with (data / "ant.ndjson").open("a") as file:
        file.write(f"{{}}\n{long}\n")
    result = sketch_export("evaluate", checkpoint, data)
    assert result.exit_code == 0
    assert result.stdout.startswith("31 drawings")
    assert f"left out 1 that cannot be used: {data / 'ant.ndjson'}:7: " in result.stderr
    assert "cut 1 drawings" in result.stderr


def test_errors(sketch_export: Run, tiny_onnx: Path, checkpoint: Path, data: Path, tmp_path: Path) -> None:
    torch.save(make_model().state_dict(), tmp_path / "bare.pt")
    relabelled = onnx.load(tiny_onnx)
    for entry in relabelled.metadata_props:
        if entry.key.endswith("labels"):
            entry.value = json.dumps(["one", "two", "three", "four", "five"])
    seal(relabelled, tmp_path / "relabelled.onnx")
    for arguments, words in {
        (checkpoint, tmp_path / "none"): "found nothing",
        (tmp_path / "none.onnx", data): "none.onnx",
        (tmp_path / "bare.pt", data): "expected class names",
        (checkpoint, tmp_path / "relabelled.onnx", data): "expected the classes and sequence length of",
        (tmp_path / "relabelled.onnx", data): "expected a word among the 5 classes, found 'ant'",
        (checkpoint,): "Missing argument",
    }.items():
        result = sketch_export("evaluate", *arguments)
        assert result.exit_code == 2
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert words in line
