"""Class labels: where they come from and what they must be."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sketch_infer.errors import InputError, reading_errors
from sketch_infer.untrusted import one_line


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
        if not isinstance(label, str) or not label.strip() or one_line(label) != label:
            raise InputError(f"expected printable text as label {position}, found {label!r:.60}")
    if repeated := sorted(label for label, count in Counter(labels).items() if count > 1):
        raise InputError(f"expected each label once, found repeated: {', '.join(repeated)}")
    return tuple(labels)


def choose_labels(chosen: Sequence[str], labels: Sequence[str]) -> list[int]:
    """Return the positions of some labels among those of a model.

    Raises:
        InputError: if one is not among them or is repeated, or there are fewer than two.
    """
    if isinstance(chosen, str):
        raise InputError(f"expected a list of labels, found the text {chosen!r:.60}")
    position = {label: column for column, label in enumerate(labels)}
    for label in chosen:
        if label not in position:
            from difflib import get_close_matches  # late, as few need it

            similar = get_close_matches(str(label), labels, n=3)
            hint = f"; did you mean {' or '.join(map(repr, similar))}?" if similar else ""
            raise InputError(f"expected labels among the model's {len(labels)} classes, found {label!r:.60}{hint}")
    check_labels(list(chosen), len(chosen))
    if len(chosen) < 2:
        raise InputError(f"expected at least 2 labels to choose among, found {', '.join(chosen) or 'none'}")
    return [position[label] for label in chosen]


def read_labels(path: str | Path) -> list[str]:
    """Read a text file of labels in UTF-8, one per line; blank lines are left out.

    Raises:
        InputError: if the file cannot be read as text.
    """
    try:
        with reading_errors(path):
            lines = Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a UTF-8 text file with one label per line") from error
    # Windows' editors put a byte order mark before a file, and joined files have one in the middle.
    labels = (line.lstrip("\ufeff").strip() for line in lines)
    return [label for label in labels if label]


def parse_labels(text: str | None) -> list[str] | None:
    """Return the labels that a text names: those of a file, one per line, or words with commas between them.

    Raises:
        InputError: if the file cannot be read as text.
    """
    if text is None:
        return None
    return read_labels(text) if names_file(text) else [word.strip() for word in text.split(",")]


def names_file(text: str) -> bool:
    """Tell whether a text is the name of a file; a list of words may be longer than any name."""
    return os.path.isfile(text)  # noqa: PTH113  # Path.is_file raises where a name is too long
