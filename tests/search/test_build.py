"""Building: the same index in one run or several, and the old one stays until the new one is whole."""

import json
from pathlib import Path

import numpy as np
import pytest

from sketch_search import SketchIndex, build
from tests import tiny
from tests.search.conftest import LINES
from tests.support import Run

MODEL = ("--model", tiny.WITH_CODES)


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_an_interrupted_build_is_continued_and_gives_the_same_file(
    index_file: Path, drawings: Path, sketch_search: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = index_file.read_bytes()
    command = ("build", drawings, *MODEL, "--output", index_file)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build.PartialIndex, "complete", stop)
        result = sketch_search(*command)
    assert result.exit_code != 0
    assert "run the same command with --resume" in result.stderr
    (partial,) = hidden(index_file.parent)
    lines = (index_file.parent / partial).read_bytes()
    assert index_file.read_bytes() == whole, "the old index stays"
    (index_file.parent / partial).write_bytes(lines[: len(lines) // 2])  # as if it was killed in the middle of a line

    index_file.unlink()
    result = sketch_search(*command, "--resume")
    assert result.exit_code == 0, result.stderr
    assert index_file.read_bytes() == whole
    assert hidden(index_file.parent) == []


def test_appending_keeps_what_is_there(index_file: Path, sketch_search: Run, tmp_path: Path) -> None:
    before = SketchIndex(index_file)
    more = tmp_path / "more.ndjson"
    more.write_text("".join(LINES[:2]) + json.dumps({"word": "owl", "drawing": [[[0, 9], [0, 9]]]}) + "\n")
    result = sketch_search("build", more, *MODEL, "--output", index_file, "--append")
    assert result.exit_code == 0, result.stderr
    after = SketchIndex(index_file)
    assert len(after) == 11
    np.testing.assert_array_equal(after.codes[:8], before.codes)
    np.testing.assert_array_equal(after.codes[8:10], before.codes[:2])
    assert [after.key(row) for row in (7, 8, 10)] == [before.key(7), (str(more), 0), (str(more), 2)]
    assert (after.word(8), after.word(10)) == (before.word(0), "owl")
    np.testing.assert_array_equal(after.picture(8), before.picture(0))

    again = sketch_search("build", more, *MODEL, "--output", index_file, "--append")
    assert again.exit_code == 2
    assert f"already holds drawings of {more}" in again.stderr


def test_bad_drawings_stop_the_build_or_are_left_out(index_file: Path, sketch_search: Run, tmp_path: Path) -> None:
    before = index_file.read_bytes()
    mixed = tmp_path / "mixed.ndjson"
    mixed.write_text(LINES[0] + "x\n" + LINES[1])
    result = sketch_search("build", mixed, *MODEL, "--output", index_file)
    assert result.exit_code == 2
    assert "mixed.ndjson:2: expected a JSON object" in result.stderr
    assert index_file.read_bytes() == before

    result = sketch_search("build", mixed, *MODEL, "--output", index_file, "--on-error", "skip")
    assert result.exit_code == 1
    assert "skipped 1 that could not be used" in result.stderr
    index = SketchIndex(index_file)
    assert [index.key(row)[1] for row in range(len(index))] == [0, 2]


def test_an_index_of_nothing_is_not_written(sketch_search: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.ndjson").write_text("x\n")
    command = ("build", tmp_path / "bad.ndjson", *MODEL, "--output", tmp_path / "new.index", "--on-error", "skip")
    result = sketch_search(*command)
    assert result.exit_code == 2
    assert "expected drawings to build an index of, found none that can be used" in result.stderr
    assert not (tmp_path / "new.index").exists()
    assert hidden(tmp_path) == []


def test_words_come_from_the_file_s_name_only_if_it_is_a_class(sketch_search: Run, tmp_path: Path) -> None:
    for name in ("cat.npy", "batch1.npy"):
        np.save(tmp_path / name, np.array([[[0.5, 0.5, 0], [0.5, -0.5, 1]]], np.float32))
    output = tmp_path / "new.index"
    result = sketch_search("build", tmp_path / "cat.npy", tmp_path / "batch1.npy", *MODEL, "--output", output)
    assert result.exit_code == 0, result.stderr
    assert [SketchIndex(output).word(row) for row in range(2)] == ["cat", None]


@pytest.mark.parametrize("input_", ["-", "drawings.ndjson"])
def test_standard_input_and_an_output_that_is_an_input(sketch_search: Run, drawings: Path, input_: str) -> None:
    output = drawings.parent / "new.index" if input_ == "-" else drawings
    source = input_ if input_ == "-" else drawings
    result = sketch_search("build", source, *MODEL, "--output", output, stdin=LINES[0].encode())
    if input_ == "-":
        assert result.exit_code == 0, result.stderr
        assert SketchIndex(output).key(0) == ("-", 0)
    else:
        assert result.exit_code == 2
        assert "is also an input" in result.stderr
