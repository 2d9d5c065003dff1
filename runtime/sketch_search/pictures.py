"""Drawings as small pictures that an index can hold: about 50 points of three bytes.

They show what was found after the files have moved, and decide what is the same drawing.
"""

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray

Picture = npt.NDArray[np.uint8]
"""uint8 (P, 3) of x, y and pen: the larger side from 0 to 255, y down, pen 1 on the last point of a stroke."""

SIDE = 255


def to_picture(strokes: FloatArray, aspect: float = 1.0) -> Picture:
    """Draw a sketch on a grid.

    Args:
        strokes: float32 (T, 3) of (dx, dy, pen); rows of zeros at the end draw nothing.
        aspect: width / height of the drawing before its axes were scaled to one length.
    """
    drawn = np.flatnonzero(strokes.any(axis=1))
    strokes = strokes[: drawn[-1] + 1 if len(drawn) else 0]
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(strokes[:, :2], axis=0, dtype=np.float64)])
    points[:, 0] *= aspect
    low = points.min(axis=0)
    scaled = (points - low) * (SIDE / max(*(points.max(axis=0) - low), 1e-9))
    # The first row's pen is not known: as in the network's input, the first point begins the first stroke.
    pen = np.concatenate([[0], strokes[:, 2] > 0.5])
    pen[-1] = 1
    return np.column_stack([np.rint(scaled), pen]).astype(np.uint8)


def to_strokes(picture: Picture) -> FloatArray:
    """Return a picture as strokes, float32 (P - 1, 3), to be shown with an aspect of 1."""
    rows = np.diff(picture[:, :2].astype(np.float32), axis=0)
    strokes: FloatArray = np.column_stack([rows, picture[1:, 2]]).astype(np.float32)
    return strokes


def resample(pictures: Picture, ends: npt.NDArray[np.uint64], n: int) -> FloatArray:
    """Place points along the ink of drawings, as far from each other as they are from the ends.

    Args:
        pictures: uint8 (P, 3), the pictures of N drawings one after another, of at least one point each.
        ends: where each one ends, (N,).
        n: points a drawing.

    Returns:
        x and y, float32 (N, n, 2).
    """
    points = pictures[:, :2].astype(np.float64)
    steps = np.zeros_like(points)
    steps[1:] = np.diff(points, axis=0)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    lengths = np.hypot(*steps.T)
    lengths[starts] = 0.0
    lengths[1:][pictures[:-1, 2] == 1] = 0.0  # the pen is up
    along = np.cumsum(lengths)
    first = along[starts]
    total = along[ends.astype(np.int64) - 1] - first
    wanted = first[:, None] + total[:, None] * ((np.arange(n) + 0.5) / n)
    found = np.searchsorted(along, wanted)
    # Rounding, or a drawing without ink, must not lead into the next one.
    found = np.clip(found, starts[:, None], ends[:, None].astype(np.int64) - 1)
    back = (along[found] - wanted) / np.maximum(lengths[found], 1e-9)
    back = np.where(lengths[found] > 0, np.clip(back, 0, 1), 0.0)
    placed: FloatArray = (points[found] - back[..., None] * steps[found]).astype(np.float32)
    return placed


def distance_to_ink(points: FloatArray, picture: Picture) -> FloatArray:
    """Return how far points are from the lines of a drawing, in units of its grid.

    Args:
        points: x and y, float32 (n, 2).
        picture: uint8 (P, 3).

    Returns:
        float32 (n,).
    """
    ends = picture[:, :2].astype(np.float32)
    begins = np.concatenate([ends[:1], ends[:-1]])
    lifted = np.concatenate([[True], picture[:-1, 2] == 1])
    begins[lifted] = ends[lifted]  # a stroke's first point is a line without length
    lines = ends - begins
    share = ((points[:, None] - begins) * lines).sum(2) / np.maximum((lines**2).sum(1), 1e-9)
    nearest = begins + np.clip(share, 0, 1)[..., None] * lines
    found: FloatArray = np.sqrt(((points[:, None] - nearest) ** 2).sum(2)).min(1)
    return found
