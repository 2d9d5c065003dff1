"""How well drawings are found by what a network says of them."""

from dataclasses import dataclass

import numpy as np

from sketch_infer.array_types import Array, FloatArray
from sketch_infer.model.codes import Code

_AT_ONCE = 256


@dataclass(frozen=True)
class Retrieval:
    """What queries find in a gallery that is sorted by likeness to each.

    Attributes:
        mean_average_precision: the mean over the queries of their average precision over the whole gallery.
        precision: the share of the first `first` that have the query's class.
        first: 100, or the size of a smaller gallery.
    """

    mean_average_precision: float
    precision: float
    first: int


def signs(code: Code) -> FloatArray:
    """Return codes as -1 and 1, float32 (N, bits): the product of two falls by 2 for each bit that differs."""
    return np.unpackbits(code, axis=1).astype(np.float32) * 2 - 1


def retrieve(queries: FloatArray, labels: Array, gallery: FloatArray, gallery_labels: Array) -> Retrieval:
    """Rank a gallery for each query by the product of their vectors; ties are in no particular order.

    Args:
        queries: float32 (N, D).
        labels: the queries' classes, int (N,).
        gallery: float32 (M, D), in random order, or ties could be sorted by class.
        gallery_labels: int (M,).
    """
    first = min(100, len(gallery))
    average, precise = [], []
    for start in range(0, len(queries), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        order = np.argsort(-(queries[rows] @ gallery.T), axis=1)
        right = gallery_labels[order] == labels[rows, None]
        precision = right.cumsum(axis=1) / np.arange(1, len(gallery) + 1)
        average.append((precision * right).sum(axis=1) / np.maximum(right.sum(axis=1), 1))
        precise.append(precision[:, first - 1])
    return Retrieval(float(np.concatenate(average).mean()), float(np.concatenate(precise).mean()), first)
