"""Runs that overlap: what one puts into an index, another does not take away."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sketch_infer import OutputError
from sketch_infer.writers.own_file import OwnFile
from sketch_search import SketchIndex, build, commands
from sketch_search.build import PartialIndex, Plan
from tests import tiny
from tests.search.conftest import LINES
from tests.support import Run

MODEL = ("--model", tiny.WITH_CODES)
A, B = "a" * 16, "b" * 16

CHANGED = "drawings.index: another run changed it meanwhile; run the same command again"

Meanwhile = Callable[[Callable[[], object]], None]


def do_first(monkeypatch: pytest.MonkeyPatch, place: ModuleType, name: str, action: Callable[[], object]) -> None:
    """Do something, once, when a function of a module is called, and then what it does."""
    original = getattr(place, name)

    def patched(*arguments: object) -> object:
        monkeypatch.setattr(place, name, original)
        action()
        return original(*arguments)

    monkeypatch.setattr(place, name, patched)


@pytest.fixture(params=["before the lock", "before the index is replaced"])
def meanwhile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Have something done by others while the next run is at a certain point."""
    place, name = (commands, "run_identity") if request.param == "before the lock" else (build, "_write")
    return lambda action: do_first(monkeypatch, place, name, action)


@pytest.fixture
def other(tmp_path: Path, sketch_search: Run) -> Path:
    """An index of two drawings that another run has built elsewhere."""
    (tmp_path / "others.ndjson").write_text("".join(LINES[:2]))
    built = sketch_search("build", tmp_path / "others.ndjson", *MODEL, "--output", tmp_path / "other.index")
    assert built.exit_code == 0, built.stderr
    return tmp_path / "other.index"


@pytest.fixture
def more(tmp_path: Path) -> Path:
    (tmp_path / "more.ndjson").write_text("".join(LINES[2:5]))
    return tmp_path / "more.ndjson"


def names(index: Path) -> list[str]:
    return [Path(source).name for source in SketchIndex(index).header.sources]


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_drawings_that_another_run_has_added_are_not_lost(
    index_file: Path, other: Path, more: Path, sketch_search: Run, meanwhile: Meanwhile
) -> None:
    added = other.read_bytes()
    meanwhile(lambda: other.replace(index_file))
    command = ("build", more, *MODEL, "--output", index_file, "--append")
    result = sketch_search(*command)
    assert (result.exit_code, CHANGED in result.stderr) == (2, True), result.stderr
    assert index_file.read_bytes() == added

    again = sketch_search(*command, *(["--resume"] if "--resume" in result.stderr else []))
    assert again.exit_code == 0, again.stderr
    assert names(index_file) == ["others.ndjson", "more.ndjson"]
    assert len(SketchIndex(index_file)) == 5
    assert hidden(index_file.parent) == []


def test_a_run_that_has_lost_its_base_before_it_starts_encodes_nothing(
    index_file: Path, other: Path, more: Path, sketch_search: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_first(monkeypatch, commands, "run_identity", lambda: other.replace(index_file))
    result = sketch_search("build", more, *MODEL, "--output", index_file, "--append")
    assert (result.exit_code, CHANGED in result.stderr) == (2, True), result.stderr
    assert "--resume" not in result.stderr
    assert hidden(index_file.parent) == []


def test_an_index_that_was_removed_does_not_come_back(
    index_file: Path, more: Path, sketch_search: Run, meanwhile: Meanwhile
) -> None:
    meanwhile(index_file.unlink)
    result = sketch_search("build", more, *MODEL, "--output", index_file, "--append")
    assert (result.exit_code, CHANGED in result.stderr) == (2, True), result.stderr
    assert not index_file.exists()


@pytest.mark.parametrize("appears", [False, True])
def test_a_new_index_does_not_replace_what_another_run_has_just_built(
    index_file: Path, other: Path, more: Path, sketch_search: Run, meanwhile: Meanwhile, appears: bool
) -> None:
    if appears:
        index_file.unlink()
    added = other.read_bytes()
    meanwhile(lambda: other.replace(index_file))
    result = sketch_search("build", more, *MODEL, "--output", index_file)
    assert (result.exit_code, CHANGED in result.stderr) == (2, True), result.stderr
    assert index_file.read_bytes() == added


def test_a_new_index_does_not_need_the_one_that_it_was_to_replace(
    index_file: Path, more: Path, sketch_search: Run, meanwhile: Meanwhile
) -> None:
    meanwhile(index_file.unlink)
    result = sketch_search("build", more, *MODEL, "--output", index_file)
    assert result.exit_code == 0, result.stderr
    assert names(index_file) == ["more.ndjson"]


def test_of_two_runs_that_start_at_once_one_sees_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan("model", "0" * 64, 16, None)
    first, second = (PartialIndex(tmp_path / "new.index", identity, False, plan) for identity in (A, B))
    original = OwnFile.open

    def open_late(own_file: OwnFile, mode: int) -> object:
        monkeypatch.undo()
        second.__enter__()
        return original(own_file, mode)

    monkeypatch.setattr(OwnFile, "open", open_late)
    with pytest.raises(OutputError, match=r"new\.index: another run is writing it"), first:
        pass
    assert hidden(tmp_path) == [second.path.name]
    second.__exit__(KeyboardInterrupt)
    assert hidden(tmp_path) == []


def test_an_interrupted_run_goes_on_with_an_index_that_has_grown_since(
    index_file: Path, other: Path, more: Path, sketch_search: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("build", more, *MODEL, "--output", index_file, "--append")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build.PartialIndex, "complete", stop)
        assert sketch_search(*command).exit_code != 0
    others = other.with_name("others.ndjson")
    assert sketch_search("build", others, *MODEL, "--output", index_file, "--append").exit_code == 0
    result = sketch_search(*command, "--resume")
    assert result.exit_code == 0, result.stderr
    assert names(index_file) == ["drawings.ndjson", "others.ndjson", "more.ndjson"]
    assert len(SketchIndex(index_file)) == 13
    assert hidden(index_file.parent) == []


def test_an_open_index_stays_the_one_that_was_opened(index_file: Path, more: Path, sketch_search: Run) -> None:
    pictures = [SketchIndex(index_file).picture(row).tolist() for row in range(8)]
    index = SketchIndex(index_file)  # its pictures are not read yet
    assert sketch_search("build", more, *MODEL, "--output", index_file).exit_code == 0
    assert len(SketchIndex(index_file)) == 3
    assert [index.picture(row).tolist() for row in range(8)] == pictures
    assert len(index.nearest(index.codes[0], index.embeddings[0], k=9)) == 8
