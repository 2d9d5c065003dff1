"""Building: the same index in one run or several, and the old one stays until the new one is whole."""

import json
from dataclasses import replace
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


def test_a_file_that_the_index_holds_is_recognized_under_each_of_its_names(
    sketch_search: Run, drawings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drawings.parent)
    Path("link.ndjson").symlink_to(drawings)
    command = (*MODEL, "--output", "new.index")
    built = sketch_search("build", drawings.name, *command)
    assert built.exit_code == 0, built.stderr
    before = Path("new.index").read_bytes()
    for name in (drawings.name, f"./{drawings.name}", str(drawings), "link.ndjson"):
        again = sketch_search("build", name, *command, "--append")
        assert again.exit_code == 2
        assert f"new.index: this index already holds drawings of {name}; append other files" in again.stderr
    assert Path("new.index").read_bytes() == before
    assert SketchIndex("new.index").header.sources == (drawings.name,)


@pytest.mark.parametrize("second", ["drawings.ndjson", "./drawings.ndjson", "", "link.ndjson"])
def test_a_file_that_is_named_twice_is_refused(
    sketch_search: Run, drawings: Path, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    monkeypatch.chdir(drawings.parent)
    Path("link.ndjson").symlink_to(drawings)
    second = second or str(drawings)
    result = sketch_search("build", "drawings.ndjson", second, *MODEL, "--output", "new.index")
    assert result.exit_code == 2
    expected = f"{second}: expected each file once, found it twice, first as drawings.ndjson; name it once"
    assert expected in result.stderr
    assert not Path("new.index").exists()


@pytest.mark.parametrize("source", ["a\0b", "\ud800", "/" + "x" * 300])
def test_an_index_with_names_that_no_file_can_have_is_added_to(
    index_file: Path, sketch_search: Run, tmp_path: Path, source: str
) -> None:
    index = SketchIndex(index_file)
    header, sections = replace(index.header, sources=(source,)), index.header.sections()
    content = bytearray(header.sections()["pictures"].end)
    content[: len(header.to_bytes())] = header.to_bytes()
    for name, section in header.sections().items():
        content[section.offset : section.end] = index_file.read_bytes()[sections[name].offset : sections[name].end]
    (tmp_path / "named.index").write_bytes(content)
    (tmp_path / "more.ndjson").write_text(LINES[0])
    command = ("build", tmp_path / "more.ndjson", *MODEL, "--output", tmp_path / "named.index", "--append")
    result = sketch_search(*command)
    assert result.exit_code == 0, result.stderr
    assert SketchIndex(tmp_path / "named.index").header.sources == (source, str(tmp_path / "more.ndjson"))


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
