"""A pen at the other end of a pipe gets its answer when its line arrives, and a fast producer is served in blocks."""

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sketch_infer.readers.lines import read_stdin
from sketch_infer.readers.listener import CollectingListener
from sketch_infer.readers.live_lines import LiveLines
from tests import tiny
from tests.support import SAMPLES

COMMAND = [sys.executable, "-m", "sketch_infer", "--model", str(tiny.MODEL), "--provider", "cpu", "--format", "jsonl"]
LINES = (SAMPLES / "drawings.ndjson").read_bytes().splitlines(keepends=True)


def test_a_drawing_is_answered_before_the_next_one_comes() -> None:
    command = [*COMMAND, "-", "-q"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stdout
        for number, line in enumerate(LINES[:3]):
            running.stdin.write(line)
            running.stdin.flush()
            # Blocks for good if the answer waits for more drawings.
            assert json.loads(running.stdout.readline())["index"] == number
        running.stdin.close()
        assert running.stdout.read() == b""
    assert running.returncode == 0


def test_a_pipe_that_does_not_block_ends_where_it_is_closed() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as pen:
        lines = LiveLines(pipe)
        pen.write(LINES[0])
        assert lines.readline(10_000) == LINES[0]
        later = threading.Timer(0.2, lambda: pen.write(LINES[1]))
        later.start()
        assert lines.readline(10_000) == LINES[1]
        later.join()
        pen.close()
        assert lines.readline(10_000) == b""


def test_lines_are_those_of_the_file_whatever_the_pipe_makes_of_them() -> None:
    content = b"".join(LINES) + b"\n" + b"x" * 200_000 + b"\nlast, without an end"
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        process = subprocess.Popen(
            [sys.executable, "-c", "import sys, time\nfor at in range(0, len(data := sys.stdin.buffer.read()), 7777):"
             " sys.stdout.buffer.write(data[at : at + 7777]), sys.stdout.buffer.flush(), time.sleep(0.001)"],
            stdin=subprocess.PIPE, stdout=writing,
        )  # fmt: skip
        os.close(writing)
        assert process.stdin
        with process:
            process.stdin.write(content)
            process.stdin.close()
            lines = LiveLines(pipe)
            found = []
            while line := lines.readline(100_000):
                found.append(line)
    with io.BytesIO(content) as file:
        expected = list(iter(lambda: file.readline(100_000), b""))
    assert found == expected


def test_a_pause_marks_the_last_drawing_that_can_be_used() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as pen:
        listener = CollectingListener()
        pen.write(LINES[0] + LINES[1] + b"{}\n")
        sketches = read_stdin(pipe, "auto", listener)
        assert [next(sketches).last_for_now for _ in range(2)] == [False, True]
        pen.write(b"".join(LINES[2:]))
        pen.close()
        assert [sketch.index for sketch in sketches] == [3, 4, 5, 6, 7, 8]
        assert len(listener.errors) == 1


@pytest.mark.parametrize("open_file", [lambda path: path.open("rb"), lambda path: io.BytesIO(path.read_bytes())])
def test_a_file_never_pauses_between_lines(tmp_path: Path, open_file: object) -> None:
    path = tmp_path / "many.ndjson"
    path.write_bytes(b"".join(LINES) * 200)
    with open_file(path) as file:  # type: ignore[operator]
        sketches = list(read_stdin(file, "auto", CollectingListener()))
    assert len(sketches) == 1600
    assert not any(sketch.last_for_now for sketch in sketches[:-1])


def test_the_aspect_of_a_drawing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "shapes.ndjson"
    square, wide = [[[0, 9, 9, 0, 0], [0, 0, 9, 9, 0]]], [[[0, 90, 90, 0, 0], [0, 0, 30, 30, 0]]]
    path.write_text("".join(json.dumps({"drawing": drawing}) + "\n" for drawing in (square, wide)), encoding="utf-8")
    command = [*COMMAND, str(path)]
    found = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    assert [json.loads(line)["aspect"] for line in found] == [1.0, 3.0]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \n\n"])
def test_blank_lines_do_not_hold_an_answer_back(blank: bytes) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as pen:
        pen.write(LINES[0] + blank)
        listener = CollectingListener()
        sketches = read_stdin(pipe, "auto", listener)
        assert next(sketches).last_for_now
        pen.write(blank + b"{}\n" + LINES[1])
        pen.close()
        assert [sketch.index for sketch in sketches] == [2]
        line = 3 + 2 * blank.count(b"\n") - 1
        assert str(listener.errors[0][1]).startswith(f"standard input:{line}: ")


def test_blank_lines_are_the_end_if_nothing_follows() -> None:
    lines = LiveLines(io.BytesIO(b"first\n\n \n"))
    assert lines.readline(99) == b"first\n"
    assert not lines.pause()
    assert [lines.readline(99) for _ in range(3)] == [b"\n", b" \n", b""]
