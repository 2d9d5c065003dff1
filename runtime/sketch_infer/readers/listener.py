"""Listeners, which readers tell what cannot be used, how far they are, and how they understood a file."""

from sketch_infer.errors import InputError


class ReadListener:
    """Listens to a reader; this one stops at the first sketch that cannot be used.

    Attributes:
        skips: whether reading continues after `bad`.
    """

    skips = False

    def bad(self, error: InputError, _position: int | None = None, /) -> None:
        """Take note of a sketch, or a whole file, that cannot be used.

        Args:
            error: its message names file and line or row.
            _position: the sketch's, from 0, among all that are read; None for a file.

        Raises:
            InputError: that error, unless reading is to go on with the next one.
        """
        raise error

    def advance(self, n_bytes: int) -> None:
        """Take note that so many more bytes of the file are read."""

    def note(self, text: str) -> None:
        """Take note of how a file was understood, where it did not say so itself."""


class CollectingListener(ReadListener):
    """Collects what it is told.

    Args:
        skips: whether to continue after a sketch that cannot be used.

    Attributes:
        errors: by position, which is None for a whole file.
        notes: how files were understood.
    """

    def __init__(self, skips: bool = True) -> None:
        self.skips = skips
        self.errors: list[tuple[int | None, InputError]] = []
        self.notes: list[str] = []

    def bad(self, error: InputError, position: int | None = None, /) -> None:
        """Keep the error, or stop."""
        if not self.skips:
            raise error
        self.errors.append((position, error))

    def note(self, text: str) -> None:
        """Keep the note."""
        self.notes.append(text)
