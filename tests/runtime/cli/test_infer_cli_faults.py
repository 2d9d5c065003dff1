"""What sketch-infer does with bad input, bad output and wrong usage."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from sketch_infer.writers.choose import TEXT_FORMATS
from tests import tiny
from tests.support import SAMPLES, Run


def one_line_error(result: Result) -> str:
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.stderr.rstrip().endswith(line)
    return line


def test_errors_are_one_line_with_exit_code_2_and_no_output(
    sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.npy"
    np.save(bad, np.full((3, 24, 3), np.nan))
    lines = tmp_path / "bad.ndjson"
    lines.write_text('{"drawing": [[[0, 1], [0, 1]]]}\n{}\n', encoding="utf-8")
    output = tmp_path / "out.csv"
    (tmp_path / "empty").mkdir()
    for sources, words in {
        (tmp_path / "none.npy",): "none.npy: no such file",
        (tmp_path / "empty",): "files in this folder, found none",
        (strokes_file, tmp_path / "none.npy"): "none.npy: no such file",
        (bad,): "bad.npy: row 0: expected finite values between -1,000,000 and 1,000,000, found NaN, infinity",
        (lines,): "bad.ndjson:2: expected",
    }.items():
        result = sketch_infer(*sources, "--model", tiny_onnx, "--output", output)
        assert (result.exit_code, result.stdout) == (2, "")
        assert words in one_line_error(result)
    assert not output.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.ndjson", "bad.npy", "empty", "strokes.npy"]


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
        tmp_path / "out.xyz": "expected --output to end in one of .table, .json, .jsonl, .csv, .npz, .parquet, .html",
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
    model = tmp_path / "model.onnx"
    model.write_bytes(tiny_onnx.read_bytes())
    (tmp_path / "weights.pt").write_bytes(b"weights")
    (tmp_path / "labels.txt").write_text("ant\nbee\n")
    options = ["--model", model, "--compare-eager", tmp_path / "weights.pt"]
    for output, arguments in {
        strokes_file: options,
        model: options,
        tmp_path / "weights.pt": options,
        tmp_path / "labels.txt": ["--model", model, "--labels", tmp_path / "labels.txt"],
        default_onnx: [],
    }.items():
        before = output.read_bytes()
        result = sketch_infer(strokes_file, *arguments, "--format", "csv", "--output", output)
        assert (result.exit_code, "is also an input" in one_line_error(result)) == (2, True)
        assert output.read_bytes() == before


def run_in_shell(line: str, model: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    drawings = str(SAMPLES / "drawings.ndjson")
    command = shlex.join([sys.executable, "-m", "sketch_infer", drawings, "--model", str(model)])
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
        ("COMMAND - - <&-", 2, "can be read only once"),
        ("COMMAND --output - --format csv", 2, "names no file"),
    ],
)
def test_standard_streams(tiny_onnx: Path, line: str, code: int, words: str) -> None:
    result = run_in_shell(line, tiny_onnx)
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert words in result.stderr


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full")
@pytest.mark.parametrize("option", ["", "--version", "--help"])
def test_a_full_disk_behind_standard_output(tiny_onnx: Path, option: str) -> None:
    result = run_in_shell(f"COMMAND {option} >/dev/full", tiny_onnx)
    assert result.returncode == 2
    assert result.stderr.endswith("Error: standard output cannot be written: No space left on device\n")


def test_a_terminal_without_the_labels_letters() -> None:
    for format_ in TEXT_FORMATS:
        result = run_in_shell(f"COMMAND --format {format_}", tiny.OTHER, PYTHONIOENCODING="ascii")
        assert result.returncode == 0, result.stderr
        if format_ == "json":
            assert {candidate["label"] for candidate in json.loads(result.stdout)[0]["top"]} == set(tiny.OTHER_LABELS)


@pytest.mark.parametrize(
    "arguments", [["--top-k", 0], ["--batch-size", 0], ["--threads", 0], ["--provider", "tpu"], []]
)
def test_wrong_usage(sketch_infer: Run, strokes_file: Path, arguments: list[object]) -> None:
    result = sketch_infer(*([strokes_file, *arguments] if arguments else []))
    assert (result.exit_code, bool(one_line_error(result))) == (2, True)
