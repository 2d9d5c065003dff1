"""Tables as text."""

import textwrap
import unicodedata
from collections.abc import Sequence

from sketch_infer.untrusted import one_line

_NARROW = 12
"""Columns of a terminal below which no cell is shortened."""


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Lay out text cells in columns, left-aligned, two spaces apart; what is not to be printed is escaped.

    Args:
        header: the columns' names.
        rows: as many cells each.
        width: what a line may take; the widest columns are shortened to it. None for no limit.
    """
    cells = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(text_width, column)) for column in zip(*cells, strict=True)]
    while width is not None and sum(widths) + 2 * len(widths) - 2 > width and max(widths) > _NARROW:
        widths[widths.index(max(widths))] -= 1
    lines = ("  ".join(pad(shorten(cell, wide), wide) for cell, wide in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def text_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for each East Asian letter or emoji, none for accents."""
    return len(text) if text.isascii() else sum(map(_letter_width, text))


def _letter_width(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def pad(text: str, width: int) -> str:
    """Return a text with spaces after it that fill a column."""
    return text + " " * (width - text_width(text))


def shorten(text: str, width: int) -> str:
    """Return a text that fits a column: of a longer one, such as a path, the end."""
    if text_width(text) <= width:
        return text
    end = text[3 - width :] if width > 3 else ""
    while text_width(end) > width - 3:
        end = end[1:]
    return f"...{end}"


def wrap(text: str, width: int | None) -> str:
    """Break a line between words where it is longer than `width`, the further lines indented; None for no limit."""
    return text if width is None else textwrap.fill(text, width, subsequent_indent="      ", break_long_words=False)
