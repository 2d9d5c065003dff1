"""Whether a sketch's answer depends on the batch it is in: run by itself, on the device, without torch or onnx.

`python rows.py MODEL` prints one JSON object.
"""

import json
import sys

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import POINTS

SKETCHES = 16

BATCHES = (2, 5, 16)
"""Sizes at which every sketch runs again, each time in another order."""


def random_sketches(session: Session, seed: int = 0) -> list[FloatArray]:
    """Return sketches of all lengths with steps of all sizes, as the model reads them; one is as long as can be."""
    random = np.random.default_rng(seed)
    length = session.metadata.sequence_length
    sketches = []
    for number in range(SKETCHES):
        points = np.zeros((length, 3), np.float32)
        n_points = length if not number else int(random.integers(2, length))
        points[:n_points, :2] = random.uniform(-1, 1, (n_points, 2)) * 10.0 ** random.uniform(-3, 0)
        points[:n_points, 2] = random.random(n_points) < 0.1
        sketches.append(points[:n_points] if session.metadata.input_form == POINTS else points)
    return sketches


def rows_that_differ(session: Session) -> dict[int, int]:
    """Return by batch size how many sketches get other outputs there than alone, to the last bit."""
    sketches = random_sketches(session)
    alone = [session.run([sketch]) for sketch in sketches]
    random = np.random.default_rng(1)
    found = dict.fromkeys(BATCHES, 0)
    for batch in BATCHES:
        order = random.permutation(SKETCHES)
        for rows in np.split(order, range(batch, SKETCHES, batch)):
            together = session.run([sketches[row] for row in rows])
            for at, row in enumerate(rows):
                same = all(np.array_equal(together[name][at], alone[row][name][0]) for name in together)
                found[batch] += not same
    return found


if __name__ == "__main__":
    json.dump({"sketches": SKETCHES, "differ": rows_that_differ(Session(sys.argv[1], "cpu"))}, sys.stdout)
