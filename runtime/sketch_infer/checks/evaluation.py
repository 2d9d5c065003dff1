"""How often a classifier is right, and how well it knows that: accuracy, confusions and calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_infer.tables import format_table

N_BINS = 15
"""Bins of the confidence, of equal width, as in Guo et al., "On Calibration of Modern Neural Networks" (2017)."""


@dataclass(frozen=True)
class Confusion:
    """Sketches of class `label` that were mistaken for another class: their number and share of the class."""

    label: str
    taken_for: str
    count: int
    share: float


@dataclass(frozen=True)
class Evaluation:
    """Accuracy on N labeled sketches.

    Attributes:
        classes: class names.
        top1: share of sketches whose most likely class is their label.
        top5: share of sketches whose label is among the five most likely classes.
        loss: mean of -log p(label), natural logarithm.
        confusion: int64 (classes, classes), number of sketches by label (row) and most likely class (column).
        calibration: float64 (N_BINS, 3), by confidence (probability of the most likely class): number of sketches, sum
            of their confidences, number that are right.
    """

    classes: tuple[str, ...]
    top1: float
    top5: float
    loss: float
    confusion: npt.NDArray[np.int64]
    calibration: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.confusion.sum())

    @property
    def confidence(self) -> float:
        """Mean probability of the most likely class."""
        return float(self.calibration[:, 1].sum() / len(self))

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: the mean over sketches of their bin's ``|accuracy - confidence|``.

        Guo et al. 2017, equation 3.
        """
        return float(np.abs(self.calibration[:, 2] - self.calibration[:, 1]).sum() / len(self))

    @property
    def per_class(self) -> dict[str, float]:
        """Accuracy of each class that has sketches, in the order of the classes."""
        counts = self.confusion.sum(axis=1)
        return {
            name: float(self.confusion[row, row] / counts[row]) for row, name in enumerate(self.classes) if counts[row]
        }

    def confusions(self, at_most: int = 10) -> list[Confusion]:
        """Return which classes are mistaken for which, most frequent first."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        counts = self.confusion.sum(axis=1)
        order = np.argsort(-wrong, axis=None, kind="stable")[:at_most]
        pairs = [divmod(int(position), len(self.classes)) for position in order]
        return [
            Confusion(
                self.classes[row], self.classes[column], int(wrong[row, column]), wrong[row, column] / counts[row]
            )
            for row, column in pairs
            if wrong[row, column]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON has them."""
        return {
            "sketches": len(self),
            "top1": self.top1,
            "top5": self.top5,
            "loss": self.loss,
            "confidence": self.confidence,
            "calibration_error": self.calibration_error,
            "per_class": self.per_class,
            "confusions": [vars(pair) | {"share": float(pair.share)} for pair in self.confusions()],
        }


class Tally:
    """Counts predictions as they come, in constant memory.

    Ties are ranked in the order of `classes`.

    Args:
        classes: class names in the order of the columns.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._confusion = np.zeros((len(classes), len(classes)), np.int64)
        self._calibration = np.zeros((N_BINS, 3))
        self._top5 = 0
        self._loss = 0.0

    def add(self, log_probs: npt.NDArray[np.floating], labels: npt.ArrayLike) -> None:
        """Count predictions.

        Args:
            log_probs: (N, classes).
            labels: (N,), positions of the true classes.

        Raises:
            ValueError: if the shapes do not fit one another.
        """
        labels = np.asarray(labels, np.intp)
        if labels.ndim != 1 or log_probs.shape != (len(labels), len(self._classes)):
            raise ValueError(
                f"expected log_probs (N, {len(self._classes)}) and N labels, found {log_probs.shape}, {labels.shape}"
            )
        ranked = np.argsort(-log_probs, axis=1, kind="stable")
        np.add.at(self._confusion, (labels, ranked[:, 0]), 1)
        self._top5 += int((ranked[:, :5] == labels[:, None]).any(axis=1).sum())
        self._loss -= float(log_probs[np.arange(len(labels)), labels].sum(dtype=np.float64))
        confidence = np.exp(log_probs.max(axis=1, initial=-np.inf).astype(np.float64))
        # Bins include their upper end.
        bins = np.clip(np.ceil(confidence * N_BINS).astype(np.intp) - 1, 0, N_BINS - 1)
        right = ranked[:, 0] == labels
        np.add.at(self._calibration, bins, np.column_stack([np.ones(len(labels)), confidence, right]))

    def evaluation(self) -> Evaluation:
        """Return the figures so far.

        Raises:
            ValueError: if nothing was counted.
        """
        n = int(self._confusion.sum())
        if not n:
            raise ValueError("expected labeled sketches, found none")
        return Evaluation(
            classes=self._classes,
            top1=float(np.trace(self._confusion) / n),
            top5=self._top5 / n,
            loss=self._loss / n,
            confusion=self._confusion.copy(),
            calibration=self._calibration.copy(),
        )


def evaluate(
    log_probs: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], classes: Sequence[str]
) -> Evaluation:
    """Evaluate predictions.

    Args:
        log_probs: (N, classes), N >= 1.
        labels: (N,), positions of the true classes.
        classes: class names in the order of the columns.

    Raises:
        ValueError: if there are no rows, or the shapes do not match.
    """
    tally = Tally(classes)
    tally.add(log_probs, labels)
    return tally.evaluation()


def format_evaluations(evaluations: Mapping[str, Evaluation], width: int | None = None) -> str:
    """Lay out classifiers of the same sketches side by side.

    Accuracy and calibration, classes (the first classifier's worst first), the commonest confusions.

    Args:
        evaluations: by name; of the same classes.
        width: what a line may take, as on a terminal; None for no limit.
    """
    several = list(evaluations.values())
    first = several[0]
    figures = [
        ["top-1", *(_share(one.top1, len(one)) for one in several)],
        ["top-5", *(_share(one.top5, len(one)) for one in several)],
        ["loss (mean -log p)", *(f"{one.loss:.4f}" for one in several)],
        ["mean confidence", *(f"{one.confidence:.1%}" for one in several)],
        ["calibration error", *(f"{one.calibration_error:.2%}" for one in several)],
    ]
    by_accuracy = sorted(first.per_class, key=lambda name: first.per_class[name])
    per_class = [[name, *(f"{one.per_class[name]:.1%}" for one in several)] for name in by_accuracy]
    position = {name: row for row, name in enumerate(first.classes)}
    confused = [
        [
            f"{pair.label} taken for {pair.taken_for}",
            *(
                f"{one.confusion[position[pair.label], position[pair.taken_for]]} of "
                f"{one.confusion[position[pair.label]].sum()}"
                for one in several
            ),
        ]
        for pair in first.confusions()
    ]
    header = [f"{len(first)} drawings", *evaluations]
    blank = [""] * len(header)
    return format_table(header, [*figures, blank, *per_class, *([blank, *confused] if confused else [])], width)


def _share(share: float, total: int) -> str:
    """Return a share of a whole number of drawings: rounded, and exact."""
    return f"{share:.{2 if total >= 10_000 else 1}%} ({round(share * total):,} of {total:,})"
