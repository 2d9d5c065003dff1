"""Does a sketch's answer depend on the sketches beside it?"""

import numpy as np

from sketch_infer.inference.session import Session
from sketch_infer.model.contract import INT8_RANGE
from sketch_infer.strokes.preprocess import FloatArray

_HUGE = 1000.0
"""Size of an outlier where any size may come: pen strokes in pixels that nobody scaled."""


def row_coupling(session: Session, strokes: FloatArray) -> dict[str, float]:
    """Return how far logits move with what stands beside a sketch, in units of the sketch's own scale.

    Args:
        session: the model.
        strokes: N sketches, float32 (N, sequence_length, 3).

    Returns:
        largest |difference| / max(1, largest |logit| of the row) of a sketch alone, in another order, and beside an
        outlier, each against the batch of all; 0 for equal bit for bit.
    """

    def run(rows: FloatArray) -> FloatArray:
        return session.run(rows)["logits"]

    together = run(strokes)
    random = np.random.default_rng(0)
    order = random.permutation(len(strokes))
    permuted = np.empty_like(together)
    permuted[order] = run(strokes[order])
    size = INT8_RANGE if session.metadata.precision == "int8" else _HUGE
    outlier = random.uniform(-size, size, strokes[:1].shape).astype(np.float32)
    others = {
        "alone": np.concatenate([run(strokes[row : row + 1]) for row in range(len(strokes))]),
        "in another order": permuted,
        "beside an outlier": run(np.concatenate([strokes, outlier]))[:-1],
    }
    scale = np.maximum(1.0, np.abs(together).max(axis=1, keepdims=True))
    return {how: float((np.abs(logits - together) / scale).max(initial=0.0)) for how, logits in others.items()}
