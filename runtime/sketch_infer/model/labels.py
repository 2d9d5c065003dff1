"""Class labels: where they come from and what they must be."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sketch_infer.errors import InputError, reading_errors


def check_labels(labels: Sequence[str], n_classes: int) -> tuple[str, ...]:
    """Return the labels as a tuple if they can name the outputs of a network.

    Args:
        labels: class names in the order of the outputs.
        n_classes: outputs of the network.

    Raises:
        InputError: if their number is not `n_classes`, or one is empty, repeated or not printable text.
    """
    if not isinstance(labels, list | tuple):  # as JSON may hold anything
        raise InputError(f"expected a list of labels, found {labels!r:.40}")
    if len(labels) != n_classes:
        raise InputError(f"expected {n_classes} labels, one for each output of the network, found {len(labels)}")
    for position, label in enumerate(labels):
        if not isinstance(label, str) or not label.strip() or not label.isprintable():
            raise InputError(f"expected printable text as label {position}, found {label!r:.60}")
    if repeated := sorted(label for label, count in Counter(labels).items() if count > 1):
        raise InputError(f"expected each label once, found repeated: {', '.join(repeated)}")
    return tuple(labels)


def read_labels(path: str | Path) -> list[str]:
    """Read a text file of labels in UTF-8, one a line; blank lines are left out.

    Raises:
        InputError: if the file cannot be read as text.
    """
    try:
        with reading_errors(path):
            lines = Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a UTF-8 text file, one label a line") from error
    return [line.strip() for line in lines if line.strip()]
