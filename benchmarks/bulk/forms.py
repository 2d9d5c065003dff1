"""Drawings of real lengths, and the same drawings in every form that sketch-infer reads."""

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from sketch_infer import drawing_to_sketch
from sketch_infer.strokes.preprocess import to_batch

Drawing = list[Any]


def simplified(n: int, seed: int) -> list[Drawing]:
    """Drawings of 12 to 84 points, 48 on average, whole numbers from 0 to 255 in 1 to 6 strokes."""
    random = np.random.default_rng(seed)
    drawings = []
    for _ in range(n):
        points = random.integers(0, 256, (2, int(random.integers(12, 85))))
        points[:, 1:3] = [[0, 255], [0, 255]]  # no axis needs scaling
        cuts = np.sort(random.choice(np.arange(2, points.shape[1] - 1), int(random.integers(0, 6)), replace=False))
        drawings.append([part.tolist() for part in np.split(points, cuts, axis=1)])
    return drawings


def sampled(n: int, seed: int) -> list[Drawing]:
    """Curves as a pen samples them: 214 points on average in 4 strokes, with times, in pixels with fractions."""
    random = np.random.default_rng(seed)
    drawings = []
    for _ in range(n):
        strokes = []
        for _ in range(4):
            along = np.linspace(0, 1, int(random.integers(30, 77)))
            waves = random.normal(0, 90, (2, 4)) @ np.sin(np.outer(np.arange(1, 5), 3 * along + random.uniform(0, 6)))
            times = np.round(along * 900).astype(int)
            strokes.append([*np.round(300 + waves, 3).tolist(), times.tolist()])
        drawings.append(strokes)
    return drawings


def to_deltas(drawing: Drawing) -> np.ndarray:
    """Return a drawing as unscaled stroke-3, float64 (T, 3), as in Google's files: the first point is the origin."""
    points = np.concatenate([np.column_stack(stroke[:2]) for stroke in drawing]).astype(float)
    pen = np.zeros(len(points))
    pen[np.cumsum([len(stroke[0]) for stroke in drawing]) - 1] = 1
    return np.column_stack([np.diff(points, axis=0), pen[1:]])


def to_stroke_5(rows: np.ndarray, length: int) -> np.ndarray:
    """Return unscaled stroke-3 rows as stroke-5 (length, 5), padded with end rows."""
    padded = np.zeros((length, 5))
    padded[len(rows) :, 4] = 1
    padded[: len(rows), :2] = rows[:, :2]
    padded[: len(rows), 3] = rows[:, 2]
    padded[: len(rows), 2] = 1 - rows[:, 2]
    return padded


def to_binary(drawing: Drawing) -> bytes:
    """Return a simplified drawing in the data set's binary form."""
    strokes = b"".join(struct.pack("<H", len(x)) + bytes(x) + bytes(y) for x, y in drawing)
    return struct.pack("<Q2sbIH", 7, b"CH", 1, 1490000000, len(drawing)) + strokes


def write_lines(path: Path, drawings: list[Drawing]) -> Path:
    """Write a JSON object a line, gzipped where the name says so."""
    text = "".join(json.dumps({"word": "cat", "drawing": drawing}) + "\n" for drawing in drawings)
    path.write_bytes(gzip.compress(text.encode(), 6) if path.suffix == ".gz" else text.encode())
    return path


def write_all(folder: Path, drawings: list[Drawing], raw: list[Drawing]) -> dict[str, Path]:
    """Write drawings in every form and raw ones as lines; return the files by form."""
    sketches = [drawing_to_sketch(drawing) for drawing in drawings]
    deltas = [to_deltas(drawing) for drawing in drawings]
    longest = max(map(len, deltas))
    network = to_batch(sketches, longest)[0]
    np.save(folder / "network.npy", network)
    np.save(folder / "stroke-3.npy", to_batch(deltas, longest)[0].astype(np.int16))
    np.save(folder / "stroke-5.npy", np.stack([to_stroke_5(rows, longest) for rows in deltas]).astype(np.int16))
    np.savez_compressed(folder / "network.npz", train=network[:-5], test=network[-5:])
    (folder / "drawings.bin").write_bytes(b"".join(map(to_binary, drawings)))
    return {
        "network .npy": folder / "network.npy",
        "stroke-3 .npy": folder / "stroke-3.npy",
        "stroke-5 .npy": folder / "stroke-5.npy",
        "network .npz": folder / "network.npz",
        "simplified .ndjson": write_lines(folder / "simplified.ndjson", drawings),
        "simplified .ndjson.gz": write_lines(folder / "simplified.ndjson.gz", drawings),
        "simplified .bin": folder / "drawings.bin",
        "raw .ndjson": write_lines(folder / "raw.ndjson", raw),
    }
