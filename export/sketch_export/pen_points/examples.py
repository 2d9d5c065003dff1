"""Drawings as a pen samples them, made in code: probes of a file that reads pen points, and what it is proven on."""

from collections.abc import Sequence

import numpy as np

from sketch_export.sample_drawings import DRAWINGS, varied_drawings
from sketch_infer.array_types import FloatArray
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.pen_points import to_pen_points
from sketch_infer.strokes.preprocess import INPUT_SIZE

_SPACING = 5.0
"""Of the points of a sampled line, in units of a drawing of 255."""


def probe_points(sequence_length: int) -> tuple[tuple[str, ...], tuple[FloatArray, ...]]:
    """Return the names and pen points, float32 (n, 3) each, of the drawings recorded in a model file.

    To the drawings come the cases that go wrong first: as few points as there may be, all of them one, more corners
    than the network reads, and a unit in which the drawing is tiny and far away.
    """
    random = np.random.default_rng(0)
    drawn = [as_sampled(drawing, random) for drawing in DRAWINGS.values()]
    corners = np.cumsum(random.normal(0, 40, (sequence_length + 40, 2)), axis=0)
    far = drawn[0] * [1e-4, 1e-4, 1] + [3, -7, 0]
    extremes = {
        "two points": np.array([[0, 0, 0], [3, 4, 1]]),
        "held still": np.array([[7, 9, 0]] * 3),
        "two dots": np.array([[3, 4, 1], [5, 1, 1]]),
        "over-long": np.column_stack([corners, np.zeros(len(corners))]),
        "small and far": far,
    }
    return (*DRAWINGS, *extremes), (*drawn, *(points.astype(np.float32) for points in extremes.values()))


def proof_points(batch: int, seed: int = 0) -> tuple[FloatArray, ...]:
    """Make scribbles for a proof, float32 (n, 3) each: n from 2 to 400, in any unit, of one stroke or many."""
    random = np.random.default_rng([seed, batch])
    return tuple(_scribble(random) for _ in range(batch))


def varied_points(count: int) -> tuple[FloatArray, ...]:
    """Return drawings as other hands might have drawn them, float32 (n, 3) each."""
    random = np.random.default_rng(0)
    return tuple(as_sampled(drawing, random) for drawing in varied_drawings(count))


def as_sampled(drawing: Sequence[Sequence[Sequence[float]]], random: np.random.Generator) -> FloatArray:
    """Return a drawing as a pen samples it, float32 (n, 3): a point every few units, not quite on the line."""
    strokes = []
    for stroke in drawing:
        x, y = np.array(stroke, float)
        along = np.append(0.0, np.hypot(np.diff(x), np.diff(y)).cumsum())
        at = np.append(np.arange(0.0, along[-1], _SPACING), along[-1])
        sampled = np.array([np.interp(at, along, axis) for axis in (x, y)])
        strokes.append((sampled + random.normal(0, 0.3, sampled.shape)).tolist())
    (points,) = to_pen_points(PenLines.of([strokes]))
    return points


def _scribble(random: np.random.Generator) -> FloatArray:
    """Walk on, sharply or smoothly, sometimes over whole numbers, where lengths and distances are often equal."""
    n_points = int(random.integers(2, 400))
    points = np.zeros((n_points, INPUT_SIZE))
    steps = random.normal(0, random.choice([0.3, 3, 30]), (n_points, 2))
    points[:, :2] = np.cumsum(steps.round() if random.random() < 0.3 else steps, axis=0) * 10.0 ** random.integers(
        -3, 4
    )
    points[:, 2] = random.random(n_points) < random.choice([0.0, 0.02, 0.2])
    return points.astype(np.float32)
