"""A folder where the command meets a fault: what is in it, what ran, and what it left."""

import io
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support import random_sketches

Outcome = tuple[int, str]
"""Exit code and standard error."""

DRAWING = [[[0, 10, 20], [0, 5, 0]], [[3, 4], [5, 6]]]
LINE = json.dumps({"word": "cat", "drawing": DRAWING}) + "\n"
MANY = 3000
"""Drawings that take a while, so that a run can be caught in the middle."""


@dataclass
class Place:
    """A folder with a tiny model and some files, where the command runs."""

    folder: Path
    output: Path

    def write(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return name

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "sketch_infer", "--model", "tiny.onnx", *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": self.folder}
        return subprocess.Popen(command, **{**streams, **options})  # type: ignore[call-overload, no-any-return]

    def run(self, *arguments: str, output: str | None = "out.csv", **options: object) -> Outcome:
        self.output = self.folder / (output or "out.csv")
        if output:
            self.output.write_text("old")
            arguments = (*arguments, "--output", output)
        process = self.start(*arguments, **options)
        _, stderr = process.communicate(timeout=60)
        return process.returncode, stderr

    def partial(self) -> Path | None:
        return next(iter(self.folder.glob(".out.jsonl.*.partial")), None)

    def caught(self, *arguments: str, with_signal: int, output: str = "out.jsonl") -> Outcome:
        """Send a signal when there is something to lose."""
        self.output = self.folder / output
        self.output.write_text("old")
        inherited = signal.getsignal(with_signal)
        if inherited == signal.SIG_IGN:  # as under nohup: the command would rightly ignore it, too
            signal.signal(with_signal, signal.SIG_DFL)
        process = self.start("many.ndjson", "--output", output, *arguments)
        if inherited == signal.SIG_IGN:
            signal.signal(with_signal, signal.SIG_IGN)
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            hidden = [path for path in self.folder.glob(".out*") if path.stat().st_size]
            if hidden:
                process.send_signal(with_signal)
                break
            time.sleep(0.002)
        _, stderr = process.communicate(timeout=60)
        return process.returncode, stderr


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def check_kept(place: Place, what: str) -> None:
    """Check that a run left what the table says."""
    partial = place.partial()
    if what == "the old output":
        assert place.output.read_text() == "old"
        assert not [path.name for path in place.folder.iterdir() if path.name.startswith(".")]
    elif what == "the other results":
        records = place.output.read_text().splitlines()
        assert len(records) == 2 + 1  # and the header
    elif what == "the lines so far":
        assert place.output.read_text() == "old"
        assert partial
        lines = partial.read_bytes().split(b"\n")[:-1]
        assert lines
        assert [json.loads(line)["index"] for line in lines] == list(range(len(lines)))
    elif what == "the input":
        np.testing.assert_array_equal(np.load(place.folder / "strokes.npy"), random_sketches(3, 24, seed=5))
    else:
        assert what == "nothing"
