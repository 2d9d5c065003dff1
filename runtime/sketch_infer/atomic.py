"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sketch_infer.errors import OutputError, writing_errors


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Give the block a temporary path beside `path` and rename it to `path` when the block ends well.

    When the block raises, the temporary file is removed and `path` stays as it was.

    Yields:
        the temporary path, an empty file with `path`'s suffix.

    Raises:
        OutputError: if `path` is a folder or a device, its folder is missing or cannot be written to, or the disk is
            full.
    """
    path = Path(path)
    with writing_errors(path):  # a name too long, for example
        special = path.exists() and not path.is_file()
    if special:
        # A rename would put a file in the place of /dev/null.
        raise OutputError(f"{path}: expected a file to write, found {'a folder' if path.is_dir() else 'a device'}")
    target = path.resolve()  # a link stays, and what it names is replaced
    # Beside the target, because a rename is atomic within one file system only.
    temporary = target.with_name(f".{target.stem[:40]}-{os.urandom(4).hex()}{target.suffix}")
    with writing_errors(path):
        temporary.open("xb").close()
        if target.exists():
            temporary.chmod(target.stat().st_mode)
    try:
        with writing_errors(path):
            yield temporary
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
