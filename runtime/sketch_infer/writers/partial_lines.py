"""JSON lines that an interrupted run leaves behind and a later one goes on with."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sketch_infer.errors import InputError, OutputError, writing_errors
from sketch_infer.readers.sketch import Sketch

try:
    import fcntl
except ImportError:  # Windows, where the partial file is not locked
    fcntl = None  # type: ignore[assignment]


def run_identity(sources: Iterable[str], *options: object) -> str:
    """Return a hash of what decides a run's answers: its inputs by name, size and time of change, and its options."""
    files = []
    for source in sources:
        with contextlib.suppress(OSError):  # what cannot be read is found out where it is opened
            status = Path(source).stat()
            files.append((source, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr((files, options)).encode()).hexdigest()[:16]


class PartialLines:
    """The file beside an output that holds its lines until they are complete; then it takes the output's place.

    It stays when the block ends badly or the process is killed, if it has lines by then.

    Args:
        output: the file to write in the end.
        identity: of the run, `run_identity`; a partial file of another run is never continued.
        resume: whether to continue where an interrupted run stopped, instead of starting anew.

    Attributes:
        path: the partial file.
        kept: whether it was left behind, with lines to continue after.
    """

    def __init__(self, output: Path, identity: str, resume: bool) -> None:
        self._target = output.resolve()  # a link stays, and what it names is replaced
        self._output, self._resume = output, resume
        self.path = self._target.with_name(f".{self._target.name[:40]}.{identity}.partial")
        self.kept = False
        self._done = 0

    def __enter__(self) -> "PartialLines":
        if self._target.exists() and not self._target.is_file():
            found = "a folder" if self._target.is_dir() else "a device"
            raise OutputError(f"{self._output}: expected a file to write, found {found}")
        others = set(self._target.parent.glob(f".{self._target.name[:40]}.*.partial")) - {self.path}
        if self._resume and others and not self.path.exists():
            raise OutputError(
                f"{self._output}: expected the interrupted run's own command to resume it, found other inputs, model "
                f"or options; repeat that command, or remove {min(others)}"
            )
        with writing_errors(self._output):
            self._file: BinaryIO = self.path.open("r+b" if self.path.exists() else "w+b")
            self._lock()
            self._done = _whole_lines(self._file) if self._resume else 0
            self._file.truncate(self._done)
            self._file.seek(self._done)
        return self

    def _lock(self) -> None:
        if fcntl:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError(f"{self._output}: another run is writing it") from error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                with writing_errors(self._output):
                    self._file.flush()
                    os.fsync(self._file.fileno())
                    if self._target.exists():
                        self.path.chmod(self._target.stat().st_mode)
                    self.path.replace(self._target)
        finally:
            with contextlib.suppress(OSError):  # a full disk: what is in the buffer is lost, and was not promised
                self._file.close()
            if self.path.exists():
                self.kept = self.path.stat().st_size > 0
                if not self.kept:
                    self.path.unlink()

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
        if self._done:
            with self.path.open("rb") as lines:
                while lines.tell() < self._done:
                    line = lines.readline()
                    sketch = next(sketches, None)
                    if sketch is None or _key(line) != (sketch.source, sketch.index):
                        raise InputError(
                            f"{self._output}: what the interrupted run left is not of these inputs; remove {self.path}"
                        )
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
