"""Writes golden.json: `python -m tests.golden`, needed again when the preprocessing changes."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from sketch_infer import drawing_to_sketch, to_batch
from sketch_infer.strokes.simplify import simplify_drawing

FILE = Path(__file__).with_name("golden.json")
SAMPLES = Path(__file__).parents[2] / "runtime" / "samples" / "drawings.ndjson"
SEQUENCE_LENGTH = 196

Drawing = list[list[list[float]]]


def main() -> None:
    FILE.write_text(golden_text(), encoding="utf-8")


def golden_text() -> str:
    """Return the file's text, one case a line."""
    lines = ",\n".join(json.dumps(_case(name, drawing)) for name, drawing in drawings().items())
    return f'{{"sequence_length": {SEQUENCE_LENGTH}, "cases": [\n{lines}\n]}}\n'


def _case(name: str, drawing: Drawing) -> dict[str, Any]:
    simplified = simplify_drawing(drawing)
    batch, n_cut = to_batch([drawing_to_sketch(simplified)], SEQUENCE_LENGTH)
    # Eight decimals are a hundredth of the 1e-6 that is asked, and half of the file; rows of padding are left out.
    rows = [[round(float(value), 8) for value in row] for row in batch[0][: sum(len(x) for x, _ in simplified) - 1]]
    return {"name": name, "raw": drawing, "simplified": simplified, "cut": bool(n_cut), "rows": rows}


def drawings() -> dict[str, Drawing]:
    """Raw pen points by name: drawings made in code as a pen samples them, and what may go wrong."""
    random = np.random.default_rng(0)
    made: dict[str, Drawing] = {}
    for line in SAMPLES.read_text(encoding="utf-8").splitlines():
        sample = json.loads(line)
        made[sample["word"]] = [_as_sampled(stroke, random) for stroke in sample["drawing"]]
    angle = np.linspace(0, 2 * np.pi, 90)
    spiral = np.linspace(0, 14, 160)
    walk = random.normal(0, 9, (3, 2, 120)).cumsum(axis=2)
    made |= {
        "two points": [[[10.0, 20.0], [5.0, 9.0]]],
        "flat line": [[[10.0, 11.5, 14.0, 20.0], [5.0, 5.0, 5.0, 5.0]]],
        "two dots": [[[3.0], [4.0]], [[7.5], [1.25]]],
        "line and dot": [[[0.0, 255.0], [0.0, 0.0]], [[51.0], [0.0]]],
        "empty stroke between": [[[0.0, 40.0], [0.0, 30.0]], [[], []], [[10.0, 20.0], [30.0, 0.0]]],
        "pen held still": [[[7.0, 7.0, 7.0], [9.0, 9.0, 9.0]]],
        "held still, then moved": [[[7.0, 7.0, 7.0, 30.0, 30.0], [9.0, 9.0, 9.0, 20.0, 20.0]]],
        "back and forth": [[[0.0, 100.0, 0.0, 100.0], [0.0, 0.0, 0.0, 1.0]]],
        "halves round to even": [[[0.0, 0.5, 1.5, 2.5, 255.0], [0.0, 60.5, 0.0, 61.5, 0.0]]],
        "within epsilon": [[[0.0, 100.0, 255.0], [0.0, 1.0, 0.0]]],
        "closed circle": [_rounded(300 + 120 * np.cos(angle), 200 + 120 * np.sin(angle))],
        "spiral in metres": [_rounded(spiral * np.cos(spiral) / 500, spiral * np.sin(spiral) / 500, 7)],
        "negative and large": [_rounded(-4e6 + 900 * np.cos(3 * angle), 7e5 + 600 * np.sin(2 * angle))],
        "scribble that is cut": [_rounded(*walk[line]) for line in range(3)],
    }
    # Walks over whole pixels with equally far points, found by search: they come out otherwise where the last digit of
    # a distance decides between them.
    for seed in (304, 3328, 3906, 5529):
        steps = np.random.default_rng(seed).integers(-6, 7, (2, 60))
        made[f"last digit decides, {seed}"] = [_rounded(*steps.cumsum(axis=1).astype(float))]
    return made


def _as_sampled(stroke: list[list[int]], random: np.random.Generator) -> list[list[float]]:
    """Return a stroke of corners as a pen samples it: a point every 7 units, not quite on the line."""
    x, y = (np.array(axis, float) for axis in stroke)
    along = np.append(0.0, np.hypot(np.diff(x), np.diff(y)).cumsum())
    at = np.append(np.arange(0.0, along[-1], 7.0), along[-1])
    points = np.array([np.interp(at, along, axis) for axis in (x, y)])
    return _rounded(*points * 1.5 + 40 + random.normal(0, 0.4, points.shape))


def _rounded(x: Any, y: Any, decimals: int = 2) -> list[list[float]]:
    return [np.round(x, decimals).tolist(), np.round(y, decimals).tolist()]


if __name__ == "__main__":
    main()
