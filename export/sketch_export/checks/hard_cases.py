"""Drawings that are not finished yet, and drawings of none of the classes."""

from dataclasses import dataclass

import numpy as np

from sketch_infer.array_types import FloatArray


@dataclass(frozen=True)
class Rejection:
    """How well a network knows that a drawing is none of its classes, by the probability of the likeliest one.

    Attributes:
        auroc: chance that it is surer of a drawing of its classes than of one of another class.
        kept: share of its classes' drawings that lie above the network's own threshold; None if it has no threshold.
        refused: share of the others that lie below it; None likewise.
    """

    auroc: float
    kept: float | None
    refused: float | None


def first_part(sketch: FloatArray, part: float) -> FloatArray:
    """Return the sketch that a drawing was after a part of its points: those points, scaled to its size at that time.

    Args:
        sketch: float32 (T, 3), rows of (dx, dy, pen).
        part: in (0, 1].
    """
    rows = sketch[: max(int(np.ceil(len(sketch) * part)), 1)].copy()
    rows[-1, 2] = 1
    at = np.concatenate([np.zeros((1, 2), np.float32), np.cumsum(rows[:, :2], axis=0)])
    extent = np.ptp(at, axis=0)
    # Clipped, because a quotient may round beyond 1, which an int8 model does not take.
    rows[:, :2] = np.clip(rows[:, :2] / np.where(extent > 0, extent, 1), -1, 1)
    return rows


def rejection(known: FloatArray, others: FloatArray, threshold: float | None) -> Rejection:
    """Judge a network by its log_probs, each (N, classes), of drawings of its classes and of others.

    Args:
        known: of its classes.
        others: of other classes.
        threshold: probability of the most likely class below which the network refuses a drawing; None if it has none.
    """
    sure, unsure = (np.exp(log_probs.max(axis=1)) for log_probs in (known, others))
    # The area under the curve is the Mann-Whitney statistic; equal ones count half.
    ordered = np.sort(sure)
    above = len(sure) - np.searchsorted(ordered, unsure, "right")
    equal = np.searchsorted(ordered, unsure, "right") - np.searchsorted(ordered, unsure, "left")
    auroc = float((above + equal / 2).mean() / len(sure))
    if threshold is None:
        return Rejection(auroc, None, None)
    return Rejection(auroc, float((sure >= threshold).mean()), float((unsure < threshold).mean()))
