"""The file that a .jsonl output grows in: one run at a time, nobody else's lines, and the output's own permissions."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sketch_infer import OutputError
from sketch_infer.writers.partial_lines import PartialLines
from tests.runtime.writers.interrupted_lines import A, B, interrupt

fcntl = pytest.importorskip("fcntl", reason="POSIX locks, owners and links")


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def before_lock(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Do something between the opening of the next file and the request for its lock."""

    def flock(file: object, mode: int) -> None:
        monkeypatch.undo()
        action()
        fcntl.flock(file, mode)

    patched = SimpleNamespace(flock=flock, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB)
    monkeypatch.setattr("sketch_infer.writers.own_file.fcntl", patched)


def test_a_run_that_opened_the_file_before_it_was_renamed_leaves_the_finished_output_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.jsonl"
    first = PartialLines(output, A, resume=False)
    second = PartialLines(output, A, resume=False)

    def finish() -> None:
        first.write("first\n")
        first.__exit__(None)

    first.__enter__()
    before_lock(monkeypatch, finish)
    with second:
        assert output.read_text() == "first\n"
        second.write("second\n")
        assert output.read_text() == "first\n"
    assert output.read_text() == "second\n"
    assert hidden(tmp_path) == []


def test_a_run_that_starts_between_opening_and_lock_keeps_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.jsonl"
    first, second = (PartialLines(output, A, resume=False) for _ in range(2))

    def start() -> None:
        first.__enter__()
        first.write("first\n")

    before_lock(monkeypatch, start)
    with pytest.raises(OutputError, match="another run is writing it"), second:
        pass
    first.__exit__(None)
    assert output.read_text() == "first\n"


@pytest.mark.parametrize("identity", [A, B])
def test_a_second_run_is_refused_whatever_its_inputs(tmp_path: Path, identity: str) -> None:
    output = tmp_path / "out.jsonl"
    with PartialLines(output, A, resume=False) as first:
        first.write("first\n")
        with pytest.raises(OutputError, match="another run is writing it"), PartialLines(output, identity, True):
            pass
        assert hidden(tmp_path) == [first.path.name]
    assert output.read_text() == "first\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{'answers_of_the_tablets_' * 3}1.jsonl", f"{'answers_of_the_tablets_' * 3}2.jsonl"),
        ("x" * 240 + "1.jsonl", "x" * 240 + "2.jsonl"),
        ("\N{CAT FACE}" * 60 + "1", "\N{CAT FACE}" * 60 + "2"),
        ("run.jsonl", "run.jsonl.old.jsonl"),
        ("run[0-9]*.jsonl", "run7.jsonl"),
    ],
)
def test_outputs_of_similar_names_have_nothing_to_do_with_each_other(tmp_path: Path, one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        kept = interrupt(tmp_path / first, "kept\n")
        for resume in (False, True):
            with PartialLines(tmp_path / second, B, resume) as lines:
                lines.write("new\n")
            with PartialLines(tmp_path / second, A, resume) as lines:
                lines.write("new\n")
        assert kept.read_text() == "kept\n"
        assert (tmp_path / second).read_text() == "new\n"
        (tmp_path / second).unlink()
        kept.unlink()


def test_a_link_under_the_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    lines = PartialLines(tmp_path / "out.jsonl", A, resume=False)
    for plant in (lines.path.symlink_to, lines.path.hardlink_to):
        plant(victim)
        for resume in (False, True):
            with (
                pytest.raises(OutputError, match=r"expected an interrupted run's own file, found .*; remove "),
                PartialLines(tmp_path / "out.jsonl", A, resume),
            ):
                pass
        lines.path.unlink()
    assert victim.read_text() == "precious\n"
    os.mkfifo(lines.path)
    with pytest.raises(OutputError, match="found a pipe or a device"), lines:
        pass


@pytest.mark.parametrize("resume", [False, True])
def test_lines_that_others_could_have_written_are_refused(tmp_path: Path, resume: bool) -> None:
    output = tmp_path / "out.jsonl"
    path = interrupt(output, "kept\n")
    path.chmod(0o664)
    with (
        pytest.raises(OutputError, match="one that another user made or can write to"),
        PartialLines(output, A, resume),
    ):
        pass
    path.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        with pytest.raises(OutputError, match="another user made"), PartialLines(output, A, resume):
            pass
    assert path.read_text() == "kept\n"


@pytest.mark.parametrize(
    ("before", "during", "umask"), [(0o600, 0o600, 2), (0o664, 0o644, 2), (None, 0o644, 2), (None, 0o600, 0o77)]
)
def test_the_lines_are_as_private_as_the_output_and_writable_by_nobody_else(
    tmp_path: Path, before: int | None, during: int, umask: int
) -> None:
    output = tmp_path / "out.jsonl"
    if before is not None:
        output.touch()
        output.chmod(before)
    inherited = os.umask(umask)
    try:
        path = interrupt(output, "kept\n")
        assert stat.S_IMODE(path.stat().st_mode) == during
        with PartialLines(output, A, resume=True):
            assert stat.S_IMODE(path.stat().st_mode) == during
    finally:
        os.umask(inherited)
    assert output.read_text() == "kept\n"
    assert stat.S_IMODE(output.stat().st_mode) == (before if before is not None else 0o666 & ~umask)


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_file: object, _mode: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    output = tmp_path / "out.jsonl"
    with PartialLines(output, A, resume=False) as first:
        first.write("first\n")
        for identity in (A, B):
            with pytest.raises(OutputError, match="another run is writing it"), PartialLines(output, identity, True):
                pass
        assert first.path.read_text() == "first\n"
    assert output.read_text() == "first\n"
    assert hidden(tmp_path) == []
    interrupt(output, "second\n")
    with PartialLines(output, A, resume=True) as lines:
        lines.write("third\n")
    assert output.read_text() == "second\nthird\n"
    assert hidden(tmp_path) == []
