"""Batches of drawings, varied in ways that keep their meaning, as the network's input.

Varying comes before the preprocessing, whose min-max scaling undoes any shift and any scaling along an axis:
so drawings are turned, sheared, warped and jittered, and their points and strokes dropped, reversed and reordered.
"""

from dataclasses import dataclass

import numpy as np

from sketch_infer.array_types import Array


@dataclass(frozen=True)
class Augmentation:
    """How strongly drawings are varied; zero everywhere varies nothing.

    Attributes:
        rotation: standard deviation of the angle, degrees.
        shear: standard deviation of the shear.
        warp: largest amplitude of a slow sine wave along each axis, in parts of the drawing's size.
        jitter: standard deviation of each point, in parts of the drawing's size.
        mirror: probability of exchanging left and right.
        drop_points: largest part of the points left out of a drawing.
        drop_strokes: probability that a stroke is left out.
        reverse_strokes: probability that a stroke runs from its end to its start.
        reorder: probability that a drawing's neighboring strokes change places.
        unfinished: probability that a drawing ends after a random share of its points, a quarter at least: what a
            network sees that guesses while somebody draws.
    """

    rotation: float = 0.0
    shear: float = 0.0
    warp: float = 0.0
    jitter: float = 0.0
    mirror: float = 0.0
    drop_points: float = 0.0
    drop_strokes: float = 0.0
    reverse_strokes: float = 0.0
    reorder: float = 0.0
    unfinished: float = 0.0


def stroke_batch(xy: Array, pen: Array, lengths: Array) -> Array:
    """Bring padded drawings to stroke-3, as `sketch_infer.strokes.preprocess.drawing_to_sketch` does for one.

    Args:
        xy: float32 (N, P, 2), anything after a drawing's last point.
        pen: bool (N, P), whether the point is the last of its stroke.
        lengths: int (N,), points per drawing.

    Returns:
        float32 (N, P - 1, 3), zero after the last point.
    """
    valid = np.arange(xy.shape[1]) < lengths[:, None]
    low = np.where(valid[..., None], xy, np.inf).min(axis=1, keepdims=True)
    extent = np.where(valid[..., None], xy, -np.inf).max(axis=1, keepdims=True) - low
    extent[extent == 0] = 1
    steps = np.diff((xy - low) / extent, axis=1)
    rows = np.concatenate([steps, pen[:, 1:, None]], axis=2)
    rows[~valid[:, 1:]] = 0
    return rows.astype(np.float32, copy=False)


def vary(
    xy: Array, pen: Array, lengths: Array, how: Augmentation, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Return varied copies of padded drawings; arguments and results as in `stroke_batch`."""
    cut = rng.random(len(lengths)) < how.unfinished
    lengths = np.where(cut, np.maximum(np.ceil(lengths * rng.uniform(0.25, 1, len(lengths))), 2), lengths).astype(int)
    xy, pen, lengths = _vary_strokes(xy, pen, lengths, how, rng)
    return _vary_points(xy, lengths, how, rng), pen, lengths


def _vary_strokes(
    xy: Array, pen: Array, lengths: Array, how: Augmentation, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    n, p = pen.shape
    position = np.arange(p)
    valid = position < lengths[:, None]
    stroke = np.cumsum(pen, axis=1) - pen  # number of the stroke that a point belongs to
    stroke[~valid] = p - 1
    rows = np.arange(n)[:, None]
    keep = rng.random((n, p)) >= how.drop_points * rng.random((n, 1))
    kept = keep & (rng.random((n, p)) >= how.drop_strokes)[rows, stroke]
    kept &= valid
    # A drawing that would lose half of its points keeps them all.
    kept = np.where(kept.sum(axis=1, keepdims=True) * 2 > lengths[:, None], kept, valid)
    rank = np.arange(p) + rng.uniform(-1.5, 1.5, (n, p)) * (rng.random((n, 1)) < how.reorder)
    backward = (rng.random((n, p)) < how.reverse_strokes)[rows, stroke]
    # Sort key: strokes by rank, points by position inside a stroke, dropped points last.
    inside = np.where(backward, p - position, position) / (2 * p)
    by_rank = np.argsort(np.argsort(rank, axis=1), axis=1)[rows, stroke]
    order = np.argsort(np.where(kept, by_rank + inside, 2 * p), axis=1)
    new_lengths = kept.sum(axis=1)
    stroke, xy = stroke[rows, order], xy[rows, order]
    last = np.ones((n, p), bool)
    last[:, :-1] = stroke[:, :-1] != stroke[:, 1:]
    last[np.arange(n), new_lengths - 1] = True
    return xy, last, new_lengths


def _vary_points(xy: Array, lengths: Array, how: Augmentation, rng: np.random.Generator) -> Array:
    n, p, _ = xy.shape
    valid = (np.arange(p) < lengths[:, None])[..., None]
    low = np.where(valid, xy, np.inf).min(axis=1, keepdims=True)
    size = (np.where(valid, xy, -np.inf).max(axis=1, keepdims=True) - low).max(axis=2, keepdims=True)
    xy = (xy - low) / np.maximum(size, 1e-6) - 0.5
    side = np.where(rng.random(n) < how.mirror, -1.0, 1.0)
    angle = np.radians(how.rotation) * rng.standard_normal(n)
    shear = how.shear * rng.standard_normal(n)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.stack([np.stack([side * cos, sin], 1), np.stack([shear * cos - side * sin, cos + shear * sin], 1)], 1)
    xy = xy @ matrix.astype(np.float32)
    # x moves by a slow wave of x and of y, and y likewise: curves what min-max scaling cannot straighten.
    frequency, phase = rng.uniform(0.5, 1.5, (2, n, 1, 2)), rng.uniform(0, 2 * np.pi, (2, n, 1, 2))
    amplitude = how.warp * rng.uniform(-1, 1, (2, n, 1, 2))
    for k, source in enumerate((xy, xy[..., ::-1])):
        wave = np.sin(source * (2 * np.pi * frequency[k]).astype(np.float32) + phase[k].astype(np.float32))
        xy = xy + amplitude[k].astype(np.float32) * wave
    if how.jitter:
        xy = xy + how.jitter * rng.standard_normal(xy.shape, dtype=np.float32)
    return xy.astype(np.float32, copy=False)
