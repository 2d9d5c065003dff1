"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sketch_infer.errors import OutputError, writing_errors


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Give the block a temporary path beside `path` and rename it to `path` when the block ends well.

    When the block raises, the temporary file is removed and `path` stays as it was.

    Yields:
        the temporary path, an empty file with `path`'s suffix and permissions.

    Raises:
        OutputError: if `path` is a folder or a device, its folder is missing or cannot be written to, or the disk is
            full.
    """
    path = Path(path)
    target = replaceable(path)
    # Beside the target, because a rename is atomic within one file system only.
    temporary = target.with_name(f".{target.stem[:40]}-{os.urandom(4).hex()}{target.suffix[:40]}")
    with writing_errors(path):
        temporary.open("xb").close()
    try:
        with writing_errors(path):
            if target.exists():
                temporary.chmod(final_mode(target) | stat.S_IRUSR | stat.S_IWUSR)  # before anything is in it
            yield temporary
            put_in_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def replaceable(path: Path) -> Path:
    """Return the file that is replaced when `path` is written: a link stays, and what it names is replaced.

    Raises:
        OutputError: if that is a folder or a device (a rename would put a file in the place of /dev/null), or no file
            can have the name.
    """
    with writing_errors(path):  # a name too long, for example
        special = path.exists() and not path.is_file()
        try:
            target = path.resolve()
        except RuntimeError as error:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
    if special:
        raise OutputError(f"{path}: expected a file to write, found {'a folder' if path.is_dir() else 'a device'}")
    return target


def final_mode(target: Path) -> int:
    """Return the permissions of `target`, or those that a new file gets here."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode) & 0o777
    umask = os.umask(0o077)  # it can only be read by setting it
    os.umask(umask)
    return 0o666 & ~umask


def put_in_place(temporary: Path, target: Path) -> None:
    """Rename a finished file, so that after a power cut `target` has the old content or the new.

    Args:
        temporary: the finished file, in the folder of `target`.
        target: the path to give it; the permissions of a file that is there are kept.

    Raises:
        OSError: if the disk is full, for example.
    """
    with temporary.open("r+b") as file:
        os.fsync(file.fileno())
    temporary.chmod(final_mode(target))
    temporary.replace(target)
    with contextlib.suppress(OSError, AttributeError):  # Windows, and file systems that sync no folders
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
