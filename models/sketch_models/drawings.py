"""Folders of Quick, Draw! drawings as flat arrays: what training reads."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from sketch_infer.errors import InputError
from sketch_infer.strokes import drawing_to_sketch

Array = npt.NDArray[Any]

_SUFFIXES = (".ndjson.gz", ".ndjson")


@dataclass(frozen=True)
class Drawings:
    """N drawings in flat arrays.

    Attributes:
        xy: float32 (P, 2), the points of all drawings, in the unit of the files (0..255 if simplified).
        pen: bool (P,), whether the point is the last of its stroke.
        starts: int64 (N + 1,), where each drawing's points begin, and the end.
        labels: int64 (N,), positions in `classes`.
        classes: class names.
        key_ids: the drawings' ids, "" where the file has none.
    """

    xy: Array
    pen: Array
    starts: Array
    labels: Array
    classes: tuple[str, ...]
    key_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> Array:
        """Points per drawing, int64 (N,)."""
        return np.diff(self.starts)

    def take(self, rows: Array) -> "Drawings":
        """Return the drawings at these positions, in this order."""
        points = np.concatenate([np.arange(self.starts[row], self.starts[row + 1]) for row in rows] or [np.arange(0)])
        starts = np.concatenate([[0], np.cumsum(self.lengths[rows])]).astype(np.int64)
        key_ids = tuple(self.key_ids[row] for row in rows)
        return Drawings(self.xy[points], self.pen[points], starts, self.labels[rows], self.classes, key_ids)

    def strokes(self, row: int) -> list[list[list[float]]]:
        """Return one drawing in Quick, Draw! form, [[[x...], [y...]], ...]."""
        span = slice(self.starts[row], self.starts[row + 1])
        ends = np.flatnonzero(self.pen[span])[:-1] + 1
        return [stroke.T.tolist() for stroke in np.split(self.xy[span], ends)]
