import csv
import io
import json
from pathlib import Path

import click
import numpy as np
import pytest

from sketch_infer import Classifier
from sketch_infer.cli.main import main
from sketch_infer.writers.choose import TEXT_FORMATS
from tests import tiny
from tests.support import SAMPLES, Run, random_sketches

DRAWINGS = SAMPLES / "drawings.ndjson"


def test_help_explains_every_option(sketch_infer: Run) -> None:
    result = sketch_infer("--help")
    assert result.exit_code == 0
    for option in ("--model", "--provider", "--top-k", "--format", "--output", "--batch-size", "--threads"):
        assert option in result.stdout
    assert all(option.help for option in main.params if isinstance(option, click.Option))


def test_json_lines_are_the_default_in_a_pipe(sketch_infer: Run, tiny_onnx: Path, strokes_file: Path) -> None:
    result = sketch_infer(strokes_file, "--model", tiny_onnx, "--batch-size", 3)
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    predictions = Classifier(tiny_onnx, "cpu").predict(random_sketches(7, 24, seed=5))
    assert [record["index"] for record in records] == list(range(7))
    assert [record["label"] for record in records] == predictions.labels
    first = records[0]
    assert list(first) == ["source", "index", "label", "probability", "top", "aspect"]
    assert first["source"] == str(strokes_file)
    assert first["top"][0] == {"label": first["label"], "probability": first["probability"]}
    expected = predictions.top_k(5)[0]
    assert [candidate["label"] for candidate in first["top"]] == [label for label, _ in expected]
    for candidate, (_, probability) in zip(first["top"], expected, strict=True):
        assert candidate["probability"] == pytest.approx(probability, rel=1e-5)


def test_formats_hold_the_same_predictions(sketch_infer: Run, tiny_onnx: Path, strokes_file: Path) -> None:
    texts = {
        name: sketch_infer(strokes_file, "--model", tiny_onnx, "--format", name, "--top-k", 2).stdout
        for name in TEXT_FORMATS
    }
    records = json.loads(texts["json"])
    assert [json.loads(line) for line in texts["jsonl"].splitlines()] == records
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    table = texts["table"].splitlines()
    assert table[0].split() == ["source", "index", "label", "probability", "further"]
    for record, row, line in zip(records, rows, table[1:], strict=True):
        assert (row["source"], int(row["index"]), row["label"]) == (str(strokes_file), record["index"], record["label"])
        assert float(row["probability"]) == record["probability"]
        assert (row["label_2"], float(row["probability_2"])) == tuple(record["top"][1].values())
        assert line.split()[:3] == [str(strokes_file), str(record["index"]), record["label"]]
        assert f"{record['probability']:.1%}" in line


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "table"])
def test_output_suffix_names_the_format(
    sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"out.{suffix}"
    result = sketch_infer(strokes_file, "--model", tiny_onnx, "--output", output)
    assert (result.exit_code, result.stdout) == (0, "")
    printed = sketch_infer(strokes_file, "--model", tiny_onnx, "--format", suffix).stdout
    assert output.read_text(encoding="utf-8") == printed


def test_npz_output(sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.npz"
    assert sketch_infer(strokes_file, "--model", tiny_onnx, "--output", output, "--batch-size", 2).exit_code == 0
    predictions = Classifier(tiny_onnx, "cpu").predict(random_sketches(7, 24, seed=5))
    with np.load(output) as arrays:
        np.testing.assert_array_equal(arrays["log_probs"], predictions.log_probs)
        np.testing.assert_array_equal(arrays["logits"], predictions.logits)
        assert arrays["labels"].tolist() == predictions.labels
        assert tuple(arrays["classes"]) == tiny.LABELS


def test_several_files_and_standard_input_keep_their_order(
    sketch_infer: Run, tiny_onnx: Path, strokes_file: Path
) -> None:
    result = sketch_infer(strokes_file, "-", DRAWINGS, "--model", tiny_onnx, stdin=DRAWINGS.read_bytes())
    records = [json.loads(line) for line in result.stdout.splitlines()]
    sources = [record["source"] for record in records]
    assert sources == [str(strokes_file)] * 7 + ["-"] * 8 + [str(DRAWINGS)] * 8
    assert [record["top"] for record in records[7:15]] == [record["top"] for record in records[15:]]


@pytest.mark.parametrize("format_", TEXT_FORMATS)
def test_no_rows(sketch_infer: Run, tiny_onnx: Path, tmp_path: Path, format_: str) -> None:
    np.save(tmp_path / "none.npy", np.zeros((0, 24, 3)))
    result = sketch_infer(tmp_path / "none.npy", "--model", tiny_onnx, "--format", format_)
    assert result.exit_code == 0
    assert result.stdout.count("\n") == {"table": 1, "json": 1, "jsonl": 0, "csv": 1}[format_]
    output = tmp_path / "none.npz"
    assert sketch_infer(tmp_path / "none.npy", "--model", tiny_onnx, "--output", output).exit_code == 0
    with np.load(output) as arrays:
        assert arrays["log_probs"].shape == arrays["logits"].shape == (0, 5)
        assert arrays["labels"].shape == (0,)


def test_cut_sketches_are_counted(sketch_infer: Run, tiny_onnx: Path, tmp_path: Path) -> None:
    strokes = np.zeros((5, 30, 3))
    strokes[:3, 24:, :2] = 0.1
    np.save(tmp_path / "long.npy", strokes)
    result = sketch_infer(tmp_path / "long.npy", "--model", tiny_onnx, "--batch-size", 2)
    assert result.exit_code == 0
    assert "warning: cut 3 of 5 sketches to the network's 24 points" in result.stderr


def test_cuda_is_not_spoken_of_where_there_is_no_card_and_nobody_asks(
    sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*options: str) -> str:
        return sketch_infer(strokes_file, "--model", tiny_onnx, *options).stderr

    monkeypatch.setattr("sketch_infer.cli.modes.has_nvidia_card", lambda: False)
    assert said("--provider", "auto").startswith("running on ")
    assert "running on " in said("--verbose")
    assert said("--provider", "cpu") == ""
    if "CUDA" not in said("--provider", "auto").split(";")[0]:  # no card here
        assert said() == ""
    monkeypatch.setattr("sketch_infer.cli.modes.has_nvidia_card", lambda: True)
    assert "running on " in said()
    assert said("--quiet") == ""


def test_random_weights_warn(sketch_infer: Run) -> None:
    result = sketch_infer(DRAWINGS, "--model", tiny.OTHER)
    assert result.exit_code == 0
    assert "warning: this model has random weights" in result.stderr
