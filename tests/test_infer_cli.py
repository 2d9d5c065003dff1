import csv
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from conftest import SAMPLES, TINY_LABELS, Run, make_model

from sketch_export import export_onnx
from sketch_export.proof import proof_strokes
from sketch_infer import Classifier
from sketch_infer.cli import TEXT_FORMATS, main

DRAWINGS = SAMPLES / "drawings.ndjson"


@pytest.fixture
def strokes_file(tmp_path: Path) -> Path:
    np.save(tmp_path / "strokes.npy", proof_strokes(7, 24, seed=5))
    return tmp_path / "strokes.npy"


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
    predictions = Classifier(tiny_onnx, "cpu").predict(proof_strokes(7, 24, seed=5))
    assert [record["index"] for record in records] == list(range(7))
    assert [record["label"] for record in records] == predictions.labels
    first = records[0]
    assert list(first) == ["source", "index", "label", "probability", "top"]
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
    predictions = Classifier(tiny_onnx, "cpu").predict(proof_strokes(7, 24, seed=5))
    with np.load(output) as arrays:
        np.testing.assert_array_equal(arrays["log_probs"], predictions.log_probs)
        np.testing.assert_array_equal(arrays["logits"], predictions.logits)
        assert arrays["labels"].tolist() == predictions.labels
        assert tuple(arrays["classes"]) == TINY_LABELS


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
    strokes[:3, 24:] = 0.1
    np.save(tmp_path / "long.npy", strokes)
    result = sketch_infer(tmp_path / "long.npy", "--model", tiny_onnx, "--batch-size", 2)
    assert result.exit_code == 0
    assert "warning: cut 3 of 5 sketches to the network's 24 points" in result.stderr


def test_auto_says_what_runs(sketch_infer: Run, tiny_onnx: Path, strokes_file: Path) -> None:
    assert "running on " in sketch_infer(strokes_file, "--model", tiny_onnx).stderr
    assert sketch_infer(strokes_file, "--model", tiny_onnx, "--provider", "cpu").stderr == ""


def test_random_weights_warn(sketch_infer: Run, tmp_path: Path) -> None:
    export_onnx(make_model(), tmp_path / "random.onnx", random_weights=True)
    result = sketch_infer(DRAWINGS, "--model", tmp_path / "random.onnx")
    assert result.exit_code == 0
    assert "warning: this model's weights are random" in result.stderr


class TestCompareEager:
    @pytest.fixture
    def checkpoint(self, tmp_path: Path) -> Path:
        torch.save(make_model().state_dict(), tmp_path / "weights.pt")
        return tmp_path / "weights.pt"

    def test_same_network(self, sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, checkpoint: Path) -> None:
        result = sketch_infer(
            strokes_file, "--model", tiny_onnx, "--compare-eager", checkpoint, "--batch-size", 2, "--format", "json"
        )
        assert result.exit_code == 0
        assert len(json.loads(result.stdout)) == 7
        rows = [line.split() for line in result.stderr.splitlines() if line.startswith("7 sketches")]
        assert [(row[2], row[3:7], row[-2:]) for row in rows] == [
            (name, ["(7,", "5)", "(7,", "5)"], ["100.00%", "ok"]) for name in ("log_probs", "logits")
        ]
        assert "PASS" in result.stderr

    def test_other_weights(self, sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, tmp_path: Path) -> None:
        torch.save(make_model(seed=1).state_dict(), tmp_path / "other.pt")
        result = sketch_infer(strokes_file, "--model", tiny_onnx, "--compare-eager", tmp_path / "other.pt")
        assert result.exit_code == 1
        assert "FAIL" in result.stderr
        assert "would pass" in result.stderr
        output = tmp_path / "out.csv"
        options = ["--compare-eager", tmp_path / "other.pt", "--output", output]
        assert sketch_infer(strokes_file, "--model", tiny_onnx, *options).exit_code == 1
        assert not output.exists()

    def test_no_rows(self, sketch_infer: Run, tiny_onnx: Path, tmp_path: Path, checkpoint: Path) -> None:
        np.save(tmp_path / "none.npy", np.zeros((0, 24, 3)))
        result = sketch_infer(tmp_path / "none.npy", "--model", tiny_onnx, "--compare-eager", checkpoint)
        assert result.exit_code == 2
        assert "no sketches to compare" in result.stderr

    def test_a_network_of_another_length(
        self, sketch_infer: Run, default_onnx: Path, strokes_file: Path, checkpoint: Path
    ) -> None:
        result = sketch_infer(strokes_file, "--model", default_onnx, "--compare-eager", checkpoint)
        assert result.exit_code == 2
        assert "its network does not fit the model file" in result.stderr

    def test_without_torch(
        self, sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "sketch_models"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "torch", None)
        result = sketch_infer(strokes_file, "--model", tiny_onnx, "--compare-eager", checkpoint)
        assert result.exit_code == 1
        assert "torch is not installed; install it with: pip install torch" in result.stderr


def one_line_error(result: object) -> str:
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]  # type: ignore[attr-defined]
    assert result.stderr.rstrip().endswith(line)  # type: ignore[attr-defined]
    return str(line)


