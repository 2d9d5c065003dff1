"""Two classes that a tiny network can tell apart, drawn in code, and `sketch-train` on them."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result

from sketch_models.training.cli import main

TINY = ("--hidden-size", "8", "--sequence-length", "40", "--batch-size", "16", "--learning-rate", "0.02")


def circle(rng: np.random.Generator) -> list[list[list[int]]]:
    angle = np.linspace(0, 2 * np.pi, 14) + rng.uniform(0, 6)
    return [
        np.rint(127 + 120 * np.stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 3, (2, 14))).astype(int).tolist()
    ]


def cross(rng: np.random.Generator) -> list[list[list[int]]]:
    ends = np.array([[[0, 255], [0, 255]], [[0, 255], [255, 0]]])
    return np.rint(np.clip(ends + rng.normal(0, 10, ends.shape), 0, 255)).astype(int).tolist()  # type: ignore[no-any-return]


def write(folder: Path, word: str, drawings: list[Any], first_id: int = 0, **extra: Any) -> None:
    folder.mkdir(exist_ok=True)
    lines = [
        json.dumps({"word": word, "key_id": str(first_id + number), "drawing": drawing, **extra})
        for number, drawing in enumerate(drawings)
    ]
    with gzip.open(folder / f"{word}.ndjson.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")


def two_classes(folder: Path, first_id: int = 0) -> Path:
    """Write a folder of circles and crosses, the same ones each time for the same first key_id."""
    rng = np.random.default_rng(first_id)
    write(folder, "circle", [circle(rng) for _ in range(60)], first_id)
    write(folder, "cross", [cross(rng) for _ in range(60)], first_id + 1000)
    return folder


def train(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), *TINY])
