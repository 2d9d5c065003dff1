"""Many sketches: bounded memory, order, --on-error, and runs that are killed and resumed."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bulk import forms
from sketch_infer import Classifier, drawing_to_sketch
from sketch_infer.inference.stream import SKETCHES_AT_ONCE, classify_sketches
from sketch_infer.readers.sketch import Sketch
from tests.support import Run

DRAWINGS = forms.simplified(4000, seed=9)
N = len(DRAWINGS)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return forms.write_lines(tmp_path / "many.ndjson", DRAWINGS)


@pytest.mark.parametrize("n", [0, 1, SKETCHES_AT_ONCE, 2 * SKETCHES_AT_ONCE + 3])
def test_blocks_are_those_of_one_call(tiny_onnx: Path, n: int) -> None:
    sketches = [Sketch("many", row, drawing_to_sketch(drawing)) for row, drawing in enumerate(DRAWINGS[:n])]
    classifier = Classifier(tiny_onnx, "cpu")
    blocks = list(classify_sketches(classifier, iter(sketches)))
    found = [sketch for block, _ in blocks for sketch in block]
    assert [(sketch.index, sketch.cut) for sketch in found] == [(one.index, len(one.strokes) > 24) for one in sketches]
    expected = classifier.predict([sketch.strokes[:24] for sketch in sketches]).logits
    np.testing.assert_array_equal(np.concatenate([expected[:0], *(answers.logits for _, answers in blocks)]), expected)


def test_parquet_holds_the_records_of_json(sketch_infer: Run, tiny_onnx: Path, lines: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    options = ("--model", tiny_onnx, "--top-k", 3, "--quiet")
    assert sketch_infer(lines, *options, "--output", tmp_path / "out.parquet").exit_code == 0
    assert sketch_infer(lines, *options, "--output", tmp_path / "out.jsonl").exit_code == 0
    found = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    expected = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(found) == N
    for one, other in zip(found, expected, strict=True):
        assert [one[name] for name in ("source", "index", "label")] == [other[n] for n in ("source", "index", "label")]
        assert one["probability"] == np.float32(other["probability"])
        assert [candidate["label"] for candidate in one["top"]] == [candidate["label"] for candidate in other["top"]]


PEAK = """
import sys
from sketch_infer.cli.main import main
try: main(sys.argv[1:])
finally:
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(line.split()[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("output", ["out.npz", "out.json", "out.parquet"])
def test_memory_does_not_grow_with_the_input(tiny_onnx: Path, tmp_path: Path, output: str) -> None:
    if output.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    peaks = {}
    for n in (20_000, 60_000):
        np.save(tmp_path / f"{n}.npy", np.zeros((n, 196, 3), np.float32))  # up to 141 MB
        arguments = [str(tmp_path / f"{n}.npy"), "--model", str(tiny_onnx), "--output", str(tmp_path / output), "-q"]
        command = [sys.executable, "-c", PEAK, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[n] = int(result.stdout) / 1024
    assert peaks[60_000] < 400
    assert peaks[60_000] - peaks[20_000] < 40


def test_killed_and_resumed_at_random_no_line_is_lost_or_doubled(tiny_onnx: Path, lines: Path, tmp_path: Path) -> None:
    def start(output: str, *options: str) -> "subprocess.Popen[str]":
        arguments = [str(lines), "--model", str(tiny_onnx), "--output", str(tmp_path / output), "-q", *options]
        return subprocess.Popen([sys.executable, "-m", "sketch_infer", *arguments], stderr=subprocess.PIPE, text=True)

    start("whole.jsonl").communicate(timeout=60)
    whole = (tmp_path / "whole.jsonl").read_bytes()
    draw = random.Random(11)  # noqa: S311  # moments, not secrets
    kills = 0
    for attempt in range(40):
        process = start("out.jsonl", *(["--resume"] if attempt else []))
        try:
            _, message = process.communicate(timeout=draw.uniform(0.25, 0.6) if kills < 8 else 60)
        except subprocess.TimeoutExpired:
            process.kill()
            _, message = process.communicate()
        code = process.returncode
        partial = list(tmp_path.glob(".out.jsonl.*.partial"))
        if code == 0:
            break
        assert code == -9, message
        kills += 1
        assert not (tmp_path / "out.jsonl").exists()
        for path in partial:
            assert whole.startswith(path.read_bytes())  # the last line may be cut off
    assert kills
    assert (tmp_path / "out.jsonl").read_bytes() == whole
    assert not list(tmp_path.glob(".out*"))


def test_a_torn_last_line_is_written_again(sketch_infer: Run, tiny_onnx: Path, lines: Path, tmp_path: Path) -> None:
    options = (lines, "--model", tiny_onnx, "--output", tmp_path / "out.jsonl", "-q")
    assert sketch_infer(*options).exit_code == 0
    whole = (tmp_path / "out.jsonl").read_bytes()
    from sketch_infer.writers.partial_lines import PartialLines, run_identity

    classifier = Classifier(tiny_onnx, "cpu")
    answers = (classifier.content_sha256, classifier.classes, False)
    identity = run_identity([str(lines)], *answers, "auto", 5)
    partial = PartialLines(tmp_path / "out.jsonl", identity, resume=True).path
    for kept in (0, 1, whole.index(b"\n") + 1, len(whole) // 2, len(whole) - 1, len(whole)):
        partial.write_bytes(whole[:kept])
        (tmp_path / "out.jsonl").unlink()
        assert sketch_infer(*options, "--resume").exit_code == 0
        assert (tmp_path / "out.jsonl").read_bytes() == whole
    partial.write_bytes(whole.replace(b'"index": 1,', b'"index": 2,'))
    result = sketch_infer(*options, "--resume")
    assert (result.exit_code, "the interrupted run's results are not from these inputs" in result.stderr) == (2, True)


def test_resume_and_its_usage(sketch_infer: Run, tiny_onnx: Path, lines: Path, tmp_path: Path) -> None:
    for arguments, words in {
        ("--resume",): "--resume needs --output FILE.jsonl",
        ("--resume", "--output", tmp_path / "out.csv"): "--resume needs --output FILE.jsonl",
    }.items():
        result = sketch_infer(lines, "--model", tiny_onnx, *arguments)
        assert (result.exit_code, words in result.stderr) == (2, True)


def test_an_int8_model_skips_what_is_beyond_its_range(sketch_infer: Run, default_onnx: Path, tmp_path: Path) -> None:
    assert default_onnx.exists()
    strokes = np.zeros((3, 5, 3))
    strokes[1, 2, 0] = 7
    np.save(tmp_path / "far.npy", strokes)
    options = ("--precision", "int8", "--input-format", "network", "-q")
    result = sketch_infer(tmp_path / "far.npy", *options, "--on-error", "skip")
    assert result.exit_code == 1
    assert [json.loads(line)["index"] for line in result.stdout.splitlines()] == [0, 2]
    assert f"skipped {tmp_path / 'far.npy'}: sketch 1: expected values between -1 and 1" in result.stderr
    assert sketch_infer(tmp_path / "far.npy", *options).exit_code == 2
