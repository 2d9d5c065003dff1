"""A sketch as a small inline SVG picture."""

import numpy as np

from sketch_infer.array_types import FloatArray


def sketch_svg(strokes: FloatArray, size: int = 96, aspect: float = 1.0) -> str:
    """Draw a sketch.

    Args:
        strokes: float32 (T, 3) of (dx, dy, pen); the pen starts at the first point, which the rows leave out.
        size: units of width and height that the picture is measured in.
        aspect: width / height that the sketch had before its axes were scaled to one length; finite, above 0.

    Returns:
        an `<svg>` element; base.css gives its lines the color of the text around it.
    """
    drawn = np.flatnonzero(strokes.any(axis=1))
    strokes = strokes[: drawn[-1] + 1 if len(drawn) else 0]  # rows that pad to a length draw nothing
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(strokes[:, :2], axis=0, dtype=np.float64)])
    points[:, 0] *= aspect
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 6
    free = size - 2 * margin
    scale = free / max(*(high - low), 1e-9)
    points = margin + (points - low) * scale + (free - (high - low) * scale) / 2  # the shorter axis in the middle
    starts = np.concatenate([[False], strokes[:, 2] > 0.5]) if len(strokes) else np.array([False])
    parts, move = [], True
    for (x, y), lifts in zip(points, starts, strict=True):
        # A stroke of one point is a dot, which takes a line to show.
        parts.append(f"{'M' if move else 'L'}{x:.1f} {y:.1f}{'h0' if move and lifts else ''}")
        move = bool(lifts)
    path = f'<path d="{"".join(parts)}"/>' if len(strokes) else ""
    return f'<svg class="sketch" viewBox="0 0 {size} {size}" aria-hidden="true">{path}</svg>'
