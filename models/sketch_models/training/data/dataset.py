"""Folders of Quick, Draw! drawings as flat arrays: what training reads."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sketch_infer.array_types import Array
from sketch_infer.errors import InputError, reading_errors
from sketch_infer.readers.drawings import AT_ONCE, Row
from sketch_infer.readers.lines import read_rows
from sketch_infer.strokes.each import prepare_each
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.simplify import simplify as simplify_lines

SUFFIXES = (".ndjson", ".ndjson.gz")
"""Endings of the files that are read from a folder."""


@dataclass(frozen=True)
class Drawings:
    """N drawings in flat arrays.

    Attributes:
        xy: float32 (P, 2), the points of all drawings, in the unit of the files (0..255 if simplified).
        pen: bool (P,), whether the point is the last of its stroke.
        starts: int64 (N + 1,), where each drawing's points begin, and the end of all.
        labels: int64 (N,), positions in `classes`.
        hashes: uint32 (N,), of the key_id, or of the points where a drawing has none.
        classes: class names.
    """

    xy: Array
    pen: Array
    starts: Array
    labels: Array
    hashes: Array
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> Array:
        """Points per drawing, int64 (N,)."""
        return np.diff(self.starts)

    def padded(self, rows: Array) -> tuple[Array, Array, Array]:
        """Return some drawings as xy float32 (B, longest, 2), pen bool (B, longest) and lengths int64 (B,)."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        position = np.arange(lengths.max(initial=1))
        points = np.minimum(self.starts[rows, None] + position, len(self.xy) - 1)
        return self.xy[points], self.pen[points] & (position < lengths[:, None]), lengths

    def strokes(self, row: int) -> list[list[list[float]]]:
        """Return one drawing in Quick, Draw! form, [[[x...], [y...]], ...]."""
        span = slice(self.starts[row], self.starts[row + 1])
        ends = np.flatnonzero(self.pen[span])[:-1] + 1
        return [stroke.T.tolist() for stroke in np.split(self.xy[span], ends)]

    def where(self, chosen: Array) -> "Drawings":
        """Return the drawings of a bool mask (N,)."""
        points = np.repeat(chosen, self.lengths)
        starts = np.concatenate([[0], np.cumsum(self.lengths[chosen])]).astype(np.int64)
        picked = (self.labels[chosen], self.hashes[chosen])
        return Drawings(self.xy[points], self.pen[points], starts, *picked, self.classes)

    def split(self, fraction: float) -> tuple["Drawings", "Drawings"]:
        """Split by hash into (the larger part, about `fraction` of the drawings): a drawing's side never changes."""
        held = self.hashes < fraction * 2**32
        return self.where(~held), self.where(held)

    @classmethod
    def join(cls, parts: Sequence["Drawings"]) -> "Drawings":
        """Put drawings of the same classes behind one another."""
        lengths = np.concatenate([part.lengths for part in parts])
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        xy, pen, labels, hashes = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("xy", "pen", "labels", "hashes")
        )
        return cls(xy, pen, starts, labels, hashes, parts[0].classes)


@dataclass
class ReadingReport:
    """What a folder's reading left out.

    Attributes:
        bad_lines: "FILE:LINE: reason" of each line that is no drawing.
        unrecognized: drawings that the game did not recognize, left out where asked.
    """

    bad_lines: list[str] = field(default_factory=list)
    unrecognized: int = 0


def classes_of(folder: Path) -> tuple[str, ...]:
    """Return the class names that a folder's file names give, sorted.

    Raises:
        InputError: if the folder is missing or has no drawing files.
    """
    return tuple(sorted({_stem(file) for file in _files(folder)}))


def read_drawings(
    folder: Path, classes: Sequence[str], simplify: bool = False, only_recognized: bool = False
) -> tuple[Drawings, ReadingReport]:
    """Read every drawing file of a folder.

    A line's class is its `word`, or the file's name where it has none. Lines that are no drawing are left out
    and reported.

    Args:
        folder: holds `CLASS.ndjson` or `CLASS.ndjson.gz` files.
        classes: names in the order of the labels.
        simplify: the drawings are dense: bring them to the simplified form.
        only_recognized: leave out lines with `"recognized": false`.

    Raises:
        InputError: if the folder has no drawings, a file cannot be read, or a word is none of the classes.
    """
    label_of = {name: label for label, name in enumerate(classes)}
    report = ReadingReport()
    found: list[PenLines] = []
    labels: list[int] = []
    hashes: list[int] = []

    def prepare(drawings: Sequence[Any]) -> list[PenLines]:
        lines = PenLines.of(drawings)
        return (simplify_lines(lines) if simplify else lines).each()

    for file in _files(folder):
        for block in _blocks(file):
            prepared = iter(
                prepare_each([record["drawing"] for _, record in block if isinstance(record, dict)], prepare)
            )
            for where, record in block:
                lines = next(prepared) if isinstance(record, dict) else record
                if not isinstance(record, dict) or not isinstance(lines, PenLines):
                    report.bad_lines.append(f"{where}: {lines}")
                    continue
                word = record.get("word") or _stem(file)
                if word not in label_of:
                    raise InputError(
                        f"{folder / where}: expected a word among the {len(classes)} classes, found {word!r}; add it "
                        "to the classes or leave the drawing out"
                    )
                if only_recognized and record.get("recognized") is False:
                    report.unrecognized += 1
                    continue
                found.append(lines)
                labels.append(label_of[word])
                key = record.get("key_id")
                hashes.append(
                    _hash(str(key).encode() if key is not None else lines.points.astype(np.float32).tobytes())
                )
    if not found:
        raise InputError(f"{folder}: expected drawings, found none in {len(_files(folder))} files")
    joined = PenLines.join(found)
    pen = np.zeros(len(joined.points), bool)
    pen[joined.line_starts[1:] - 1] = True
    arrays = joined.points.astype(np.float32), pen, joined.drawing_starts.astype(np.int64)
    return Drawings(*arrays, np.array(labels), np.array(hashes, np.uint32), tuple(classes)), report


def _blocks(file: Path) -> Iterator[list[Row]]:
    """Read a file's rows in blocks; raises InputError where the file itself cannot be read on."""
    with reading_errors(file), file.open("rb") as stream:
        rows = (row for row, _ in read_rows(file.name, stream))
        while block := list(islice(rows, AT_ONCE)):
            where, record = block[-1]
            if where == file.name:
                raise InputError(f"{file}: {record}")
            yield block


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: expected a folder of CLASS.ndjson files, found {'a file' if folder.exists() else 'nothing'}"
        )
    files = sorted(file for file in folder.iterdir() if file.name.endswith(SUFFIXES))
    if not files:
        raise InputError(f"{folder}: expected files named CLASS.ndjson or CLASS.ndjson.gz, found none")
    return files


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".ndjson")


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=4).digest())
