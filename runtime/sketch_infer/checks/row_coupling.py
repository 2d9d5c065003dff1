"""Does a sketch's answer depend on the sketches beside it?"""

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import INT8_RANGE, POINTS
from sketch_infer.strokes.pen_points import Sketches

_HUGE = 1000.0
"""Size of an outlier where any size may come: pen strokes in pixels that nobody scaled."""


def row_coupling(session: Session, sketches: Sketches) -> dict[str, float]:
    """Return how far logits move with what stands beside a sketch, in units of the sketch's own scale.

    Args:
        session: the model.
        sketches: as the model reads them.

    Returns:
        largest |difference| / max(1, largest |logit| of the row) of a sketch alone, in another order, and beside an
        outlier, each against the batch of all; 0 for equal bit for bit.
    """
    rows = list(sketches)

    def run(batch: Sketches) -> FloatArray:
        return session.run(batch)["logits"]

    together = run(rows)
    random = np.random.default_rng(0)
    order = random.permutation(len(rows))
    permuted = np.empty_like(together)
    permuted[order] = run([rows[row] for row in order])
    size = INT8_RANGE if session.metadata.precision == "int8" else _HUGE
    outlier = random.uniform(-size, size, rows[0].shape).astype(np.float32)
    if session.metadata.input_form == POINTS:
        outlier[:, 2] = outlier[:, 2] > 0
    others = {
        "alone": np.concatenate([run([row]) for row in rows]),
        "in another order": permuted,
        "beside an outlier": run([*rows, outlier])[:-1],
    }
    scale = np.maximum(1.0, np.abs(together).max(axis=1, keepdims=True))
    return {how: float((np.abs(logits - together) / scale).max(initial=0.0)) for how, logits in others.items()}
