import errno
import os
import sys
from pathlib import Path

import pytest

from sketch_infer import OutputError
from sketch_infer.atomic import write_atomically


def write_and_raise(path: Path, error: BaseException) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text("new")
        raise error


def test_the_file_appears_whole_with_ordinary_permissions(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with write_atomically(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.suffix == ".txt"
    (tmp_path / "plain").touch()
    assert path.read_text() == "whole"
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_keeps_the_old_file_and_leaves_no_other(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(error):
        write_and_raise(path, error())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out\.txt: cannot be written: No space left on device"):
        write_and_raise(tmp_path / "out.txt", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_files_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "private"
    path.touch(0o600)
    with write_atomically(path) as temporary:
        temporary.write_text("new")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["x" * 300, "missing/out.txt"])
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot be written"), write_atomically(tmp_path / name):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX devices and links")
def test_devices_are_refused_and_links_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # stands for /dev/null, which a failing test must not replace
    with pytest.raises(OutputError, match="found a device"), write_atomically(tmp_path / "pipe"):
        pass
    (tmp_path / "target").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "target" / "out.txt")
    with write_atomically(link) as temporary:
        temporary.write_text("through the link")
    assert link.is_symlink()
    assert (tmp_path / "target" / "out.txt").read_text() == "through the link"
