"""A sketch from a file."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from sketch_infer.array_types import FloatArray
from sketch_infer.errors import InputError
from sketch_infer.strokes.pen_lines import PenLines

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
    """A sketch and its origin.

    Attributes:
        source: the file, as the user named it.
        index: position among the file's sketches from 0, counting those that cannot be used.
        strokes: float32 (T, 3), without padding.
        label: the word that the file gives for it, not necessarily a class of the model; None if there is none.
        aspect: width / height of the drawing, which the strokes no longer show; 1 if unknown.
        cut: whether points were dropped that a network does not read; see `cut_to_length`.
        drawing: its pen lines as in the file, for a model that reads pen points; None if the file has strokes.
        last_for_now: whether no other one was waiting behind it when it was read: a live pen expects its answer now.
    """

    source: str
    index: int
    strokes: FloatArray
    label: str | None = None
    aspect: float = 1.0
    cut: bool = False
    drawing: PenLines | None = None
    last_for_now: bool = False

    @property
    def true_class(self) -> str:
        """The label, or what the file's name says where it has none: `cat` for `cat.npz`."""
        return self.label or Path(self.source).name.split(".")[0]


def open_source(source: str, opened: BinaryIO | None) -> AbstractContextManager[BinaryIO]:
    """Return a file to read from its start: `opened`, which its owner closes, or the one at that path.

    Raises:
        OSError: if there is no such file, or it cannot be read.
    """
    return nullcontext(opened) if opened else Path(source).open("rb")


def cut_to_length(sketches: Iterable[Sketch], length: int, with_drawings: bool = False) -> Iterator[Sketch]:
    """Cut sketches to what a network reads, as they come: of long ones, those that wait together would fill the memory.

    Args:
        sketches: of any length.
        length: points that are kept.
        with_drawings: whether to keep their pen lines, for a model that reads these.

    Yields:
        the sketches in order, with strokes of their own: a view would keep the block alive that they were read in.
    """
    for sketch in sketches:
        strokes = sketch.strokes
        drawing = sketch.drawing if with_drawings else None
        if drawing and drawing.points.base is not None:
            drawing = PenLines.join([drawing])
        if len(strokes) <= length and strokes.base is None and sketch.drawing is drawing:
            yield sketch
        else:
            cut = sketch.cut or bool(strokes[length:].any())
            yield replace(sketch, strokes=strokes[:length].copy(), cut=cut, drawing=drawing)
