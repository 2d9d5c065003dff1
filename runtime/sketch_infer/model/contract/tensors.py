"""The tensors that a model reads and writes: names, shapes and ranges, and drawings as its inputs."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_infer.strokes.pen_points import Sketches
from sketch_infer.strokes.preprocess import INPUT_SIZE

STROKES = "strokes"
"""Input of a file that reads strokes, and output of one that reads pen points, float32 (batch, sequence_length, 3)."""
POINTS, COUNTS = "points", "counts"
"""Inputs of a file that reads pen points: x, y and pen of all drawings one after the other, float32 (n_points, 3), pen
1 on the last point of a stroke, else 0; and the number of points of each drawing, int64 (batch,)."""
STEPS = "steps"
"""Output of a file that reads pen points, int64 (batch,), after the strokes that it made of them: how many steps from
corner to corner a drawing has. The network reads the first sequence_length."""
N_POINTS = "n_points"
"""Name of their dynamic axis."""
STATES = ("h_0", "c_0")
"""Optional inputs, the LSTM's initial state, each float32 (n_layers * 2, batch, hidden_size)."""
OUTPUTS = ("log_probs", "logits")
"""Outputs of every model, each float32 (batch, classes). A model with codes has those of `codes.CODES` as well."""
BATCH = "batch"
"""Name of the dynamic axis shared by inputs and outputs."""

INT8_RANGE = 1.0
"""An int8 model reads strokes from -1 to 1: differences of min-max scaled coordinates, and the pen, lie within."""

Feeds = dict[str, npt.NDArray[Any]]
"""What ONNX Runtime reads, by input name."""


def points_feeds(drawings: Sketches) -> Feeds:
    """Return the inputs of a batch of drawings, pen points float32 (n, 3) each."""
    points = np.concatenate([np.empty((0, INPUT_SIZE), np.float32), *drawings])
    return {POINTS: points, COUNTS: np.array([len(drawing) for drawing in drawings], np.int64)}
