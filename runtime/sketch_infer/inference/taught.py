"""Classes that a user taught with a few drawings: what their answers have in common, and "none of these" by distance.

What the network says of a drawing of a class that it does not know, a bit of this and a bit of that, is still
characteristic of the class. A drawing belongs to the class whose mean is nearest (as the prototypes in Snell et al.,
"Prototypical Networks for Few-shot Learning", 2017), or to none if every mean is too far.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.atomic import write_atomically
from sketch_infer.errors import InputError, reading_errors
from sketch_infer.inference.predictions import Predictions
from sketch_infer.model.labels import check_labels

FORMAT = "sketch-infer taught classes, version 1"

ACCEPTED_FROM = 0.55
"""Cosine similarity to the nearest mean from which a drawing is one of the classes. Nine of ten drawings of 5 to 20
classes that the network did not know were above, whichever the classes."""

_SHARPNESS = 20.0
"""What similarities are multiplied with to become logits."""

_MAX_BYTES = 2**26
_MOST_EXAMPLES = 2**53
_DECIMALS = 5


def embed(logits: FloatArray) -> FloatArray:
    """Return what the network's answers to drawings are compared by: the evidence for its classes, of length 1.

    Logits above their mean; the other ones say the same of most drawings. On classes that the network did not know this
    was better than all logits, probabilities or their roots.

    Args:
        logits: float32 (N, classes).

    Returns:
        float32 (N, classes).
    """
    evidence = np.maximum(logits - logits.mean(axis=1, keepdims=True), 0)
    return _unit(evidence)


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatArray = vectors / np.maximum(lengths, 1e-9)
    return scaled


@dataclass(frozen=True)
class TaughtClass:
    """A class and what its examples have in common.

    Attributes:
        label: its name.
        examples: number of drawings that it was taught with.
        mean: the mean of what `embed` makes of them.
    """

    label: str
    examples: int
    mean: tuple[float, ...]


@dataclass(frozen=True)
class Taught:
    """Taught classes of one model.

    Attributes:
        model_sha256: hash of the model file that saw the examples.
        classes: the classes, in the order in which they were taught.
    """

    model_sha256: str
    classes: tuple[TaughtClass, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(one.label for one in self.classes)

    def teach(self, label: str, logits: FloatArray) -> "Taught":
        """Return these classes with one more, or with more examples for one of them.

        Args:
            label: the class's name.
            logits: the network's for its examples, float32 (N, classes), N >= 1.

        Raises:
            InputError: if there is no example, or the label is empty or no line of text.
        """
        check_labels([label], 1)
        if not len(logits):
            raise InputError(f"expected drawings to teach {label!r} with, found none")
        known = {one.label: one for one in self.classes}
        total, n = embed(logits).sum(axis=0, dtype=np.float64), len(logits)
        if label in known:
            total += np.array(known[label].mean) * known[label].examples
            n += known[label].examples
        known[label] = TaughtClass(label, n, tuple((total / n).round(_DECIMALS).tolist()))
        return replace(self, classes=tuple(known.values()))

    def answer(self, predictions: Predictions) -> Predictions:
        """Return which of the classes drawings belong to.

        Args:
            predictions: the model's own.

        Returns:
            predictions over the taught classes: logits are the scaled similarities, and what the probabilities of a
            drawing lack of 1 is that of "none of these"; `rejected` where this is the most likely.
        """
        means = _unit(np.array([one.mean for one in self.classes], np.float32))
        logits = (_SHARPNESS * (embed(predictions.logits) @ means.T - ACCEPTED_FROM)).astype(np.float32)
        log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True, initial=0.0)
        rejected = logits.max(axis=1) < 0
        return replace(predictions, log_probs=log_probs, logits=logits, classes=self.labels, rejected=rejected)

    def save(self, path: str | Path) -> None:
        """Write the classes to a file.

        Raises:
            OutputError: if it cannot be written.
        """
        values = {"format": FORMAT, **asdict(self)}
        with write_atomically(path) as temporary:
            temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path, model_sha256: str, size: int) -> "Taught":
        """Read what `save` wrote.

        Args:
            path: the file.
            model_sha256: hash of the model file that is to answer.
            size: number of the model's classes.

        Raises:
            InputError: if the file cannot be read, is no such file, or belongs to another model.
        """
        with reading_errors(path), Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES)
        try:
            values = json.loads(content)
            classes = [TaughtClass(one["label"], one["examples"], tuple(one["mean"])) for one in values["classes"]]
            taught = cls(values["model_sha256"], tuple(classes))
            check_labels(list(taught.labels), len(classes))
            right = values["format"] == FORMAT and bool(classes) and all(_is_right(one, size) for one in classes)
        except (ValueError, TypeError, LookupError, RecursionError):
            right = False
        if not right:
            raise InputError(
                f"{path}: expected taught classes as sketch-infer saves them, found another or damaged file"
            )
        if taught.model_sha256 != model_sha256:
            raise InputError(
                f"{path}: expected classes taught with this model ({model_sha256[:12]}), found those of another one "
                f"({taught.model_sha256[:12]}); open that model, or teach them again"
            )
        return taught


def _is_right(one: TaughtClass, size: int) -> bool:
    mean = np.array(one.mean)
    counted = type(one.examples) is int and 1 <= one.examples <= _MOST_EXAMPLES
    # Of vectors of length 1 without negative values.
    return counted and mean.shape == (size,) and mean.dtype.kind in "fi" and bool(((mean >= 0) & (mean <= 1)).all())
