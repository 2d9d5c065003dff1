"""Drawings that are the same one: equal, or moved by about a pixel as by another simplification or resampling.

Codes say which may be; the pictures decide. A mirrored drawing is another one.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_search.hamming import distances
from sketch_search.index import SketchIndex
from sketch_search.pictures import Picture, distance_to_ink, resample

TOLERANCE = 4.0
"""Largest distance of a point of one drawing from the ink of the other, where the larger side is 255. Moving every
point by up to a pixel gave at most 3.95 in 364 drawings."""

_BITS_SHARE = 8
"""The codes of equal drawings may differ in one bit of so many: at most 6 of 64 bits did."""

_SIDE_DRIFT = 6
"""The shapes of their frames, width - height, may differ by so much: two pixels on either side, and two by scaling."""

_MEAN_DRIFT = 20.0
"""Mean distance of a few points along the ink up to which drawings are compared closely. Such points drift where the
ink becomes a little longer; 18 was the most."""

_POINTS = 16
_COMPARED_POINTS = 32
_BLOCK = 4096


def find_duplicates(index: SketchIndex) -> list[list[int]]:
    """Find groups of equal drawings.

    Args:
        index: the drawings.

    Returns:
        groups of two positions or more, each in the order of the index, ordered by their first.

    Raises:
        InputError: if the pictures are damaged.
    """
    group_of = list(range(len(index)))

    def first_of(position: int) -> int:
        while group_of[position] != position:
            group_of[position] = position = group_of[group_of[position]]
        return position

    for one, other in _equal_pairs(index):
        first, second = sorted((first_of(one), first_of(other)))
        group_of[second] = first
    groups: dict[int, list[int]] = {}
    for position in range(len(index)):
        groups.setdefault(first_of(position), []).append(position)
    return [group for group in groups.values() if len(group) > 1]


def _equal_pairs(index: SketchIndex) -> Iterator[tuple[int, int]]:
    most_bits = index.header.bits // _BITS_SHARE
    shapes, frames = _shapes(index)
    order = np.argsort(frames, kind="stable")
    shapes, frames, words = shapes[order], frames[order], index.words[order]
    ends = np.searchsorted(frames, frames + _SIDE_DRIFT, "right")
    for row in range(len(order)):
        others = slice(row + 1, int(ends[row]))
        near = np.flatnonzero(distances(words[others], words[row]) <= most_bits) + row + 1
        if not len(near):
            continue
        drift = np.sqrt(((shapes[near] - shapes[row]) ** 2).sum(axis=2)).mean(axis=1)
        for other in near[drift <= _MEAN_DRIFT]:
            one, two = int(order[row]), int(order[other])
            if are_equal(index.picture(one), index.picture(two)):
                yield one, two


def are_equal(one: Picture, other: Picture) -> bool:
    """Return whether two drawings lie on each other within `TOLERANCE`."""
    return bool(_farthest(one, other) <= TOLERANCE and _farthest(other, one) <= TOLERANCE)


def _farthest(one: Picture, other: Picture) -> float:
    points = resample(one, np.array([len(one)], np.uint64), _COMPARED_POINTS)[0]
    return float(distance_to_ink(points, other).max())


def _shapes(index: SketchIndex) -> tuple[FloatArray, npt.NDArray[np.int16]]:
    """Return a few points along the ink of every drawing, float32 (N, _POINTS, 2), and width - height, (N,)."""
    pictures, ends = index.section("pictures"), index.section("picture_ends")
    shapes, frames = np.empty((len(index), _POINTS, 2), np.float32), np.empty(len(index), np.int16)
    for first in range(0, len(index), _BLOCK):
        chosen = slice(first, first + _BLOCK)
        start = ends[first - 1] if first else np.uint64(0)
        block = pictures[int(start) : int(ends[chosen][-1])]
        shapes[chosen] = resample(block, ends[chosen] - start, _POINTS)
        starts = np.concatenate([[0], ends[chosen][:-1] - start]).astype(np.intp)
        sizes = np.maximum.reduceat(block[:, :2].astype(np.int16), starts)
        frames[chosen] = sizes[:, 0] - sizes[:, 1]
    return shapes, frames
