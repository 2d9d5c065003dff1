"""JSON lines that an interrupted run leaves behind and a later one goes on with."""

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sketch_infer._version import __version__
from sketch_infer.atomic import final_mode, put_in_place, replaceable
from sketch_infer.errors import InputError, OutputError, writing_errors
from sketch_infer.readers.sketch import Sketch

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LONG_NAME = 100
"""Bytes of an output's name that its partial file can repeat: file systems take names of 143 to 255 bytes."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
"""What `flock` fails with where a file system has no locks."""

_OPEN = os.O_RDWR | os.O_CREAT | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
"""No link is followed, and a named pipe does not make the opening wait."""

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def run_identity(sources: Iterable[str], *options: object) -> str:
    """Return a hash of what decides a run's answers: the name and content of its inputs, and its options."""
    digest = hashlib.sha256(repr((__version__, options)).encode())
    for source in sources:
        content = hashlib.sha256()
        with contextlib.suppress(OSError):  # what cannot be read is found out where it is opened
            if Path(source).is_file():
                with Path(source).open("rb") as file:
                    while block := file.read(2**20):
                        content.update(block)
        digest.update(hashlib.sha256(os.fsencode(source)).digest() + content.digest())
    return digest.hexdigest()[:16]


class PartialLines:
    """The file beside an output that holds its lines until they are complete; then it takes the output's place.

    It stays when the block ends badly or the process is killed, if it has lines by then. One run at a time writes an
    output: the file is locked, or, where there are no locks, a second file stands beside it.

    Args:
        output: the file to write in the end.
        identity: of the run, `run_identity`; a partial file of another run is never continued.
        resume: whether to continue where an interrupted run stopped, instead of starting anew.

    Attributes:
        path: the partial file.
        kept: whether it was left behind, with lines to continue after.
    """

    def __init__(self, output: Path, identity: str, resume: bool) -> None:
        self._target = replaceable(output)
        self._output, self._resume = output, resume
        name = self._target.name
        if len(os.fsencode(name)) > _LONG_NAME:
            name = f"{name[:20]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
        self._pattern = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.partial")
        self.path = self._target.with_name(f".{name}.{identity}.partial")
        self.kept = False
        self._done = 0
        self._marker: Path | None = None

    def __enter__(self) -> "PartialLines":
        with writing_errors(self._output):
            with os.scandir(self._target.parent) as entries:
                names = {entry.name for entry in entries if self._pattern.fullmatch(entry.name)}
            self._open()
            try:
                self._refuse_others(names)
                self._done = _whole_lines(self._file) if self._resume else 0
                self._file.truncate(self._done)
                self._file.seek(self._done)
            except BaseException:
                self._close()
                raise
        return self

    def _open(self) -> None:
        """Open the partial file, lock it, and make sure that it is our own."""
        mode = final_mode(self._target) & ~_WRITABLE_BY_OTHERS
        while True:
            try:
                number = os.open(self.path, _OPEN, mode)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                    raise self._not_ours("a link, a folder or a device") from error
                raise
            if not stat.S_ISREG(os.fstat(number).st_mode):
                os.close(number)
                raise self._not_ours("a pipe or a device")
            self._file: BinaryIO = os.fdopen(number, "r+b")
            try:
                self._lock()
                status = os.fstat(self._file.fileno())
                # Another run may have renamed the file between the opening and the lock: it is that run's output now.
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(status, self.path.lstat()):
                        self._check_owner(status)
                        if hasattr(os, "fchmod"):
                            os.fchmod(self._file.fileno(), mode)
                        return
            except BaseException:
                self._file.close()
                self._unmark()
                raise
            self._file.close()

    def _lock(self) -> None:
        try:
            if fcntl:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
        except BlockingIOError as error:
            raise OutputError(f"{self._output}: another run is writing it") from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        if self._marker:
            return
        marker = self.path.with_suffix(".lock")
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError as error:
            raise OutputError(
                f"{self._output}: another run is writing it, or was killed (this file system has no locks to tell); "
                f"if none is running, remove {marker}"
            ) from error
        self._marker = marker

    def _refuse_others(self, names: set[str]) -> None:
        """Make sure that no partial file of this output that was there before is in the way."""
        others = sorted(self._target.with_name(name) for name in names - {self.path.name})
        if any(map(self._is_being_written, others)):
            raise OutputError(f"{self._output}: another run is writing it")
        if self._resume and others and self.path.name not in names:
            raise OutputError(
                f"{self._output}: expected the command of the interrupted run, found other inputs, model "
                f"or options; repeat that command, or remove {others[0]}"
            )

    def _is_being_written(self, other: Path) -> bool:
        """Return whether a run with other inputs or options is writing the same output."""
        if not fcntl or self._marker:
            return other.with_suffix(".lock").exists()
        try:
            file = os.open(other, _OPEN & ~os.O_CREAT)
        except OSError:  # finished by now, or not ours
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def _check_owner(self, status: os.stat_result) -> None:
        """Refuse a file that somebody else made under the name, which can be computed, or could still write to."""
        if hasattr(os, "geteuid") and (
            status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS or status.st_nlink != 1
        ):
            raise self._not_ours("one that another user made or can write to")

    def _not_ours(self, found: str) -> OutputError:
        return OutputError(
            f"{self._output}: expected an interrupted run's own file, found {found}; remove {self.path}, or write to a "
            "folder of your own"
        )

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                with writing_errors(self._output):
                    self._file.flush()
                    if not fcntl:
                        self._file.close()  # Windows renames no open file
                    self.complete()
        finally:
            self._close()

    def complete(self) -> None:
        """Put the lines in the place of the output, while they are locked."""
        put_in_place(self.path, self._target)

    def _close(self) -> None:
        """Close the file, and remove it if it has no lines: while the lock is held, as its name may be reused then."""
        with contextlib.suppress(OSError, ValueError):  # a full disk: what is in the buffer was not promised
            self._file.flush()
        with contextlib.suppress(OSError, ValueError):  # the file is in its place, and closed on Windows
            status = os.fstat(self._file.fileno())
            if os.path.samestat(status, self.path.lstat()):
                self.kept = status.st_size > 0
                if not fcntl:
                    self._file.close()
                if not self.kept:
                    self.path.unlink()
        with contextlib.suppress(OSError):
            self._file.close()
        self._unmark()

    def _unmark(self) -> None:
        if self._marker:
            self._marker.unlink(missing_ok=True)
            self._marker = None

    def write(self, text: str) -> int:
        """Append text, which reaches the system before this returns.

        Raises:
            OutputError: if the disk is full, for example.
        """
        with writing_errors(self._output):
            self._file.write(text.encode("utf-8", "backslashreplace"))
            self._file.flush()
        return len(text)

    def skip_done(self, sketches: Iterator[Sketch]) -> Iterator[Sketch]:
        """Leave out the sketches whose lines are there, each compared with its line.

        Raises:
            InputError: if the lines are of other sketches.
        """
        self._file.seek(0)
        while self._file.tell() < self._done:
            line = self._file.readline()
            sketch = next(sketches, None)
            if sketch is None or _key(line) != (sketch.source, sketch.index):
                raise InputError(
                    f"{self._output}: the interrupted run's results are not from these inputs; remove {self.path}"
                )
        self._file.seek(self._done)
        yield from sketches


def _whole_lines(file: BinaryIO) -> int:
    """Return the number of bytes up to the end of the last whole line."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 65536)
        file.seek(start)
        if (found := file.read(end - start).rfind(b"\n")) >= 0:
            return start + found + 1
        end = start
    return 0


def _key(line: bytes) -> tuple[str, int] | None:
    try:
        record = json.loads(line)
        return record["source"], record["index"]
    except (ValueError, TypeError, KeyError):
        return None
