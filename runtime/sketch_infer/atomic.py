"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Give the block a temporary path beside `path` and rename it to `path` when the block ends well.

    When the block raises, the temporary file is removed and `path` stays as it was.

    Yields:
        the temporary path, an empty file with `path`'s suffix.

    Raises:
        OutputError: if the folder is missing or cannot be written to, or the disk is full.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        # A rename would put a file in the place of /dev/null.
        raise OutputError(f"{path}: expected a file to write, found {'a folder' if path.is_dir() else 'a device'}")
    target = path.resolve()  # a link stays, and what it names is replaced
    try:
        # Beside the target, because a rename is atomic within one file system only.
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp's files are private; give this one the mode that an ordinary open() would have.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