def test_errors_are_one_line_with_exit_code_2_and_no_output(
    sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.npy"
    np.save(bad, np.full((3, 24, 3), np.nan))
    lines = tmp_path / "bad.ndjson"
    lines.write_text('{"drawing": [[[0, 1], [0, 1]]]}\n{}\n', encoding="utf-8")
    output = tmp_path / "out.csv"
    for sources, words in {
        (tmp_path / "none.npy",): "none.npy: no such file",
        (tmp_path,): "found a folder",
        (strokes_file, tmp_path / "none.npy"): "none.npy: no such file",
        (bad,): "bad.npy: expected finite float32 values, found NaN, infinity or overflow in rows 0, 1, 2;",
        (lines,): "bad.ndjson:2: expected",
    }.items():
        result = sketch_infer(*sources, "--model", tiny_onnx, "--output", output)
        assert (result.exit_code, result.stdout) == (2, "")
        assert words in one_line_error(result)
    assert not output.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.ndjson", "bad.npy", "strokes.npy"]


def test_an_error_in_a_later_chunk_keeps_the_old_output(sketch_infer: Run, tiny_onnx: Path, tmp_path: Path) -> None:
    lines = tmp_path / "late.ndjson"
    lines.write_text('{"drawing": [[[0, 1], [0, 1]]]}\n' * 5 + "{}\n", encoding="utf-8")
    for name in ("out.csv", "out.npz"):
        output = tmp_path / name
        output.write_text("old")
        result = sketch_infer(lines, "--model", tiny_onnx, "--batch-size", 2, "--output", output)
        assert result.exit_code == 2
        assert "late.ndjson:6" in one_line_error(result)
        assert output.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 3


def test_model_errors(sketch_infer: Run, strokes_file: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    for model, words in {"bad.onnx": "not a model that ONNX Runtime", "none.onnx": "found nothing"}.items():
        result = sketch_infer(strokes_file, "--model", tmp_path / model)
        assert result.exit_code == 2
        assert words in one_line_error(result)


def test_output_that_cannot_be_written(sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, tmp_path: Path) -> None:
    for output, words in {
        tmp_path / "missing" / "out.csv": "cannot be written: No such file or directory",
        tmp_path / "out.xyz": "expected --output to end in .json, .jsonl, .csv, .npz or .table",
        strokes_file: "expected --output to end in",
    }.items():
        result = sketch_infer(strokes_file, "--model", tiny_onnx, "--output", output)
        assert result.exit_code == 2
        assert words in one_line_error(result)
    (tmp_path / "folder.csv").mkdir()
    result = sketch_infer(strokes_file, "--model", tiny_onnx, "--output", tmp_path / "folder.csv")
    assert (result.exit_code, "found a folder" in one_line_error(result)) == (2, True)


def test_output_over_an_input_is_refused(
    sketch_infer: Run, tiny_onnx: Path, default_onnx: Path, strokes_file: Path, tmp_path: Path
) -> None:
    torch.save(make_model().state_dict(), tmp_path / "weights.pt")
    options = ["--model", tiny_onnx, "--compare-eager", tmp_path / "weights.pt"]
    for output, arguments in {
        strokes_file: options,
        tiny_onnx: options,
        tmp_path / "weights.pt": options,
        default_onnx: [],
    }.items():
        before = output.read_bytes()
        result = sketch_infer(strokes_file, *arguments, "--format", "csv", "--output", output)
        assert (result.exit_code, "is also an input" in one_line_error(result)) == (2, True)
        assert output.read_bytes() == before


def run_in_shell(line: str, model: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = (
        f"{shlex.quote(sys.executable)} -m sketch_infer {shlex.quote(str(DRAWINGS))} --model {shlex.quote(str(model))}"
    )
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("COMMAND", command)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shell")
@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("COMMAND >&-", 2, "standard output is closed"),
        ("COMMAND - <&-", 2, "standard input: expected drawings, found it closed"),
        ("COMMAND --top-k 9 | head -c 9 >/dev/null", 0, ""),
        ("COMMAND - - <&-", 2, "can be read once"),
        ("COMMAND --output - --format csv", 2, "names no file"),
    ],
)
def test_standard_streams(tiny_onnx: Path, line: str, code: int, words: str) -> None:
    result = run_in_shell(line, tiny_onnx)
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert words in result.stderr


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full")
def test_a_full_disk_behind_standard_output(tiny_onnx: Path) -> None:
    result = run_in_shell("COMMAND >/dev/full", tiny_onnx)
    assert result.returncode == 2
    assert result.stderr.endswith("Error: standard output cannot be written: No space left on device\n")


def test_a_terminal_without_the_labels_letters(tmp_path: Path) -> None:
    labels = ("Å\u00e4", "鸟", "🐱", "dog", "eel")
    export_onnx(make_model(), tmp_path / "model.onnx", labels)
    for format_ in TEXT_FORMATS:
        result = run_in_shell(f"COMMAND --format {format_}", tmp_path / "model.onnx", PYTHONIOENCODING="ascii")
        assert result.returncode == 0, result.stderr
        if format_ == "json":
            assert {candidate["label"] for candidate in json.loads(result.stdout)[0]["top"]} == set(labels)


def test_format_and_npz_exclude_each_other(sketch_infer: Run, strokes_file: Path, tmp_path: Path) -> None:
    result = sketch_infer(strokes_file, "--format", "csv", "--output", tmp_path / "out.npz")
    assert (result.exit_code, "cannot go into an .npz file" in one_line_error(result)) == (2, True)


@pytest.mark.parametrize(
    "arguments", [["--top-k", 0], ["--batch-size", 0], ["--threads", 0], ["--provider", "tpu"], []]
)
def test_wrong_usage(sketch_infer: Run, strokes_file: Path, arguments: list[object]) -> None:
    result = sketch_infer(*([strokes_file, *arguments] if arguments else []))
    assert (result.exit_code, bool(one_line_error(result))) == (2, True)
