"""How often a classifier is right: accuracy and confusions, from log-probabilities and labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Confusion:
    """Sketches of the class `label` that were taken for another, in number and as a share of the class's sketches."""

    label: str
    taken_for: str
    count: int
    share: float


@dataclass(frozen=True)
class Evaluation:
    """Accuracy on N labelled sketches.

    Attributes:
        classes: class names.
        top1: share of sketches whose likeliest class is their label.
        top5: share of sketches whose label is among the five likeliest.
        loss: mean of -log p(label), natural logarithm.
        confusion: int64 (classes, classes), sketches by label (row) and likeliest class (column).
    """

    classes: tuple[str, ...]
    top1: float
    top5: float
    loss: float
    confusion: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.confusion.sum())

    @property
    def per_class(self) -> dict[str, float]:
        """Accuracy of each class that has sketches, in the order of the classes."""
        counts = self.confusion.sum(axis=1)
        return {
            name: float(self.confusion[row, row] / counts[row]) for row, name in enumerate(self.classes) if counts[row]
        }

    def confusions(self, at_most: int = 10) -> list[Confusion]:
        """Return what is taken for what most often, most frequent first."""
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


def evaluate(
    log_probs: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], classes: Sequence[str]
) -> Evaluation:
    """Judge predictions; equally likely classes rank in the order of `classes`.

    Args:
        log_probs: (N, classes), N >= 1.
        labels: (N,), positions of the true classes.
        classes: class names in the order of the columns.

    Raises:
        ValueError: if there are no rows, or the shapes do not fit one another.
    """
    if not len(labels) or log_probs.shape != (len(labels), len(classes)):
        raise ValueError(
            f"expected log_probs (N, {len(classes)}) and N labels, found {log_probs.shape}, {labels.shape}"
        )
    ranked = np.argsort(-log_probs, axis=1, kind="stable")
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, ranked[:, 0]), 1)
    return Evaluation(
        classes=tuple(classes),
        top1=float(np.mean(ranked[:, 0] == labels)),
        top5=float(np.mean((ranked[:, :5] == labels[:, None]).any(axis=1))),
        loss=float(-log_probs[np.arange(len(labels)), labels].mean(dtype=np.float64)),
        confusion=confusion,
    )
