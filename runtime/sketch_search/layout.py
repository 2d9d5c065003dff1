"""How an index is laid out in its file; docs/sketch-search.md describes it for readers in other languages.

bytes 0-7      the magic
bytes 8-15     length of the header, little-endian
bytes 16-47    SHA-256 of the header
from byte 48   the header, JSON
then           the sections in the order of `SECTIONS`, each from a multiple of 64 on
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sketch_infer.errors import InputError

MAGIC = b"\x93SKETCH\x01"
PREFIX = len(MAGIC) + 8 + 32
ALIGNMENT = 64
NO_WORD = -1

CODE_BITS = range(8, 129, 8)

SECTIONS = ("codes", "embeddings", "source_numbers", "indices", "word_numbers", "picture_ends", "pictures")


@dataclass(frozen=True)
class Section:
    """An array of the file.

    Attributes:
        name: its key in `Header.sha256`.
        dtype: of its values, little-endian.
        shape: its lengths.
        offset: of its first byte in the file.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def n_bytes(self) -> int:
        """Bytes in the file."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def end(self) -> int:
        """Where it ends in the file."""
        return self.offset + self.n_bytes


@dataclass(frozen=True)
class Header:
    """What an index says of itself.

    Attributes:
        model: the name or path of the model that it was built with, as it was given.
        model_sha256: hash of that file's content.
        bits: of a code.
        n: drawings.
        n_points: points of all their pictures together.
        sources: the files that the drawings come from.
        words: their labels.
        sha256: of each section's bytes, by its name.
    """

    model: str
    model_sha256: str
    bits: int
    n: int
    n_points: int
    sources: tuple[str, ...]
    words: tuple[str, ...]
    sha256: dict[str, str]

    def to_bytes(self) -> bytes:
        """Return the file's beginning, up to the end of the header."""
        text = json.dumps(asdict(self)).encode()
        return MAGIC + len(text).to_bytes(8, "little") + hashlib.sha256(text).digest() + text

    def prefix(self) -> bytes:
        """Return the bytes before the header, as `read_prefix` does."""
        return self.to_bytes()[:PREFIX]

    def sections(self) -> dict[str, Section]:
        """Return where the arrays are, by name."""
        found: dict[str, Section] = {}
        end = len(self.to_bytes())
        dtypes = ("u1", "i1", "<u4", "<u4", "<i4", "<u8", "u1")
        shapes = ((self.n, self.bits // 8), (self.n, self.bits), *4 * [(self.n,)], (self.n_points, 3))
        for name, dtype, shape in zip(SECTIONS, dtypes, shapes, strict=True):
            found[name] = Section(name, np.dtype(dtype), shape, -(-end // ALIGNMENT) * ALIGNMENT)
            end = found[name].end
        return found


def read_prefix(path: Path) -> bytes | None:
    """Return the bytes before the header of an index, which differ if its content does; None if no file can be read."""
    with contextlib.suppress(OSError):
        if path.is_file():  # to open a pipe would wait
            with path.open("rb") as file:
                return file.read(PREFIX)
    return None


def read_header(path: str, file: BinaryIO) -> Header:
    """Read and check the header of an index.

    Args:
        path: what messages call the file.
        file: the file, at its start.

    Raises:
        InputError: if the file is no index, is cut off, or its header is damaged.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    prefix = file.read(PREFIX)
    if prefix[: len(MAGIC) - 1] != MAGIC[:-1]:
        raise InputError(f"{path}: expected an index that sketch-search build wrote, found another kind of file")
    if prefix[: len(MAGIC)] != MAGIC:
        raise InputError(f"{path}: this index has another version than this release writes; build it again")
    length = int.from_bytes(prefix[8:16], "little")
    if len(prefix) < PREFIX or length > size - PREFIX:
        raise InputError(f"{path}: this index is cut off; build it again")
    text = file.read(length)
    if hashlib.sha256(text).digest() != prefix[16:]:
        raise InputError(f"{path}: the header of this index is damaged; build it again")
    header = _parse(text)
    if header is None:
        raise InputError(f"{path}: the header of this index has unknown or impossible values; build it again")
    expected = header.sections()["pictures"].end
    if size != expected:
        what = "cut off" if size < expected else "followed by something else"
        raise InputError(f"{path}: this index is {what} ({size:,} bytes, expected {expected:,}); build it again")
    return header


def _parse(text: bytes) -> Header | None:
    """Return a header, or None for one that `Header.to_bytes` does not write."""
    try:
        found = json.loads(text)
        header = Header(**{**found, "sources": tuple(found["sources"]), "words": tuple(found["words"])})
        as_written = header.to_bytes()[PREFIX:] == text
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    numbers = (header.bits, header.n, header.n_points)
    right = (
        as_written
        and all(isinstance(value, int) and 0 <= value < 2**48 for value in numbers)
        and header.bits in CODE_BITS
        and all(isinstance(name, str) for name in _texts(header))
        and isinstance(header.sha256, dict)
        and tuple(header.sha256) == SECTIONS
        and set(map(type, header.sha256.values())) == {str}
    )
    return header if right else None


def _texts(header: Header) -> Iterator[object]:
    yield from (header.model, header.model_sha256, *header.sources, *header.words)
