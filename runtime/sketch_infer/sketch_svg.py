"""A sketch as a small inline SVG picture."""

import numpy as np

from .strokes import FloatArray


def sketch_svg(strokes: FloatArray, size: int = 96) -> str:
    """Draw a sketch.

    Args:
        strokes: float32 (T, 3) of (dx, dy, pen); the pen starts at the first point, which the rows leave out.
        size: width and height in pixels.

    Returns:
        an `<svg>` element whose lines have the colour of the text around it.
    """
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(strokes[:, :2], axis=0, dtype=np.float64)])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 6
    points = margin + (points - low) * (size - 2 * margin) / max(*(high - low), 1e-9)
    starts = np.concatenate([[False], strokes[:, 2] > 0.5]) if len(strokes) else np.array([False])
    parts, move = [], True
    for (x, y), lifts in zip(points, starts, strict=True):
        parts.append(f"{'M' if move else 'L'}{x:.1f} {y:.1f}")
        move = bool(lifts)
    path = f'<path d="{"".join(parts)}"/>' if len(strokes) else ""
    return (
        f'<svg class="sketch" viewBox="0 0 {size} {size}" width="{size}" height="{size}" fill="none" '
        f'stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">{path}</svg>'
    )
