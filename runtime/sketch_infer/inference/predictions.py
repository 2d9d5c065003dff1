"""The network's answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_infer.model.codes import Code

_SHOWN = 3
"""Answers that the one line for a reader names."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """The network's answers for N sketches.

    Attributes:
        log_probs: float32 (N, classes), natural logarithms of the probabilities.
        logits: float32 (N, classes).
        classes: class names in the order of the columns.
        rejected: bool (N,), whether a sketch is probably none of the classes; None if the classifier does not reject.
        embeddings: float32 (N, code_bits), each of length 1: the product of two is their cosine similarity; NaN for a
            drawing that cannot be used. None unless the classifier was opened with `codes=True`.
        codes: uint8 (N, code_bits / 8), the signs of the embeddings: similar sketches differ in few bits. None
            likewise.
    """

    log_probs: FloatArray
    logits: FloatArray
    classes: tuple[str, ...]
    rejected: npt.NDArray[np.bool_] | None = None
    embeddings: FloatArray | None = None
    codes: Code | None = None

    def __len__(self) -> int:
        return len(self.log_probs)

    def __repr__(self) -> str:
        first = self.log_probs[:_SHOWN]
        shown = [f"{self.classes[row.argmax()]} {np.exp(row.max()):.1%}" for row in first]
        more = ["..."] if len(self) > _SHOWN else []
        sketches = f"{len(self)} sketch{'' if len(self) == 1 else 'es'}"
        return f"<Predictions for {sketches}{': ' if shown else ''}{', '.join(shown + more)}>"

    @property
    def label(self) -> str:
        """The most likely class of the only sketch.

        Raises:
            ValueError: if there is not exactly one sketch.
        """
        return self._one()[0]

    @property
    def probability(self) -> float:
        """The probability of `label`, from 0 to 1.

        Raises:
            ValueError: if there is not exactly one sketch.
        """
        return self._one()[1]

    def _one(self) -> tuple[str, float]:
        if len(self) != 1:
            raise ValueError(f"expected one sketch, found {len(self)}; labels and probabilities have all of them")
        return self.top_k(1)[0][0]

    def among(self, columns: Sequence[int]) -> "Predictions":
        """Return the same predictions among some of the classes: their probabilities sum to 1.

        Args:
            columns: positions in `classes`, at least one, each once.

        Raises:
            ValueError: if there are none, or one is no position, or twice there.
        """
        positions = np.asarray(columns)
        known = positions.dtype.kind in "iu" and np.isin(positions, np.arange(len(self.classes))).all()
        if not known or not 0 < len(positions) == len(set(positions.tolist())):
            raise ValueError(f"expected positions among {len(self.classes)} classes, each once, found {columns!r:.60}")
        logits = np.ascontiguousarray(self.logits[:, columns])
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        classes = tuple(self.classes[column] for column in columns)
        return replace(self, log_probs=log_probs, logits=logits, classes=classes)

    def rejecting(self, below: float) -> "Predictions":
        """Return the same predictions, those rejected whose most likely class has a probability below a threshold."""
        return replace(self, rejected=self.probabilities.max(axis=1) < below)

    @property
    def probabilities(self) -> FloatArray:
        """Probabilities, float32 (N, classes); each row sums to 1."""
        return np.exp(self.log_probs)

    @property
    def labels(self) -> list[str]:
        """The most likely class of each sketch, rejected or not."""
        return [self.classes[column] for column in self.log_probs.argmax(axis=1)]

    def top_k(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """Return the k most likely classes of each sketch with their probabilities, most likely first.

        Ties are in the order of `classes`. If k exceeds the number of classes, all are returned.

        Raises:
            ValueError: if k is below 1.
        """
        if k < 1:
            raise ValueError(f"expected k >= 1, found {k}")
        columns: npt.NDArray[np.intp] = np.argsort(-self.log_probs, axis=1, kind="stable")[:, :k]
        chosen = np.take_along_axis(self.probabilities, columns, axis=1)
        return [
            [(self.classes[column], float(probability)) for column, probability in zip(*row, strict=True)]
            for row in zip(columns, chosen, strict=True)
        ]
