"""Lines of a stream that may come one by one: a pen that draws, a log that grows."""

import os
import re
import select
from contextlib import suppress
from typing import BinaryIO

_CHUNK = 2**16
"""Bytes that are read at a time: what a pipe holds."""

_PATIENCE = 0.02
"""Seconds to wait for more before what is there is answered: a fast producer may need them to be given a processor, and
a hand does not notice them."""

_NOT_BLANK = re.compile(rb"\S")


class LiveLines:
    """The lines of a stream, and whether one would have to wait for the next.

    Args:
        file: the stream, in binary.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._buffer, self._at = file, b"", 0
        # A stream that does not block, as Node and ssh hand them down, would seem to end where its writer pauses.
        with suppress(OSError, ValueError, AttributeError):  # no file of the system's
            os.set_blocking(file.fileno(), True)

    def readline(self, limit: int) -> bytes:
        """Return the next line with its end, or `limit` bytes of it; nothing at the end of the stream."""
        while (end := self._buffer.find(b"\n", self._at, self._at + limit) + 1) == 0:
            if len(self._buffer) - self._at >= limit:
                end = self._at + limit
                break
            if not self._read():
                end = len(self._buffer)
                break
        line, self._at = self._buffer[self._at : end], end
        return line

    def pause(self) -> bool:
        """Tell whether no further line is there, not even after a moment; a blank one is none."""
        while not (begun := _NOT_BLANK.search(self._buffer, self._at)):
            if len(self._buffer) - self._at > _CHUNK:  # blank lines without an end shall fill no memory
                return False
            if not self._more_comes():
                return True
            if not self._read():
                return False
        return self._buffer.find(b"\n", begun.start()) < 0 and not self._more_comes()

    def _read(self) -> bool:
        """Wait for more, and tell whether there is any."""
        more = self._file.read1(_CHUNK)  # type: ignore[attr-defined]  # of io.BufferedIOBase, as standard input is
        self._buffer, self._at = self._buffer[self._at :] + more, 0
        return bool(more)

    def _more_comes(self) -> bool:
        try:
            return bool(select.select([self._file], [], [], _PATIENCE)[0])
        except (OSError, ValueError, TypeError):  # no stream that can be asked, as a file in memory or Windows' pipes
            return True
