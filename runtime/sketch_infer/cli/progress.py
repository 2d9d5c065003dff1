"""What the command tells on stderr while it reads: bad sketches, and a bar on a terminal."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketch_infer.cli.console import note
from sketch_infer.errors import InputError
from sketch_infer.readers.files import STDIN
from sketch_infer.readers.listener import ReadListener

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_EVERY = 0.2
"""Seconds between two pictures of the bar."""


class CommandReading(ReadListener):
    """Tells the user what a reader meets.

    Args:
        skips: whether to go on after a sketch that cannot be used.
        quiet: whether to leave out notes.
    """

    def __init__(self, skips: bool, quiet: bool) -> None:
        self.skips = skips
        self._quiet = quiet
        self.n_skipped = 0
        self._bar: ProgressBar[Any] | None = None
        self._bytes = self._sketches = 0
        self._started = self._drawn = time.monotonic()

    def bad(self, error: InputError, _position: int | None = None, /) -> None:
        """Report the sketch and go on, or stop."""
        if not self.skips:
            raise error
        self.n_skipped += 1
        self._clear()
        note(f"skipped {error}")

    def advance(self, n_bytes: int) -> None:
        """Count bytes, for the bar."""
        self._bytes += n_bytes

    def note(self, text: str) -> None:
        """Print a note."""
        if not self._quiet:
            self._clear()
            note(f"note: {text}")

    def classified(self, n_sketches: int) -> None:
        """Count sketches, and draw the bar again where it is time."""
        self._sketches += n_sketches
        if self._bar and time.monotonic() - self._drawn >= _EVERY:
            self._drawn = time.monotonic()
            self._bar.update(self._bytes)
            self._bytes = 0

    @contextmanager
    def bar(self, sources: Iterable[str]) -> Iterator[None]:
        """In this context, a bar shows how far the reading of these files is, their rate and the time left.

        Without a terminal at stderr, or with results on the same terminal, there is none.
        """
        terminal = sys.stderr is not None and sys.stderr.isatty()
        if not terminal or self._quiet or STDIN in sources:
            yield
            return
        size = max(1, sum(Path(source).stat().st_size for source in sources if Path(source).is_file()))
        with click.progressbar(length=size, file=sys.stderr, width=20, item_show_func=self._rate) as bar:
            self._bar = bar
            yield
            bar.update(size - bar.pos)  # what stands between an archive's parts was not counted
            bar.render_progress()  # with the last count, even if all bytes were read before
        self._bar = None

    def _rate(self, _item: object) -> str:
        seconds = max(1e-9, time.monotonic() - self._started)
        return f"{self._sketches:,} sketches, {self._sketches / seconds:,.0f}/s"

    def _clear(self) -> None:
        if self._bar:
            click.echo("\r\x1b[K", nl=False, err=True)

    @property
    def summary(self) -> str:
        """Number of sketches, seconds and rate."""
        seconds = max(1e-9, time.monotonic() - self._started)
        return f"{self._sketches:,} sketches in {seconds:.1f} s, {self._sketches / seconds:,.0f}/s"
