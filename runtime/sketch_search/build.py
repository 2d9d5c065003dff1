"""Building an index: drawings are read and encoded as they come, and what an interrupted build has done is kept."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_infer.atomic import write_atomically
from sketch_infer.errors import InputError, OutputError
from sketch_infer.readers.sketch import Sketch
from sketch_infer.writers.partial_lines import PartialLines
from sketch_search.index import SketchIndex
from sketch_search.layout import NO_WORD, SECTIONS, Header, Section, read_prefix
from sketch_search.pictures import to_picture

if TYPE_CHECKING:
    from typing import Self  # Python 3.11

_BUFFER = 2**18
"""Bytes of each section that wait to be written."""

_NO_DIGESTS = dict.fromkeys(SECTIONS, "0" * 64)
"""As long as the digests that take their place."""


@dataclass(frozen=True)
class Plan:
    """What an index is built with.

    Attributes:
        model: its name or path.
        model_sha256: hash of its file's content.
        bits: of its codes.
        replaced: what `read_prefix` found in its place when the run started.
        base: an index whose drawings come first; None for a new one.
    """

    model: str
    model_sha256: str
    bits: int
    replaced: bytes | None
    base: SketchIndex | None = None


def to_line(sketch: Sketch, word: str | None, code: npt.NDArray[np.uint8], embedding: FloatArray) -> str:
    """Return a drawing as a line of the file that waits beside the index."""
    scaled = np.rint(embedding * (127 / max(float(np.abs(embedding).max()), 1e-9))).astype(np.int8)
    picture = base64.b64encode(to_picture(sketch.strokes, sketch.aspect).tobytes()).decode()
    record = {"source": sketch.source, "index": sketch.index, "word": word, "code": code.tobytes().hex()}
    record["embedding"] = base64.b64encode(scaled.tobytes()).decode()
    return json.dumps({**record, "picture": picture}) + "\n"


class PartialIndex(PartialLines):
    """The lines of `to_line` beside an index, which become its sections when they are complete.

    Args:
        output: the index to write in the end; it stays as it is until then.
        identity: of the run, see `run_identity`.
        resume: whether to continue where an interrupted build stopped.
        plan: what the index is built with.
    """

    def __init__(self, output: Path, identity: str, resume: bool, plan: Plan) -> None:
        super().__init__(output, identity, resume)
        self._plan = plan

    def __enter__(self) -> "PartialIndex":
        super().__enter__()
        try:
            self._refuse_changed()
        except BaseException:
            self._own_file.close()
            raise
        return self

    def _refuse_changed(self) -> None:
        """Make sure that no drawings are lost that another run has put into the output since this one started."""
        found = read_prefix(self._target)
        gone_and_not_needed = found is None and not self._plan.base
        if found != self._plan.replaced and not gone_and_not_needed:
            raise OutputError(f"{self._output}: another run changed it meanwhile; run the same command again")

    def complete(self) -> None:
        """Write the index in the place of the output, and remove the lines.

        Raises:
            OutputError: if the output is not what it was when the run started.
        """
        with write_atomically(self._target) as temporary:
            _write(temporary, self.path, self._plan)
            self._refuse_changed()  # once more: what is no run of ours takes no lock
        self.path.unlink()


def _records(lines: Path) -> Iterator[dict[str, Any]]:
    with lines.open("rb") as file:
        yield from map(json.loads, file)


def _write(path: Path, lines: Path, plan: Plan) -> None:
    """Write an index: twice through the lines, so that neither they nor the arrays are ever in memory.

    Raises:
        InputError: if there would be no drawing in it.
    """
    base = plan.base
    sources = {name: number for number, name in enumerate(base.header.sources if base else ())}
    words = {name: number for number, name in enumerate(base.header.words if base else ())}
    n, n_points = (base.header.n, base.header.n_points) if base else (0, 0)
    for record in _records(lines):
        sources.setdefault(record["source"], len(sources))
        if record["word"] is not None:
            words.setdefault(record["word"], len(words))
        n += 1
        n_points += len(record["picture"]) // 4  # three bytes a point, in base64
    if not n:
        raise InputError("expected drawings to build an index of, found none that can be used")
    header = Header(plan.model, plan.model_sha256, plan.bits, n, n_points, tuple(sources), tuple(words), _NO_DIGESTS)
    with ExitStack() as stack:
        sections = header.sections()
        writers = {name: stack.enter_context(_SectionWriter(path, section)) for name, section in sections.items()}
        if base:
            for name, writer in writers.items():
                writer.copy(base.section(name))
        end = base.header.n_points if base else 0
        for record in _records(lines):
            picture = base64.b64decode(record["picture"])
            end += len(picture) // 3
            word = NO_WORD if record["word"] is None else words[record["word"]]
            writers["codes"].write(bytes.fromhex(record["code"]))
            writers["embeddings"].write(base64.b64decode(record["embedding"]))
            writers["source_numbers"].write(sources[record["source"]].to_bytes(4, "little"))
            writers["indices"].write(record["index"].to_bytes(4, "little"))
            writers["word_numbers"].write(word.to_bytes(4, "little", signed=True))
            writers["picture_ends"].write(end.to_bytes(8, "little"))
            writers["pictures"].write(picture)
        digests = {name: writer.finish() for name, writer in writers.items()}
    with path.open("r+b") as file:
        file.write(replace(header, sha256=digests).to_bytes())


class _SectionWriter:
    """Writes a section into its place in the file, and computes its hash on the way."""

    def __init__(self, path: Path, section: Section) -> None:
        self._section = section
        self._file: BinaryIO = path.open("r+b", buffering=_BUFFER)
        self._file.seek(section.offset)
        self._digest = hashlib.sha256()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, content: bytes) -> None:
        """Write the next bytes."""
        self._file.write(content)
        self._digest.update(content)

    def copy(self, array: npt.NDArray[Any]) -> None:
        """Write the values of an array."""
        content = array.reshape(-1).view(np.uint8)
        for start in range(0, len(content), _BUFFER):
            self.write(content[start : start + _BUFFER].tobytes())

    def finish(self) -> str:
        """Return the hash of what was written.

        Raises:
            RuntimeError: if that is not the whole section.
        """
        if self._file.tell() != self._section.end:
            raise RuntimeError(f"{self._section.name}: wrote up to {self._file.tell()}, expected {self._section.end}")
        return self._digest.hexdigest()
