"""What is to be said of a folder that was read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SHOWN = 3


@dataclass
class ReadingReport:
    """What a folder's reading left out, and what it took as it is though it looks like another kind.

    Attributes:
        bad_lines: "FILE:LINE: reason" of each line that is no drawing.
        unrecognized: drawings that the game did not recognize, left out where asked.
        not_read: files that `sketch-infer` reads but training does not, by their names from the folder on.
        dense: "FILE:LINE" of each drawing whose points are as close as a pen samples them, read as simplified.
    """

    bad_lines: list[str] = field(default_factory=list)
    unrecognized: int = 0
    not_read: list[str] = field(default_factory=list)
    dense: list[str] = field(default_factory=list)

    def notes(self, folder: Path, against_dense: str) -> list[str]:
        """Return one line for each kind that there is.

        Args:
            folder: that was read.
            against_dense: what to do where drawings are dense.
        """
        notes = []
        if self.not_read:
            notes.append(
                f"{folder}: {len(self.not_read)} files not read: {first_few(self.not_read)}; training reads "
                "CLASS.ndjson and CLASS.ndjson.gz of the folder itself"
            )
        if self.bad_lines:
            notes.append(f"{folder}: {len(self.bad_lines)} bad lines left out: {first_few(self.bad_lines)}")
        if self.unrecognized:
            notes.append(f"{folder}: {self.unrecognized} drawings left out that the game did not recognize")
        if self.dense:
            notes.append(
                f"warning: {folder}: {len(self.dense)} drawings have points closer together than simplified ones "
                f"({first_few(self.dense)}); sketch-infer would simplify them, training takes them as they are: "
                f"{against_dense}"
            )
        return notes


def first_few(names: Sequence[str]) -> str:
    """Return the first names of a list as a message may show them."""
    return "; ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
