"""Drawings from any file, in blocks: what is read of them becomes sketches."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Literal, get_args

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.errors import InputError
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.sketch import Sketch
from sketch_infer.strokes.drawing_forms import to_columns
from sketch_infer.strokes.each import prepare_each
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.preprocess import drawings_to_sketches
from sketch_infer.strokes.simplify import SIDE, are_dense, simplify

DrawingFormat = Literal["auto", "simplified", "raw"]
DRAWING_FORMATS: tuple[DrawingFormat, ...] = get_args(DrawingFormat)

MAX_BYTES = 2**22
"""Bytes of one drawing that are read: 50,000 points take half as many, and a file without line ends fits no memory."""

_MAX_WORD = 1000
"""Characters of a word."""

AT_ONCE = 256
"""Drawings prepared together, fewer where they are of more than `MAX_BYTES` together."""

Row = tuple[str, object]
"""Where a drawing stands, as messages say it; and its record, a dict, or the InputError that it is none."""


def _never() -> bool:
    return False


def blocks_of(
    called: str,
    rows: Iterator[tuple[Row, int]],
    listener: ReadListener,
    file: BinaryIO | None = None,
    pauses: Callable[[], bool] = _never,
) -> Iterator[list[Row]]:
    """Gather rows that are prepared together.

    Args:
        called: what messages call the file.
        rows: with the bytes of each.
        listener: hears how far the reading is.
        file: whose position shows that, if it has one.
        pauses: whether no row is waiting: a block ends there.

    Raises:
        InputError: if there is no row.
    """
    at, n_rows = 0, 0
    while block := _next_block(rows, pauses):
        n_rows += len(block)
        yield block
        del block  # or else there would be two while the next one is read
        if file and file.seekable():
            position = file.tell()
            listener.advance(position - at)
            at = position
    if not n_rows:
        raise InputError(f"{called}: expected drawings, found none")


def _next_block(rows: Iterator[tuple[Row, int]], pauses: Callable[[], bool]) -> list[Row]:
    block, total = [], 0
    for row, n_bytes in rows:
        block.append(row)
        total += n_bytes
        if len(block) == AT_ONCE or total >= MAX_BYTES or pauses():
            break
    return block


def prepare_drawings(
    source: str,
    blocks: Iterable[list[Row]],
    input_format: DrawingFormat,
    listener: ReadListener,
    pauses: Callable[[], bool] = _never,
) -> Iterator[Sketch]:
    """Bring drawings to sketches.

    Args:
        source: what the sketches carry as their source.
        blocks: rows in order; a sketch's index is its row's position among all.
        input_format: what the drawings are.
        listener: hears of what cannot be used, in order.
        pauses: whether no row is waiting behind a block.
    """
    index, told = 0, False
    for block in blocks:
        block = [(where, _checked(record)) for where, record in block]
        drawings = [record["drawing"] for _, record in block if isinstance(record, dict)]
        prepared = prepare_each(drawings, lambda some: _to_sketches(some, input_format))
        outcomes, n_left = iter(prepared), sum(isinstance(outcome, tuple) for outcome in prepared)
        paused = pauses()
        for where, record in block:
            outcome = next(outcomes) if isinstance(record, dict) else record
            if isinstance(outcome, tuple) and isinstance(record, dict):
                strokes, aspect, dense, drawing = outcome
                if dense and not told:
                    told = True
                    listener.note(
                        f"{where}: its points are closer together than in simplified drawings, so it and "
                        "others like it are read as raw; --input-format simplified takes them as they are"
                    )
                label = record.get("word")
                n_left -= 1
                last_for_now = paused and not n_left
                yield Sketch(source, index, strokes, label, aspect, drawing=drawing, last_for_now=last_for_now)
            else:
                listener.bad(InputError(f"{where}: {outcome}"), index)
            index += 1
        del block, drawings, outcomes, record, outcome  # as above


def _checked(record: object) -> object:
    """Return a record with its word as text, or the InputError that it has none."""
    if not isinstance(record, dict) or record.get("word") is None:
        return record
    word = record["word"]
    if isinstance(word, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            word = word.decode()
    elif isinstance(word, int) and not isinstance(word, bool):
        word = str(word)
    if not isinstance(word, str):
        return InputError(f"expected a word as text, found {word!r:.40}")
    if len(word) > _MAX_WORD:
        return InputError(f"expected a word of at most {_MAX_WORD} characters, found {len(word)}")
    return record if word is record["word"] else {**record, "word": word}


def _to_sketches(
    drawings: Sequence[Any], input_format: DrawingFormat
) -> list[tuple[FloatArray, float, bool, PenLines]]:
    """Prepare drawings.

    Returns:
        of each, its strokes, float32 (T, 3), its width / height, whether it is raw by its density alone, and its lines
        as they were.
    """
    drawings = to_columns(drawings)
    lines = PenLines.of(drawings)
    as_read = lines.each()
    dense = np.zeros(len(drawings), bool)
    raw = np.full(len(drawings), input_format == "raw")
    if input_format == "auto":
        raw = _look_raw(drawings, lines)
        if not raw.all():
            dense[~raw] = are_dense(lines.where(~raw))
            raw |= dense
    if raw.all():
        lines = simplify(lines)
    elif raw.any():
        simplified, kept = iter(simplify(lines.where(raw)).each()), iter(lines.where(~raw).each())
        lines = PenLines.join([next(simplified if is_raw else kept) for is_raw in raw])
    return list(zip(drawings_to_sketches(lines), lines.aspects().tolist(), dense.tolist(), as_read, strict=True))


def _look_raw(drawings: list[Any], lines: PenLines) -> Any:
    """Tell drawings with times, or with points that are not whole numbers from 0 to 255, bool (N,).

    Those two are what the simplified form never has.
    """
    timed = np.array([any(len(stroke) > 2 for stroke in drawing) for drawing in drawings])
    if timed.all():
        return timed
    fits = ((lines.points >= 0) & (lines.points <= SIDE) & (lines.points == np.rint(lines.points))).all(axis=1)
    return timed | ~np.logical_and.reduceat(fits, lines.drawing_starts[:-1])
