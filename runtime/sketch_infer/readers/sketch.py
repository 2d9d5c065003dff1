"""A sketch from a file, and what a reader tells about the rest of the file."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from sketch_infer.errors import InputError
from sketch_infer.strokes.preprocess import FloatArray

InputFormat = Literal["auto", "network", "stroke-3", "stroke-5", "simplified", "raw"]
INPUT_FORMATS: tuple[InputFormat, ...] = get_args(InputFormat)

OnError = Literal["stop", "skip"]
"""What to do at a sketch or file that cannot be used."""
ON_ERROR: tuple[OnError, ...] = get_args(OnError)


def check_on_error(on_error: str) -> None:
    """Refuse a word that is not an `OnError`, which would otherwise pass for "stop".

    Raises:
        InputError: if it is another word.
    """
    if on_error not in ON_ERROR:
        raise InputError(f"expected on_error to be {' or '.join(map(repr, ON_ERROR))}, found {on_error!r}")


@dataclass(frozen=True, slots=True)
class Sketch:
    """A sketch and where it came from.

    Attributes:
        source: the file as the user named it.
        index: 0-based position among the file's sketches, those that cannot be used included.
        strokes: float32 (T, 3).
        label: the word that the file has for it, which need not be one of a model's classes; None without one.
        aspect: width / height of the drawing, which the strokes have lost; 1 where it is not known.
    """

    source: str
    index: int
    strokes: FloatArray
    label: str | None = None
    aspect: float = 1.0

    @property
    def true_class(self) -> str:
        """The label, or what the file's name says where it has none: `cat` for `cat.npz`."""
        return self.label or Path(self.source).name.split(".")[0]


class Reading:
    """Hears from a reader; this one stops at the first sketch that cannot be used.

    Attributes:
        skips: whether reading goes on after `bad`.
    """

    skips = False

    def bad(self, error: InputError) -> None:
        """Take note of a sketch, or a whole file, that cannot be used; its message names file and line or row.

        Raises:
            InputError: that error, unless reading is to go on with the next one.
        """
        raise error

    def advance(self, n_bytes: int) -> None:
        """Take note that so many more bytes of the file are read."""

    def note(self, text: str) -> None:
        """Take note of how a file was understood, where it did not say so itself."""


def open_source(source: str, opened: BinaryIO | None) -> AbstractContextManager[BinaryIO]:
    """Return a file to read from its start: `opened`, which its owner closes, or the one at that path.

    Raises:
        OSError: if there is no such file, or it cannot be read.
    """
    return nullcontext(opened) if opened else Path(source).open("rb")
