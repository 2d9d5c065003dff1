"""What a checkpoint records beside its weights: the names of its classes, and below which probability to reject."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sketch_infer.checks.report import Check
from sketch_infer.errors import ModelFileError
from sketch_models import Checkpoint


def check_probability(value: Any) -> float:
    """Return a probability as a float, whether it is a text, an integer or one of NumPy's numbers.

    Raises:
        ValueError: if it is none.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number <= 1:  # NaN is no probability, either
        raise ValueError(f"expected a probability between 0 and 1, found {value!r:.60}")
    return number


def recorded_threshold(path: Path | None, checkpoint: Checkpoint) -> float | None:
    """Return the probability below which a checkpoint says that a drawing is none of the classes; None without.

    Args:
        path: of the checkpoint's file; None for random weights.
        checkpoint: as it was loaded.

    Raises:
        ModelFileError: if what it records is no probability.
    """
    text = checkpoint.metadata.get("reject_below")
    try:
        return None if text is None else check_probability(text)
    except ValueError as error:
        raise ModelFileError(f"{path}: reject_below in its metadata: {error}") from error


def compare_labels(recorded: Sequence[str], labels: Sequence[str]) -> Check:
    """Compare class names with those that a checkpoint records for the same outputs.

    Other names may be meant: a translation, for example. A name at another output's place is not: every answer would
    be wrong, and no comparison of numbers would show it.

    Args:
        recorded: the checkpoint's, in the order of its outputs.
        labels: as many, to compare.

    Returns:
        a check that holds if no name of the checkpoint's stands in another place; it says what differs.
    """
    differ = [number for number, (own, label) in enumerate(zip(recorded, labels, strict=True)) if own != label]
    for number in differ:
        if labels[number] in recorded:
            found = f"expected {recorded[number]!r} as label {number}, in the checkpoint's order, found"
            return Check("labels", False, f"{found} {labels[number]!r}")
    if not differ:
        return Check("labels", True, "those of the checkpoint")
    first = differ[0]
    example = f"{labels[first]!r} for {recorded[first]!r}"
    return Check("labels", True, f"{len(differ)} of {len(labels)} replace the checkpoint's: {example}, for example")
