"""What a terminal of 80 columns shows: whole lines, and no progress bar over results."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sketch_infer import Predictions
from sketch_infer.readers.sketch import Sketch
from sketch_infer.tables import text_width
from sketch_infer.writers.text import NONE_OF_THESE, TableWriter
from tests import tiny
from tests.support import SAMPLES

LINE = '{"word": "ant", "drawing": [[[0, 9, 5], [0, 5, 9]]]}\n'


def table(labels: tuple[str, ...], source: str, width: int | None) -> list[str]:
    rows = np.linspace(-1, 1, 2 * len(labels), dtype=np.float32).reshape(2, -1)
    log_probs = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    stream = io.StringIO()
    writer = TableWriter(stream, len(labels), labels, [source], width)
    sketches = [Sketch(source, index, np.zeros((2, 3), np.float32)) for index in range(2)]
    writer.write(sketches, Predictions(log_probs, rows, labels))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 60])
@pytest.mark.parametrize(
    "labels",
    [("ant", "palm tree", "hot air balloon", "cat", "dog"), ("猫", "犬", "飞机和其他", "🐱", "eel")],
)
def test_a_table_fits_its_width(labels: tuple[str, ...], width: int) -> None:
    lines = table(labels, "a/long/path/to/the/drawings/of/one/person.ndjson", width)
    assert max(map(text_width, lines)) <= width
    assert "person.ndjson" in lines[1]
    assert {text_width(line[: re.search(r"\d\.\d%", line).end()]) for line in lines[1:]} == {  # type: ignore[union-attr]
        text_width(lines[0].partition("probability")[0]) + len("probability")
    }


def test_a_pipe_is_never_cut() -> None:
    labels = tuple(f"{NONE_OF_THESE} {number}" for number in range(9))
    lines = table(labels, "x" * 200, None)
    assert "x" * 200 in lines[1]
    assert all(label in lines[1] for label in labels)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals of POSIX")
class TestTerminal:
    def shown(self, *arguments: object, stderr_only: bool = False) -> str:
        """Return what a terminal of 80 columns gets of stdout and stderr, or of stderr alone."""
        import pty
        import termios

        ours, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (24, 80))
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
        process = subprocess.Popen(
            [sys.executable, "-m", "sketch_infer", *map(str, arguments), "--model", str(tiny.MODEL)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if stderr_only else terminal,
            stderr=terminal,
            env=environment,
        )
        os.close(terminal)
        seen = b""
        try:
            while block := os.read(ours, 65536):
                seen += block
        except OSError:  # Linux' end of a terminal
            pass
        assert process.wait(timeout=60) == 0, seen
        os.close(ours)
        return seen.decode().replace("\r\n", "\n")

    @pytest.fixture
    def many(self, tmp_path: Path) -> Path:
        path = tmp_path / f"{'drawings_of_the_first_of_november_' * 3}.ndjson"
        path.write_text(LINE * 3000)
        return path

    @pytest.mark.parametrize("format_", ["table", "csv", "jsonl", "json"])
    def test_no_bar_over_results(self, many: Path, format_: str) -> None:
        shown = self.shown(many, "--format", format_)
        assert "\r" not in shown
        assert "\x1b" not in shown
        if format_ == "table":
            assert shown.count("\n") == 3001
            assert max(map(len, shown.splitlines())) <= 80

    def test_a_bar_beside_a_file(self, many: Path, tmp_path: Path) -> None:
        shown = self.shown(many, "--output", tmp_path / "out.csv")
        pictures = [text for text in re.split(r"[\r\n]|\x1b\[[0-9?]*[A-Za-z]", shown) if text]
        assert "3,000 sketches" in pictures[-1]
        assert max(map(len, pictures)) < 80

    def test_the_self_check_fits(self) -> None:
        shown = self.shown("--self-check")
        assert "PASS" in shown
        assert [line for line in shown.splitlines() if len(line) > 80] == []

    def test_nothing_but_answers_where_there_is_no_card(self) -> None:
        from sketch_infer.inference.cuda import has_nvidia_card

        if has_nvidia_card():
            pytest.skip("there is an NVIDIA card here")
        assert self.shown(SAMPLES / "drawings.npy").startswith("source ")
