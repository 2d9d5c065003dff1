"""Folders of Quick, Draw! drawings as flat arrays: what training reads."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from sketch_infer.strokes.simplify import are_dense
from sketch_infer.strokes.simplify import simplify as simplify_lines
from sketch_models.training.data.folders import class_of, drawing_files, files_not_read
from sketch_models.training.data.report import ReadingReport


@dataclass(frozen=True)
class Drawings:
    """N drawings in flat arrays.

    Attributes:
        xy: float32 (P, 2), the points of all drawings, in the unit of the files (0..255 if simplified).
        pen: bool (P,), whether the point is the last of its stroke.
        starts: int64 (N + 1,), where each drawing's points begin, and the end of all.
        labels: int64 (N,), positions in `classes`.
        hashes: uint32 (N,), of the key_id, or of the points where a drawing has none.
        point_hashes: uint64 (N,), of the points.
        classes: class names.
    """

    xy: Array
    pen: Array
    starts: Array
    labels: Array
    hashes: Array
    point_hashes: Array
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
        picked = (self.labels[chosen], self.hashes[chosen], self.point_hashes[chosen])
        return Drawings(self.xy[points], self.pen[points], starts, *picked, self.classes)

    def split(self, fraction: float) -> tuple["Drawings", "Drawings"]:
        """Split by hash into (the larger part, about `fraction` of the drawings): a drawing's side never changes."""
        held = self.hashes < fraction * 2**32
        return self.where(~held), self.where(held)

    def without(self, others: "Drawings") -> "Drawings":
        """Return the drawings that none of the others is, by either hash: copies often lose their key_id."""
        shared = np.isin(self.hashes, others.hashes) | np.isin(self.point_hashes, others.point_hashes)
        return self.where(~shared) if shared.any() else self

    @classmethod
    def join(cls, parts: Sequence["Drawings"]) -> "Drawings":
        """Put drawings of the same classes behind one another."""
        lengths = np.concatenate([part.lengths for part in parts])
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        xy, pen, labels, hashes, point_hashes = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("xy", "pen", "labels", "hashes", "point_hashes")
        )
        return cls(xy, pen, starts, labels, hashes, point_hashes, parts[0].classes)


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
    files = drawing_files(folder)
    label_of = {name: label for label, name in enumerate(classes)}
    report = ReadingReport(not_read=files_not_read(folder, files))
    found: list[PenLines] = []
    labels: list[int] = []
    hashes: list[int] = []
    point_hashes: list[int] = []
    for file in files:
        for where, record, lines in _prepared(file, simplify, report):
            word = record.get("word")
            if word is None or word == "":
                word = class_of(file)
            if not isinstance(word, str) or word not in label_of:
                raise InputError(
                    f"{folder / where}: expected a word among the {len(classes)} classes, found {word!r:.60}; add it "
                    "to the classes or leave the drawing out"
                )
            if only_recognized and record.get("recognized") is False:
                report.unrecognized += 1
                continue
            found.append(lines)
            labels.append(label_of[word])
            points = lines.points.astype(np.float32).tobytes()
            key = record.get("key_id")
            name = points if key is None or key == "" else str(key).encode()
            hashes.append(_hash(name, 4))
            point_hashes.append(_hash(points, 8))
    if not found:
        raise InputError(f"{folder}: expected drawings, found none in {len(files)} files")
    joined = PenLines.join(found)
    pen = np.zeros(len(joined.points), bool)
    pen[joined.line_starts[1:] - 1] = True
    arrays = joined.points.astype(np.float32), pen, joined.drawing_starts.astype(np.int64)
    by_hash = np.array(hashes, np.uint32), np.array(point_hashes, np.uint64)
    return Drawings(*arrays, np.array(labels), *by_hash, tuple(classes)), report


def _prepared(file: Path, simplify: bool, report: ReadingReport) -> Iterator[tuple[str, dict[str, Any], PenLines]]:
    """Yield where each of a file's drawings stands, its record and its lines; what is none is reported."""

    def prepare(drawings: Sequence[Any]) -> list[tuple[PenLines, bool]]:
        lines = PenLines.of(drawings)
        dense = np.zeros(len(lines), bool) if simplify else are_dense(lines)
        return list(zip((simplify_lines(lines) if simplify else lines).each(), dense.tolist(), strict=True))

    for block in _blocks(file):
        prepared = iter(prepare_each([record["drawing"] for _, record in block if isinstance(record, dict)], prepare))
        for where, record in block:
            outcome = next(prepared) if isinstance(record, dict) else record
            if not isinstance(record, dict) or not isinstance(outcome, tuple):
                report.bad_lines.append(f"{where}: {outcome}")
                continue
            lines, dense = outcome
            if dense:
                report.dense.append(where)
            yield where, record, lines


def _blocks(file: Path) -> Iterator[list[Row]]:
    """Read a file's rows in blocks; raises InputError where the file itself cannot be read on."""
    with reading_errors(file), file.open("rb") as stream:
        rows = (row for row, _ in read_rows(file.name, stream))
        while block := list(islice(rows, AT_ONCE)):
            where, record = block[-1]
            if where == file.name:
                raise InputError(f"{file}: {record}")
            yield block


def _hash(data: bytes, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=size).digest())
