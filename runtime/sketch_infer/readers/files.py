"""Sketches from files: arrays, Quick, Draw! drawings in text or binary, raw pen points."""

import contextlib
import errno
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from sketch_infer.errors import InputError
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.sketch import InputFormat, Sketch

if TYPE_CHECKING:
    from sketch_infer.readers.drawings import DrawingFormat

STDIN = "-"

SUFFIXES = (".npy", ".npz", ".ndjson", ".ndjson.gz", ".parquet", ".bin")
"""Endings of the files that can be read, in lower case."""

Format = TypeVar("Format", bound=str)


def expand_folders(sources: Iterable[str], listener: ReadListener | None = None) -> list[str]:
    """Replace each folder by the files in it and below that can be read, sorted by name, without hidden ones.

    Links to files and folders are followed, except a link to a folder that contains it.

    Args:
        sources: files and folders.
        listener: is told about what cannot be used in a folder; None to stop at the first.

    Raises:
        InputError: if a folder has no such file or cannot be read, if a link leads nowhere, or if a name belongs to a
            pipe or device. A `listener` that continues is told instead.
    """
    listener = listener or ReadListener()
    files: list[str] = []
    for source in sources:
        if source == STDIN or not _is_folder(source):
            files.append(source)
            continue
        found = sorted(map(str, _files_below(Path(source), listener)))
        if not found:
            listener.bad(InputError(f"{source}: expected {', '.join(SUFFIXES)} files in this folder, found none"))
        files += found
    return files


def _is_folder(source: str) -> bool:
    try:
        return Path(source).is_dir()
    except OSError:  # a folder above may not be entered; the reading of the file says so
        return False


def _files_below(top: Path, listener: ReadListener) -> Iterator[Path]:
    waiting = [(top, frozenset[tuple[int, int]]())]
    while waiting:
        folder, above = waiting.pop()
        try:
            status = folder.stat()
            entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
        except OSError as error:
            listener.bad(InputError(f"{folder}: this folder cannot be read: {error.strerror or error}"))
            continue
        if (here := (status.st_dev, status.st_ino)) in above:
            listener.note(f"{folder} is a link to a folder above it; it is not read again")
            continue
        for path in entries:
            try:
                mode = path.stat().st_mode
            except OSError as error:
                listener.bad(_unusable(str(path), error))
                continue
            if stat.S_ISDIR(mode):
                waiting.append((path, above | {here}))
            elif path.name.lower().endswith(SUFFIXES):
                if stat.S_ISREG(mode):
                    yield path
                else:
                    listener.bad(InputError(f"{path}: expected a file, found a pipe, a socket or a device"))


def _unusable(source: str, error: OSError | ValueError) -> InputError:
    """Return what is wrong with a path that tells nothing of itself."""
    if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return InputError(f"{source}: cannot be read: {error.strerror or error}")
    with contextlib.suppress(OSError, ValueError):
        if Path(source).is_symlink():
            return InputError(f"{source}: no such file: its link leads to {Path(source).readlink()}, which is missing")
    return InputError(f"{source}: no such file")


def can_be_read_again(sources: Iterable[str]) -> bool:
    """Return whether none of the inputs is a pipe, whose content is gone once it was read."""
    with contextlib.suppress(OSError):  # what cannot be read at all is reported where it is opened
        return not any(source == STDIN or Path(source).is_fifo() for source in sources)
    return True


def read_sketches(
    source: str,
    input_format: InputFormat = "auto",
    listener: ReadListener | None = None,
    opened: BinaryIO | None = None,
) -> Iterator[Sketch]:
    """Read the sketches of a file one by one, in bounded memory.

    Args:
        source: `.npy` with one sketch (T, 3 or 5) or many (N, T, 3 or 5); `.npz` with such arrays; `.ndjson` or
            `.ndjson.gz` with one drawing per line; `.parquet` with one per row; `.bin`; or `-` for `.ndjson` on
            standard input.
        input_format: the form of the content; "auto" detects it as docs/input.md describes.
        listener: is told about what cannot be used; None to stop at the first.
        opened: the file itself, seekable and at its start, if `source` is only its name, as for object stores.

    Raises:
        InputError: at the first sketch that cannot be used, with file and row or line. A `listener` that continues is
            told instead.
    """
    listener = listener or ReadListener()
    try:
        yield from _open(source, input_format, listener, opened)
    except InputError as error:
        listener.bad(error)


def _open(source: str, input_format: InputFormat, listener: ReadListener, opened: BinaryIO | None) -> Iterator[Sketch]:
    # The readers are imported late, as one file needs one of them.
    if source == STDIN:
        from sketch_infer.readers.lines import read_stdin

        if sys.stdin is None:
            raise InputError("standard input: expected drawings, found it closed")
        return read_stdin(sys.stdin.buffer, as_drawing_format(source, input_format), listener)
    path = Path(source)
    if not opened:
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError) as error:
            raise _unusable(source, error) from error
        if stat.S_ISDIR(mode):
            raise InputError(f"{source}: expected a file, found a folder; name the files in it")
    name = path.name.lower()
    if not opened and path.is_fifo() and name.endswith((".npy", ".npz", ".parquet")):
        raise InputError(f"{source}: expected a file, found a pipe, which cannot be read from both ends; write a file")
    if name.endswith((".npy", ".npz")):
        from sketch_infer.readers.arrays import read_npy, read_npz
        from sketch_infer.strokes.rows import ROW_FORMATS

        read_array = read_npy if name.endswith(".npy") else read_npz
        return read_array(source, _one_of(ROW_FORMATS, source, input_format), listener, opened)
    if not name.endswith(SUFFIXES):
        raise InputError(f"{source}: expected a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file")
    format_ = as_drawing_format(source, input_format)
    if name.endswith(".parquet"):
        from sketch_infer.readers.parquet import read_parquet

        return read_parquet(source, format_, listener, opened)
    if name.endswith(".bin"):
        from sketch_infer.readers.binary import read_binary

        return read_binary(source, format_, listener, opened)
    from sketch_infer.readers.lines import read_ndjson

    return read_ndjson(source, format_, listener, opened)


def as_drawing_format(source: str, input_format: str) -> "DrawingFormat":
    """Return an input format that drawings can have.

    Raises:
        InputError: if it is one of arrays.
    """
    from sketch_infer.readers.drawings import DRAWING_FORMATS

    return _one_of(DRAWING_FORMATS, source, input_format)


def _one_of(allowed: tuple[Format, ...], source: str, found: str) -> Format:
    for format_ in allowed:
        if format_ == found:
            return format_
    raise InputError(
        f"{source}: expected --input-format {', '.join(allowed[:-1])} or {allowed[-1]} for such a file, found {found}"
    )
