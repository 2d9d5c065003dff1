"""Any number of sketches through a classifier in bounded memory: the next are read while these are classified."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from sketch_infer.errors import InputError
from sketch_infer.inference.classifier import Classifier
from sketch_infer.inference.predictions import Predictions
from sketch_infer.model.contract.tensors import INT8_RANGE, POINTS
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.sketch import Sketch, cut_to_length
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.pen_points import to_pen_points
from sketch_infer.strokes.simplify import MAX_POINTS

if TYPE_CHECKING:
    from concurrent.futures import Executor

SKETCHES_AT_ONCE = 512
"""Sorted by length and classified together: bounds the memory, and gives every worker some batches."""

_MAX_WAITING_BYTES = 2**26
"""Of sketches that are classified together: 512 with all the points that a drawing may have would be 400 MB."""


def classify_sketches(
    classifier: Classifier, sketches: Iterable[Sketch], listener: ReadListener | None = None
) -> Iterator[tuple[list[Sketch], Predictions]]:
    """Classify any number of sketches as they arrive.

    Args:
        classifier: the model.
        sketches: for example from `read_sketches`; long ones are cut to the network's length.
        listener: is told about sketches that this model cannot take, by position; None to stop at the first.

    Yields:
        blocks of sketches and their predictions, in input order.

    Raises:
        InputError: if an int8 model gets a value outside of its range, a model of pen points gets a sketch without
            them, or reading fails.
    """
    return classify_usable(classifier, usable_sketches(classifier, sketches, listener or ReadListener()))


def classify_usable(classifier: Classifier, sketches: Iterator[Sketch]) -> Iterator[tuple[list[Sketch], Predictions]]:
    """Classify what `usable_sketches` gives, as `classify_sketches` does."""
    of_points = classifier.metadata.input_form == POINTS

    def predict(block: list[Sketch]) -> Predictions:
        if of_points:
            drawings = PenLines.join([sketch.drawing for sketch in block if sketch.drawing])
            return classifier.predict_points(to_pen_points(drawings))
        return classifier.predict([sketch.strokes for sketch in block], input_format="network")

    with ExitStack() as stack:
        ahead: Executor | None = None
        block, is_full = take_block(sketches)
        while block:
            if not is_full:
                # All there is, or for now: to read on first would keep the answers waiting.
                yield block, predict(block)
                block, is_full = take_block(sketches)
                continue
            if ahead is None:
                from concurrent.futures import ThreadPoolExecutor  # late, as a few sketches do without it

                ahead = stack.enter_context(ThreadPoolExecutor(1, "sketch-infer-ahead"))
            running = ahead.submit(predict, block)
            try:
                following, is_full = take_block(sketches)
            except InputError:
                # What was read before is answered, too.
                yield block, running.result()
                raise
            yield block, running.result()
            block = following


def usable_sketches(classifier: Classifier, sketches: Iterable[Sketch], listener: ReadListener) -> Iterator[Sketch]:
    """Cut sketches to what the model reads, and leave out those that it cannot take; arguments as above.

    Raises:
        InputError: of the first that is left out, if the listener does not skip it.
    """
    of_points = classifier.metadata.input_form == POINTS
    remaining = cut_to_length(sketches, classifier.metadata.sequence_length, with_drawings=of_points)
    if of_points:
        return _with_points(remaining, listener)
    return _in_int8_range(remaining, listener) if classifier.metadata.precision == "int8" else remaining


def take_block(sketches: Iterator[Sketch]) -> tuple[list[Sketch], bool]:
    """Take the sketches that are classified together.

    Returns:
        the sketches, and whether they are as many as there may be: otherwise there are no more, or none for now.
    """
    block: list[Sketch] = []
    n_bytes = 0
    for sketch in sketches:
        block.append(sketch)
        if sketch.last_for_now:
            return block, False
        n_bytes += sketch.strokes.nbytes + (sketch.drawing.points.nbytes if sketch.drawing else 0)
        if len(block) == SKETCHES_AT_ONCE or n_bytes >= _MAX_WAITING_BYTES:
            return block, True
    return block, False


def _with_points(sketches: Iterator[Sketch], listener: ReadListener) -> Iterator[Sketch]:
    for position, sketch in enumerate(sketches):
        where = f"{sketch.source}: sketch {sketch.index}"
        if sketch.drawing is None:
            listener.bad(
                InputError(
                    f"{where}: expected a drawing for a model that reads pen points, found strokes; use drawings "
                    "(.ndjson, .parquet, .bin), or a model that sketch-export wrote without --input points"
                ),
                position,
            )
        elif (found := len(sketch.drawing.points)) > MAX_POINTS:
            error = InputError(
                f"{where}: expected a drawing of at most {MAX_POINTS} points, found {found}; use fewer points"
            )
            listener.bad(error, position)
        else:
            yield sketch


def _in_int8_range(sketches: Iterator[Sketch], listener: ReadListener) -> Iterator[Sketch]:
    for position, sketch in enumerate(sketches):
        largest = float(np.abs(sketch.strokes).max(initial=0.0))
        if largest <= INT8_RANGE:
            yield sketch
            continue
        listener.bad(
            InputError(
                f"{sketch.source}: sketch {sketch.index}: expected values between -{INT8_RANGE:g} and {INT8_RANGE:g} "
                f"for an int8 model, found {largest:g}; min-max scale the drawing, or use the fp32 model"
            ),
            position,
        )
