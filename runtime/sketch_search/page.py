"""What was found as a page: rows of drawings, complete in itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sketch_infer.errors import OutputError
from sketch_infer.html.page import page_head
from sketch_infer.html.sketch_svg import sketch_svg
from sketch_infer.readers.files import STDIN
from sketch_infer.untrusted import html_text
from sketch_search.index import SketchIndex
from sketch_search.pictures import Picture, to_strokes

MAX_DRAWINGS = 20_000
"""Drawings on a page; browsers grow slow beyond."""


@dataclass(frozen=True)
class Card:
    """A drawing on the page.

    Attributes:
        picture: what it shows.
        title: its word, or what it is.
        source: the file that it comes from.
        index: its position there.
        note: what else is to be said of it.
    """

    picture: Picture
    title: str
    source: str
    index: int
    note: str = ""

    @classmethod
    def of(cls, index: SketchIndex, position: int, note: str = "") -> "Card":
        """Return the card of a drawing of an index."""
        return cls(index.picture(position), index.word(position) or "no word", *index.key(position), note)


class PageWriter:
    """Writes rows of drawings as they are found."""

    def __init__(self, stream: TextIO, title: str) -> None:
        self._stream = stream
        self._n = 0
        stream.write(page_head(title, ("rows.css",)))

    def write(self, cards: Sequence[Card]) -> None:
        """Write a row, whose first drawing stands out.

        Raises:
            OutputError: if there are too many drawings for a page.
        """
        self._n += len(cards)
        if self._n > MAX_DRAWINGS:
            raise OutputError(f"expected at most {MAX_DRAWINGS:,} drawings for a page, found more; ask for fewer")
        self._stream.write(f"<section>\n{''.join(map(_figure, cards))}</section>\n")

    def finish(self) -> None:
        """Write the end."""
        self._stream.write(("" if self._n else "<p>Nothing found.</p>\n") + "</body>\n</html>\n")


def _figure(card: Card) -> str:
    name = "standard input" if card.source == STDIN else Path(card.source).name
    note = f"<span>{html_text(card.note)}</span>" if card.note else ""
    return (
        f'<figure title="{html_text(card.source)}">\n{sketch_svg(to_strokes(card.picture))}\n'
        f"<figcaption><b>{html_text(card.title)}</b>{note}<small>{html_text(name)} #{card.index}</small></figcaption>\n"
        "</figure>\n"
    )
