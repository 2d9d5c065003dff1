"""What the candidates are asked: seeded strokes, the same array for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_infer.errors import InputError
from sketch_infer.readers.files import read_sketches
from sketch_infer.strokes.preprocess import INPUT_SIZE, to_batch

SEED = 20_240_601

DENSE_BATCHES = (8, 64, 512)

TAPS_BY_CHANNELS = 33
"""Values that one LSTM step needs of a sketch: 11 points (three convolutions of 5, 5 and 3 without activations are one
of 11) by 3 channels."""


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes:
        name: for the table.
        strokes: float32 (N, sequence_length, 3), zero-padded.
        repeats: calls in a round, so that a small batch is not judged by a few milliseconds.
        one_by_one: whether every sketch is a call of its own, or all of them are one call.
        judged: whether rounding to int8 or bfloat16 is judged by it: random strokes are no drawings, so that the
            network is undecided between classes there and the likeliest one means nothing.
    """

    name: str
    strokes: FloatArray
    repeats: int = 1
    one_by_one: bool = False
    judged: bool = False


def make_workloads(
    drawings: FloatArray, n_single: int, batches: Sequence[int] = DENSE_BATCHES
) -> tuple[Workload, list[Workload], Workload]:
    """Return the rows one sketch at a time, dense batches, and bulk.

    Args:
        drawings: for bulk; the first `n_single` of them are classified one at a time.
        n_single: how many those are.
        batches: sizes of the dense batches.
    """
    length = drawings.shape[1]
    dense = [Workload(f"dense {batch}", dense_strokes(batch, length), max(1, 128 // batch)) for batch in batches]
    bulk = Workload("bulk", drawings, judged=True)
    return Workload("one sketch", drawings[:n_single], one_by_one=True), dense, bulk


def dense_strokes(batch: int, sequence_length: int) -> FloatArray:
    """Make strokes of full length, which leave nothing to skip."""
    random = np.random.default_rng([SEED, batch])
    strokes = random.normal(0, 0.2, (batch, sequence_length, INPUT_SIZE)).astype(np.float32)
    strokes[:, :, 2] = random.random((batch, sequence_length)) < 0.1
    return strokes


def read_drawings(folder: Path, at_most: int, sequence_length: int) -> FloatArray:
    """Read Quick, Draw! files and draw a seeded sample of their drawings, in random order.

    Raises:
        InputError: if a file cannot be used, or there is none.
    """
    files = sorted(path for path in folder.iterdir() if path.name.endswith((".ndjson", ".ndjson.gz")))
    sketches = [sketch.strokes for path in files for sketch in read_sketches(str(path))]
    if not sketches:
        raise InputError(f"{folder}: expected .ndjson or .ndjson.gz files of drawings, found none")
    chosen = np.random.default_rng(SEED).permutation(len(sketches))[:at_most]
    return to_batch([sketches[row] for row in chosen], sequence_length)[0]


def sketch_lengths(strokes: FloatArray) -> npt.NDArray[np.int64]:
    """Return the points of each sketch (N, T, 3) without its padding, int64 (N,)."""
    used = np.any(strokes != 0, axis=2)
    return np.where(used.any(axis=1), strokes.shape[1] - used[:, ::-1].argmax(axis=1), 0)


def needed_flops(lengths: npt.NDArray[np.int64], hidden_size: int, classes: int, steps: int, settling: int) -> float:
    """Count the floating-point operations that no implementation can do without on sketches of these lengths.

    A sketch of L points needs min(max(L, 1), steps) steps of the reverse direction, because in the padding behind a
    sketch every sketch has the same states, and min(L + settling, steps) of the forward direction, because `settling`
    steps after the last point its state is constant. A step takes 4 gates from the hidden state and from 33 input
    values, and its share of the head; a multiplication and its addition are two operations. Activations do not count.

    Args:
        lengths: points of each sketch.
        hidden_size: LSTM units per direction.
        classes: outputs of the head.
        steps: LSTM steps over the whole padded length.
        settling: steps that the forward direction needs in the padding; 0 counts the least work that is possible.
    """
    reverse = np.minimum(np.maximum(lengths, 1), steps)
    forward = np.minimum(lengths + settling, steps)
    per_step = 2 * (4 * hidden_size * hidden_size + 4 * hidden_size * TAPS_BY_CHANNELS) + 2 * hidden_size * classes
    return float((reverse + forward).sum()) * per_step
