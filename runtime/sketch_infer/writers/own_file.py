"""A file that one run at a time holds, under a name that others can compute: locked, and nobody else's."""

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from sketch_infer.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
"""What `flock` fails with where a file system has no locks."""

_OPEN = os.O_RDWR | os.O_CREAT | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
"""No link is followed, and a named pipe does not make the opening wait."""

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class OwnFile:
    """A file beside an output that this run alone writes while it is open.

    It is locked, or, where there are no locks, a second file stands beside it.

    Args:
        path: the file.
        output: the output that it is for, which errors name.

    Attributes:
        kept: whether it was left behind under its name, with content.
    """

    def __init__(self, path: Path, output: Path) -> None:
        self._path, self._output = path, output
        self.kept = False
        self._marker: Path | None = None

    def open(self, mode: int) -> BinaryIO:
        """Open the file, lock it, and make sure that it is our own.

        Args:
            mode: the permissions to give it, less those by which others could write.

        Raises:
            OutputError: if another run is writing it, or somebody else made it or can write to it.
        """
        mode &= ~_WRITABLE_BY_OTHERS
        while True:
            try:
                number = os.open(self._path, _OPEN, mode)
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
                    if os.path.samestat(status, self._path.lstat()):
                        self._check_owner(status)
                        if hasattr(os, "fchmod"):
                            os.fchmod(self._file.fileno(), mode)
                        return self._file
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
        marker = self._path.with_suffix(".lock")
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError as error:
            raise OutputError(
                f"{self._output}: another run is writing it, or was killed (this file system has no locks to tell); "
                f"if none is running, remove {marker}"
            ) from error
        self._marker = marker

    def _check_owner(self, status: os.stat_result) -> None:
        """Refuse a file that somebody else made under the name, which can be computed, or could still write to."""
        if hasattr(os, "geteuid") and (
            status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS or status.st_nlink != 1
        ):
            raise self._not_ours("one that another user made or can write to")

    def _not_ours(self, found: str) -> OutputError:
        return OutputError(
            f"{self._output}: expected an interrupted run's own file, found {found}; remove {self._path}, or write to "
            "a folder of your own"
        )

    def is_being_written(self, other: Path) -> bool:
        """Return whether another run writes `other`, a file like this one; asked while this one is open."""
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

    def finish(self) -> None:
        """Write what is buffered; the file can be renamed then, and is locked until `close`."""
        self._file.flush()
        if not fcntl:
            self._file.close()  # Windows renames no open file

    def close(self) -> None:
        """Close the file, and remove it if it is empty: while the lock is held, as its name may be reused then."""
        with contextlib.suppress(OSError, ValueError):  # a full disk: what is in the buffer was not promised
            self._file.flush()
        with contextlib.suppress(OSError, ValueError):  # the file is in its place, and closed on Windows
            status = os.fstat(self._file.fileno())
            if os.path.samestat(status, self._path.lstat()):
                self.kept = status.st_size > 0
                if not fcntl:
                    self._file.close()
                if not self.kept:
                    self._path.unlink()
        with contextlib.suppress(OSError):
            self._file.close()
        self._unmark()

    def _unmark(self) -> None:
        if self._marker:
            self._marker.unlink(missing_ok=True)
            self._marker = None
