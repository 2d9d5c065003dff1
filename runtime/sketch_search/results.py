"""What a command found: JSON lines for programs, a table for a terminal, and a page with the pictures."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from sketch_infer.atomic import write_atomically
from sketch_infer.cli.console import note, say, terminal_width
from sketch_infer.tables import format_table
from sketch_search.page import Card, PageWriter

Format = Literal["table", "jsonl"]


class Results:
    """Takes what was found, one thing after another.

    Args:
        header: names of the table's columns.
        format_: None for a table on a terminal, and JSON lines in a pipe.
        page: the page to add to; None for none.
        nothing: what to tell instead of a table without rows.
    """

    def __init__(self, header: Sequence[str], format_: Format | None, page: PageWriter | None, nothing: str) -> None:
        self._header, self._page, self._nothing = header, page, nothing
        self._as_table = format_ == "table" if format_ else sys.stdout is not None and sys.stdout.isatty()
        self._rows: list[Sequence[str]] = []

    def add(self, record: dict[str, Any], rows: Sequence[Sequence[str]], cards: Sequence[Card]) -> None:
        """Add one thing that was found.

        Args:
            record: what JSON says of it.
            rows: its lines of the table.
            cards: its drawings, for the page.
        """
        if self._as_table:
            self._rows += rows
        else:
            say(json.dumps(record))
        if self._page:
            self._page.write(cards)

    def finish(self) -> None:
        """Print the table, and end the page."""
        if self._as_table and self._rows:
            say(format_table(self._header, self._rows, terminal_width()))
        elif self._as_table:
            note(f"note: {self._nothing}")
        if self._page:
            self._page.finish()


@contextmanager
def open_results(
    header: Sequence[str], format_: Format | None, html: Path | None, title: str, nothing: str
) -> Iterator[Results]:
    """Open the results of a command; a page appears when the block ends well.

    Args:
        header: names of the table's columns.
        format_: as for `Results`.
        html: the page's file; None for none.
        title: of the page.
        nothing: as for `Results`.

    Raises:
        OutputError: if the page cannot be written.
    """
    with ExitStack() as stack:
        page = None
        if html:
            temporary = stack.enter_context(write_atomically(html))
            stream = stack.enter_context(temporary.open("w", encoding="utf-8", errors="backslashreplace"))
            page = PageWriter(stream, title)
        results = Results(header, format_, page, nothing)
        yield results
        results.finish()
