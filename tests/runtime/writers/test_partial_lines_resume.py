"""Lines are continued by a run of the same inputs, model and options, and by no other."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketch_infer.readers.sketch import Sketch
from sketch_infer.writers.partial_lines import PartialLines, run_identity
from tests import tiny
from tests.runtime.writers.interrupted_lines import A, interrupt
from tests.support import SAMPLES, Run

pytest.importorskip("fcntl", reason="POSIX locks, owners and links")


def test_no_file_is_left_that_has_no_lines(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), PartialLines(tmp_path / "out.jsonl", A, resume=False):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_lines_of_other_sketches_are_not_continued(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    interrupt(output, '{"source": "x.npy", "index": 0}\n{"source": "x.npy", "index": 1}\n')
    sketches = [Sketch("x.npy", index, np.zeros((2, 3), np.float32)) for index in (0, 2, 3)]
    with pytest.raises(ValueError, match="are not from these inputs"), PartialLines(output, A, resume=True) as lines:
        list(lines.skip_done(iter(sketches)))


def test_the_identity_is_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "strokes.npy"
    found = set()
    for value in range(3):
        content = np.zeros((40_000, 5, 3), np.float32)
        content[20_000, 2, 1] = value  # one number in the middle of 2.4 MB
        np.save(path, content)
        os.utime(path, (0, 0))
        found.add(run_identity([str(path)], "model", 5))
    assert len(found) == 3
    os.utime(path, (1, 1))
    assert run_identity([str(path)], "model", 5) in found
    assert run_identity([str(path)], "model", 6) not in found
    assert run_identity([str(path), str(path)], "model", 5) not in found


@pytest.fixture
def identities(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return where the identities of runs are kept."""
    kept: list[str] = []

    def remember(*arguments: Any) -> str:
        kept.append(run_identity(*arguments))
        return kept[-1]

    monkeypatch.setattr("sketch_infer.writers.partial_lines.run_identity", remember)
    return kept


def test_a_replaced_input_is_not_continued(
    sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, identities: list[str]
) -> None:
    output = strokes_file.with_name("out.jsonl")
    options = (strokes_file, "--model", tiny_onnx, "--output", output, "--quiet")
    assert sketch_infer(*options).exit_code == 0
    whole, status = output.read_bytes(), strokes_file.stat()
    output.unlink()
    interrupt(output, whole[: len(whole) // 2].decode(), identities[0])
    strokes = np.load(strokes_file)
    np.save(strokes_file, strokes[::-1])
    os.utime(strokes_file, ns=(status.st_atime_ns, status.st_mtime_ns))
    result = sketch_infer(*options, "--resume")
    assert (result.exit_code, "found other inputs, model or options" in result.stderr) == (2, True)
    np.save(strokes_file, strokes)
    assert sketch_infer(*options, "--resume").exit_code == 0
    assert output.read_bytes() == whole


def test_a_run_is_resumed_that_left_out_what_the_model_cannot_take(
    sketch_infer: Run, tmp_path: Path, identities: list[str]
) -> None:
    np.save(tmp_path / "a.npy", np.load(SAMPLES / "drawings.npy")[:2])
    lines = (SAMPLES / "drawings.ndjson").read_bytes()
    (tmp_path / "b.ndjson").write_bytes(lines * 2)
    output = tmp_path / "out.jsonl"
    inputs = (tmp_path / "a.npy", tmp_path / "b.ndjson")
    options = (*inputs, "--model", tiny.OF_POINTS, "--output", output, "--on-error", "skip", "--quiet")
    result = sketch_infer(*options)
    assert (result.exit_code, "skipped 2" in result.stderr) == (1, True)
    whole = output.read_bytes()
    assert whole.count(b"\n") == 2 * lines.count(b"\n")
    output.unlink()
    interrupt(output, whole[: len(whole) // 2].decode(), identities[0])
    result = sketch_infer(*options, "--resume")
    assert (result.exit_code, "skipped 2" in result.stderr) == (1, True)
    assert output.read_bytes() == whole


def test_a_pipe_is_not_resumed(sketch_infer: Run, tiny_onnx: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pen.ndjson")
    options = ("--model", tiny_onnx, "--output", tmp_path / "out.jsonl", "--resume")
    result = sketch_infer(tmp_path / "pen.ndjson", *options)
    assert (result.exit_code, "a pipe cannot be read a second time" in result.stderr) == (2, True)
