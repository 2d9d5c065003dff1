"""Drawings made in code: the samples for a first try, and the probes that travel inside the model file."""

import itertools
import json
import math
from pathlib import Path

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.atomic import write_atomically
from sketch_infer.strokes.preprocess import INPUT_SIZE, drawing_to_sketch, to_batch

Line = list[list[int]]
"""A pen line [[x...], [y...]], x to the right and y down, 0 to 255 as in Quick, Draw!."""


def _line(*points: tuple[int, int]) -> Line:
    return [[x for x, _ in points], [y for _, y in points]]


def _arc(x: int, y: int, x_radius: int, y_radius: int, start: int = 0, stop: int = 360, points: int = 13) -> Line:
    """An elliptic arc around (x, y); degrees run clockwise on the screen from the right."""
    angles = [math.radians(start + (stop - start) * step / (points - 1)) for step in range(points)]
    return [
        [round(x + x_radius * math.cos(angle)) for angle in angles],
        [round(y + y_radius * math.sin(angle)) for angle in angles],
    ]


DRAWINGS: dict[str, list[Line]] = {
    "bicycle": [
        _arc(52, 180, 50, 50),
        _arc(203, 180, 50, 50),
        _line((52, 180), (100, 100), (185, 102), (120, 182), (52, 180)),
        _line((120, 182), (92, 84)),
        _line((78, 84), (108, 82)),
        _line((203, 180), (180, 78), (202, 68)),
    ],
    "butterfly": [
        _arc(127, 120, 9, 75, -90, 270, 11),
        _line((132, 85), (165, 30), (215, 8), (250, 30), (245, 80), (200, 112), (135, 118)),
        _line((135, 122), (190, 130), (220, 165), (205, 215), (170, 220), (145, 185), (134, 150)),
        _line((122, 85), (90, 30), (40, 8), (5, 30), (10, 80), (55, 112), (120, 118)),
        _line((120, 122), (65, 130), (35, 165), (50, 215), (85, 220), (110, 185), (121, 150)),
        _line((125, 46), (110, 15), (98, 5)),
        _line((130, 46), (145, 15), (158, 5)),
    ],
    "candle": [
        _line((40, 90), (42, 255), (118, 253), (116, 88)),
        _arc(78, 90, 38, 10),
        _line((78, 88), (77, 62)),
        _line((77, 64), (60, 45), (64, 24), (79, 0), (94, 26), (97, 46), (78, 64)),
    ],
    "cat": [
        _line((62, 78), (44, 2), (102, 46), (152, 46), (208, 0), (194, 78)),
        _line((62, 78), (38, 130), (62, 190), (127, 215), (194, 190), (218, 130), (194, 78)),
        _arc(95, 112, 10, 12, 0, 360, 8),
        _arc(160, 112, 10, 12, 0, 360, 8),
        _line((116, 145), (140, 145), (128, 158), (116, 145)),
        _line((128, 158), (126, 172), (104, 180)),
        _line((126, 172), (150, 180)),
        _line((88, 150), (8, 136)),
        _line((88, 160), (4, 168)),
        _line((168, 150), (248, 134)),
        _line((168, 160), (254, 166)),
    ],
    "eyeglasses": [
        _arc(62, 60, 50, 45),
        _arc(192, 60, 50, 45),
        _line((112, 54), (126, 44), (142, 54)),
        _line((12, 54), (0, 20)),
        _line((242, 54), (255, 18)),
    ],
    "face": [
        _arc(127, 127, 127, 127, -90, 270, 19),
        _arc(84, 90, 14, 18, 0, 360, 8),
        _arc(172, 90, 14, 18, 0, 360, 8),
        _line((128, 108), (116, 146), (136, 150)),
        _arc(127, 150, 70, 55, 160, 20, 9),
    ],
    "ice cream": [
        _line((40, 110), (100, 255), (160, 108)),
        _line((34, 112), (166, 108)),
        _line((40, 108), (26, 70), (45, 28), (98, 2), (150, 24), (172, 68), (160, 106)),
        _line((64, 168), (120, 110)),
        _line((80, 206), (144, 146)),
        _line((134, 172), (80, 112)),
    ],
    "television": [
        _line((2, 60), (4, 215), (252, 217), (254, 58), (2, 60)),
        _line((22, 78), (24, 196), (190, 198), (192, 76), (22, 78)),
        _line((128, 58), (76, 2)),
        _line((128, 58), (188, 0)),
        _arc(222, 100, 12, 12, 0, 360, 8),
        _arc(222, 145, 12, 12, 0, 360, 8),
    ],
}
"""By class name; drawn for this project."""


def sample_sketches() -> list[FloatArray]:
    """Return the drawings as sketches, each float32 (T, 3)."""
    return [drawing_to_sketch(drawing) for drawing in DRAWINGS.values()]


def varied_sketches(count: int, seed: int = 0) -> list[FloatArray]:
    """Return the drawings as other hands might have drawn them, each float32 (T, 3)."""
    return [drawing_to_sketch(drawing) for drawing in varied_drawings(count, seed)]


def varied_drawings(count: int, seed: int = 0) -> list[list[list[list[float]]]]:
    """Return the drawings as other hands might have drawn them, lists of strokes ``[[x...], [y...]]``.

    They are turned, stretched and slanted, their points are moved, and now and then a line is left out.
    """
    random = np.random.default_rng(seed)
    drawings = []
    for drawing in itertools.islice(itertools.cycle(DRAWINGS.values()), count):
        angle = random.normal(0, 0.15)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        slant = np.array([[1, random.normal(0, 0.1)], [0, 1]])
        shape = turn @ slant @ np.diag(random.uniform(0.7, 1.3, 2))
        kept = [line for line in drawing if random.random() > 0.1] or drawing
        lines = [shape @ np.array(line) + random.normal(0, 3, np.shape(line)) for line in kept]
        drawings.append([line.tolist() for line in lines])
    return drawings


def probe_sketches(sequence_length: int) -> tuple[tuple[str, ...], FloatArray]:
    """Return the names and strokes, float32 (P, sequence_length, 3), of the sketches recorded in a model file.

    To the drawings come the cases that go wrong first: no point at all, one point, every row used, and more
    points than fit.
    """
    random = np.random.default_rng(0)
    dense = random.normal(0, 0.1, (sequence_length + 40, INPUT_SIZE)).astype(np.float32)
    dense[:, 2] = random.random(len(dense)) < 0.1
    extremes = {"empty": dense[:0], "one point": dense[:1], "dense": dense[:sequence_length], "over-long": dense}
    batch, _ = to_batch([*sample_sketches(), *extremes.values()], sequence_length)
    return (*DRAWINGS, *extremes), batch


def write_samples(folder: Path) -> None:
    """Write the drawings as drawings.ndjson (Quick, Draw! form) and drawings.npy (float32 (8, T, 3))."""
    sketches = sample_sketches()
    batch, _ = to_batch(sketches, max(map(len, sketches)))
    with write_atomically(folder / "drawings.npy") as temporary:
        np.save(temporary, batch)
    lines = [json.dumps({"word": word, "drawing": drawing}) + "\n" for word, drawing in DRAWINGS.items()]
    with write_atomically(folder / "drawings.ndjson") as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write_samples(Path(__file__).parents[2] / "runtime" / "samples")
