"""JSON lines that an interrupted run leaves behind and a later one goes on with."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sketch_infer._version import __version__
from sketch_infer.atomic import final_mode, put_in_place, replaceable
from sketch_infer.errors import InputError, OutputError, writing_errors
from sketch_infer.readers.sketch import Sketch
from sketch_infer.writers.own_file import OwnFile

_LONG_NAME = 100
"""Bytes of an output's name that its partial file can repeat: file systems take names of 143 to 255 bytes."""


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
    output.

    Args:
        output: the file to write in the end.
        identity: of the run, `run_identity`; a partial file of another run is never continued.
        resume: whether to continue where an interrupted run stopped, instead of starting anew.

    Attributes:
        path: the partial file.
    """

    def __init__(self, output: Path, identity: str, resume: bool) -> None:
        self._target = replaceable(output)
        self._output, self._resume = output, resume
        name = self._target.name
        if len(os.fsencode(name)) > _LONG_NAME:
            name = f"{name[:20]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
        self._pattern = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.partial")
        self.path = self._target.with_name(f".{name}.{identity}.partial")
        self._done = 0
        self._own_file = OwnFile(self.path, output)

    @property
    def kept(self) -> bool:
        """Whether the file was left behind, with lines to continue after."""
        return self._own_file.kept

    def __enter__(self) -> "PartialLines":
        with writing_errors(self._output):
            is_new = not self.path.exists()
            self._file: BinaryIO = self._own_file.open(final_mode(self._target))
            try:
                self._refuse_others(is_new)
                self._done = _whole_lines(self._file) if self._resume else 0
                self._file.truncate(self._done)
                self._file.seek(self._done)
            except BaseException:
                self._own_file.close()
                raise
        return self

    def _refuse_others(self, is_new: bool) -> None:
        """Make sure that no other partial file of this output is in the way.

        Looked for with the lock held: of two runs that start at once, one at least sees the other.
        """
        with os.scandir(self._target.parent) as entries:
            names = {entry.name for entry in entries if self._pattern.fullmatch(entry.name)}
        others = sorted(self._target.with_name(name) for name in names - {self.path.name})
        if any(map(self._own_file.is_being_written, others)):
            raise OutputError(f"{self._output}: another run is writing it")
        if self._resume and others and is_new:
            raise OutputError(
                f"{self._output}: expected the command of the interrupted run, found other inputs, model "
                f"or options; repeat that command, or remove {others[0]}"
            )

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                with writing_errors(self._output):
                    self._own_file.finish()
                    self.complete()
        finally:
            self._own_file.close()

    def complete(self) -> None:
        """Put the lines in the place of the output, while they are locked."""
        put_in_place(self.path, self._target)

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
