"""`sketch-infer --evaluate`, notes, verbosity and colors."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bulk import forms
from sketch_infer import Classifier, read_sketches
from sketch_infer.checks.evaluation import N_BINS, Tally, evaluate
from tests import tiny
from tests.support import Run

DRAWINGS = forms.simplified(60, seed=21)


@pytest.fixture
def labeled(tmp_path: Path) -> Path:
    folder = tmp_path / "labeled"
    folder.mkdir()
    for number, word in enumerate(tiny.LABELS):
        forms.write_lines(folder / f"{word}.ndjson", DRAWINGS[number::5])
        text = (folder / f"{word}.ndjson").read_text().replace('"word": "cat", ', "")
        (folder / f"{word}.ndjson").write_text(text)
    return folder


def test_the_figures_are_the_librarys(sketch_infer: Run, tiny_onnx: Path, labeled: Path) -> None:
    sketches = [s for word in tiny.LABELS for s in read_sketches(str(labeled / f"{word}.ndjson"))]
    classifier = Classifier(tiny_onnx, "cpu")
    log_probs = classifier.predict([sketch.strokes[:24] for sketch in sketches]).log_probs
    expected = evaluate(log_probs, np.repeat(np.arange(5), 12), tiny.LABELS)
    result = sketch_infer(labeled, "--model", tiny_onnx, "--evaluate", "--format", "json", "-q")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(json.dumps(expected.to_dict()))
    table = sketch_infer(labeled, "--model", tiny_onnx, "--evaluate", "-q").stdout
    assert f"{expected.top1:.1%}" in table


def test_calibration_is_that_of_the_definition() -> None:
    random = np.random.default_rng(5)
    logits = random.normal(0, 2, (500, 4))
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    labels = random.integers(0, 4, 500)
    confidence, right = np.exp(log_probs.max(axis=1)), log_probs.argmax(axis=1) == labels
    error = 0.0
    for number in range(N_BINS):
        inside = (confidence > number / N_BINS) & (confidence <= (number + 1) / N_BINS)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    tally = Tally("abcd")
    for start in range(0, 500, 7):
        tally.add(log_probs[start : start + 7], labels[start : start + 7])
    found = tally.evaluation()
    assert found.calibration_error == pytest.approx(error)
    assert found.confidence == pytest.approx(confidence.mean())
    assert (found.top1, len(found)) == (right.mean(), 500)
    at_once = evaluate(log_probs, labels, "abcd")
    np.testing.assert_allclose(found.calibration, at_once.calibration)
    np.testing.assert_array_equal(found.confusion, at_once.confusion)
    assert found.loss == pytest.approx(at_once.loss)


def test_predictions_may_be_kept_beside(sketch_infer: Run, tiny_onnx: Path, labeled: Path, tmp_path: Path) -> None:
    options = ("--model", tiny_onnx, "--evaluate", "-q")
    result = sketch_infer(labeled, *options, "--output", tmp_path / "out.jsonl")
    assert result.stdout.startswith("60 drawings")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 60


def test_unknown_words_can_be_skipped(sketch_infer: Run, tiny_onnx: Path, labeled: Path) -> None:
    forms.write_lines(labeled / "zebra.ndjson", DRAWINGS[:2])
    (labeled / "zebra.ndjson").write_text((labeled / "zebra.ndjson").read_text().replace("cat", "zebra", 1))
    result = sketch_infer(labeled, "--model", tiny_onnx, "--evaluate", "--on-error", "skip", "-q")
    assert result.exit_code == 1
    assert result.stdout.startswith("61 drawings")
    assert "zebra.ndjson: sketch 0: expected a word among the model's 5 classes, found 'zebra'" in result.stderr
    assert result.stderr.endswith("Error: skipped 1 that could not be used (see above); 61 were classified\n")


def test_quiet_and_verbose(sketch_infer: Run, tiny_onnx: Path, labeled: Path) -> None:
    np.save(labeled / "far.npy", [[[5, 0, 0], [0, 5, 0], [-5, 0, 0], [0, -5, 1]]])
    options = (labeled, "--model", tiny_onnx)
    assert "note: " in sketch_infer(*options).stderr
    quiet = sketch_infer(*options, "--quiet").stderr
    assert [line.split(":")[0] for line in quiet.splitlines()] == ["warning"]
    verbose = sketch_infer(*options, "--verbose").stderr
    assert f"model {tiny_onnx}: fp32, 5 classes, 24 points" in verbose
    assert "61 sketches in " in verbose


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
@pytest.mark.parametrize(("no_color", "colors"), [(None, True), ("1", False)])
def test_a_bar_and_colours_on_a_terminal_alone(
    tiny_onnx: Path, labeled: Path, tmp_path: Path, no_color: str | None, colors: bool
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    if no_color:
        environment["NO_COLOR"] = no_color
    command = [sys.executable, "-m", "sketch_infer", str(labeled), "none.npy", "--model", str(tiny_onnx)]
    command += ["--on-error", "skip", "--output", str(tmp_path / "out.csv")]
    ours, theirs = pty.openpty()
    done = subprocess.run(command, stderr=theirs, stdout=subprocess.PIPE, env=environment, check=False)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert done.returncode == 1
    assert b"skipped none.npy: no such file" in shown
    assert b"100%" in shown
    assert b"60 sketches, " in shown
    assert (b"\x1b[31mError:" in shown) == colors
    piped = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert b"\x1b" not in piped.stderr
    assert b"100%" not in piped.stderr
