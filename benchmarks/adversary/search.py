"""Hill-climbing over strokes: change a little, keep what is worse."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray

Scores = npt.NDArray[np.floating]
Score = Callable[[FloatArray], Scores]


def climb(score: Score, start: FloatArray, rounds: int, seed: int) -> tuple[FloatArray, Scores]:
    """Search for strokes of a high score within -1 and 1, from several starts at a time.

    Args:
        score: of strokes, float32 (N, T, 3), to (N,).
        start: where to begin, float32 (N, T, 3); each row climbs by itself.
        rounds: changes tried on each row.
        seed: of the changes.

    Returns:
        the best strokes of each row and their scores.
    """
    random = np.random.default_rng(seed)
    best, scores = start.copy(), score(start)
    for _ in range(rounds):
        changed = np.stack([_change(strokes, random) for strokes in best])
        found = score(changed)
        better = found > scores
        best[better], scores[better] = changed[better], found[better]
    return best, scores


def _change(strokes: FloatArray, random: np.random.Generator) -> FloatArray:
    """Move, repeat, flip or scale some points: small steps near the top, large ones to leave a hill."""
    changed = strokes.copy()
    n_points = len(changed)
    first = random.integers(n_points)
    rows = slice(first, first + int(random.choice([1, 3, 10, n_points])))
    size = changed[rows].shape
    match random.integers(5):
        case 0:
            changed[rows] += random.normal(0, 10.0 ** random.uniform(-4, 0), size)
        case 1:
            changed[rows] = changed[first]
        case 2:
            changed[rows] *= random.uniform(-2, 2)
        case 3:
            changed[rows] = random.choice([-1.0, 0.0, 1.0], size)
        case _:
            changed[rows] = random.uniform(-1, 1, size)
    return changed.clip(-1, 1).astype(np.float32)
