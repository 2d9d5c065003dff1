"""Text that others wrote, on its way to a terminal, a spreadsheet or a page: names of files, columns, words, labels."""

import unicodedata

_OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what a terminal obeys or hides: controls, formats (which reorder text, too), halves of
surrogate pairs (bytes of a file name that are not UTF-8), and line and paragraph separators."""

_JOINERS = frozenset("\u200c\u200d") | frozenset(map(chr, range(0xE0020, 0xE0080)))
"""Formats that words and emoji are spelled with: the two joiners, and the tags in flags."""

_FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula, in full width as well."""


def one_line(text: str) -> str:
    r"""Return text as one line that no terminal obeys: escapes such as \x1b stand for what is not to be printed."""
    if text.isprintable():
        return text
    return "".join(
        repr(letter)[1:-1] if unicodedata.category(letter) in _OBEYED and letter not in _JOINERS else letter
        for letter in text
    )


def printable(text: str, most: int = 60) -> str:
    """Return what a file says of itself as a message may quote it: in one line, cut to `most` characters."""
    return one_line(text[:most])


def as_unicode(text: str) -> str:
    r"""Return text that can be encoded: bytes of a file name that are not UTF-8 become escapes such as \udcff."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def csv_cell(text: str) -> str:
    """Return text as a cell that a spreadsheet does not compute: what looks like a formula gets a ' in front."""
    text = one_line(text)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and len(text) > 1 else text


def html_text(text: str) -> str:
    """Return text as content or attribute of an HTML element."""
    from html import escape  # late, as few need it

    return escape(one_line(text))
