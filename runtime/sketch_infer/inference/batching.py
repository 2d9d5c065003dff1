"""Many sketches through one session: sorted by length, in chunks, by several single-threaded workers.

A chunk costs what its longest sketch costs, so chunks are made of sketches of like lengths. A second thread is worth
most on a chunk of its own: inside the LSTM it would wait for the first one at every step.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_infer.inference.cuda import CUDA
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import OUTPUTS, POINTS, STEPS
from sketch_infer.strokes.preprocess import n_points, to_batch

DEFAULT_BATCH_SIZE = 16
"""Sketches per call into ONNX Runtime: enough rows for full speed of a matrix product, few enough to be of one length
and to stay in the caches (12, 24 and 32 were 1 to 5% slower)."""

INT8_BATCH_SIZE = 6
"""The same in int8, whose kernels take six rows at a time: 9% faster than 16, 8 and 12 are 7% faster."""

CUDA_BATCH_SIZE = 256
"""The same on CUDA, where 16 rows leave a GPU idle. Not measured: this project has not been run on one."""


def default_batch_size(session: Session) -> int:
    """Return how many sketches a call are best on the session's provider."""
    if session.provider == CUDA:
        return CUDA_BATCH_SIZE
    return INT8_BATCH_SIZE if session.metadata.precision == "int8" else DEFAULT_BATCH_SIZE


def run_all(
    session: Session, sketches: Sequence[FloatArray], batch_size: int, workers: int, outputs: Sequence[str] = OUTPUTS
) -> tuple[dict[str, npt.NDArray[Any]], int]:
    """Run any number of sketches.

    Args:
        session: the model, whose calls are independent of each other.
        sketches: float32 (T, 3) each, of any lengths; for a model of pen points, x, y and pen (n, 3).
        batch_size: sketches a call, fewer where that leaves a worker without any or is more than the session takes.
        workers: calls at a time.
        outputs: names of what is wanted.

    Returns:
        the outputs by name, as `Session.run` has them, in the order of the sketches, and how many of these were
        cut to the model's sequence length.

    Raises:
        ModelFileError: if ONNX Runtime fails on a chunk.
    """
    found = session.empty(len(sketches), outputs)
    of_points = session.metadata.input_form == POINTS
    lengths = [len(sketch) if of_points else n_points(sketch) for sketch in sketches]
    longest_first = np.argsort([-length for length in lengths], kind="stable")
    for_each_worker = math.ceil(len(sketches) / workers)
    size = max(1, min(batch_size, for_each_worker, session.max_rows))
    chunks = [longest_first[start : start + size] for start in range(0, len(sketches), size)]

    def run_chunk(rows: np.ndarray) -> int:
        chosen = [sketches[row] for row in rows]
        length = session.metadata.sequence_length
        batch, n_cut = (chosen, 0) if of_points else to_batch(chosen, length)
        answers = session.run(batch, outputs=(*outputs, STEPS) if of_points else outputs)
        if of_points:
            n_cut = int((answers.pop(STEPS) > length).sum())
        for name, values in answers.items():
            found[name][rows] = values
        return n_cut

    if min(workers, len(chunks)) <= 1:
        return found, sum(map(run_chunk, chunks))
    from concurrent.futures import ThreadPoolExecutor  # late, because a call with one sketch does without it

    with ThreadPoolExecutor(min(workers, len(chunks)), "sketch-infer") as pool:
        return found, sum(pool.map(run_chunk, chunks))
