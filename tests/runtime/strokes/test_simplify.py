"""The data set's simplification."""

import gzip
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from sketch_infer import Classifier, InputError, drawing_to_sketch
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.preprocess import drawings_to_sketches
from sketch_infer.strokes.simplify import simplify, simplify_drawing
from tests.support import ROOT

PAIRS = ROOT.parent / "shared" / "quickdraw" / "raw_simplified_pairs.ndjson.gz"


def test_a_straight_line_keeps_its_ends_scaled_to_255() -> None:
    assert simplify_drawing([[[10.0, 11.5, 14.0, 20.0], [5.0, 5.0, 5.0, 5.0]]]) == [[[0, 255], [0, 0]]]


def test_corners_stay_and_times_are_not_read() -> None:
    drawing = [[[0, 30, 60, 100, 100, 100], [0, 0, 0, 0, 20, 50], [0, 1, 2, 3, 4, 5]]]
    assert simplify_drawing(drawing) == [[[0, 255, 255], [0, 0, 127]]]


def test_what_stands_within_epsilon_goes() -> None:
    bent = [[[0, 100, 255], [0, 1, 0]]]
    assert simplify_drawing(bent) == [[[0, 255], [0, 0]]]
    assert simplify_drawing(bent, epsilon=0.5) == [[[0, 100, 255], [0, 1, 0]]]


def test_a_dot_is_its_point_twice_and_empty_strokes_go() -> None:
    assert simplify_drawing([[[0, 255], [0, 0]], [[], []], [[51], [0]]]) == [[[0, 255], [0, 0]], [[51, 51], [0, 0]]]


def test_a_closed_line_is_not_lost() -> None:
    angle = np.linspace(0, 2 * np.pi, 400)
    ((x, y),) = simplify_drawing([[np.cos(angle).tolist(), np.sin(angle).tolist()]])
    assert abs(x[0] - x[-1]) + abs(y[0] - y[-1]) <= 1  # equal but for rounding
    assert 10 < len(x) < 60
    assert (max(x), max(y)) == (255, 255)


def test_no_drawing_is_refused() -> None:
    with pytest.raises(InputError, match="expected a drawing of at least 2 points, found 0"):
        simplify_drawing([])
    with pytest.raises(InputError, match="extent is finite"):
        simplify_drawing([[[-1.7e308, 1.7e308], [0, 0]]])


@pytest.mark.skipif(not PAIRS.exists(), reason="needs the raw/simplified pairs of the shared Quick, Draw! data")
def test_agrees_with_googles_own() -> None:
    with gzip.open(PAIRS, "rt") as file:
        pairs = [json.loads(line) for line in islice(file, 300)]
    equal = [simplify_drawing(p["raw"]) == [stroke[:2] for stroke in p["simplified"]] for p in pairs]
    assert np.mean(equal) > 0.9  # the rest differs where a point stands at epsilon, to rounding


@pytest.mark.skipif(not PAIRS.exists(), reason="needs the raw/simplified pairs of the shared Quick, Draw! data")
def test_raw_points_get_the_label_of_googles_own(default_onnx: Path) -> None:
    with gzip.open(PAIRS, "rt") as file:
        pairs = [json.loads(line) for line in islice(file, 500)]
    classifier = Classifier(default_onnx, "cpu")
    ours = [classifier.predict_drawing(pair["raw"]).labels[0] for pair in pairs]
    theirs = classifier.predict([drawing_to_sketch(pair["simplified"]) for pair in pairs]).labels
    assert np.mean([one == other for one, other in zip(ours, theirs, strict=True)]) > 0.98


def test_the_unit_of_raw_points_does_not_matter(tiny_onnx: Path) -> None:
    classifier = Classifier(tiny_onnx, "cpu")
    angles = np.linspace(0, 5, 400)
    spiral = np.array([angles * np.cos(angles), angles * np.sin(angles), angles])
    in_pixels, in_metres = ([(spiral * unit + 7).tolist()] for unit in (400.0, 0.01))
    expected = classifier.predict_drawing(in_pixels)
    np.testing.assert_array_equal(classifier.predict_drawing(in_metres).logits, expected.logits)
    assert len(expected) == 1
    with pytest.raises(InputError, match="expected a drawing of at least 2 points"):
        classifier.predict_drawing([[[1], [2]]])


def drawn(seed: int, n: int) -> list[list[list[list[float]]]]:
    """Drawings of every kind: dots, closed and straight lines, sampled finely and coarsely."""
    random = np.random.default_rng(seed)
    drawings = []
    for _ in range(n):
        strokes = [
            np.cumsum(random.normal(0, random.choice([0.1, 1, 30]), (2, random.integers(1, 40))), axis=1).round(
                int(random.integers(0, 4))
            )
            for _ in range(random.integers(1, 5))
        ]
        strokes.append(np.array([[0.0, 9, 9, 0, 0], [0, 0, 9, 9, 0]]))
        strokes.append(np.array([[3.0, 3], [4, 4]]))
        drawings.append([stroke.tolist() for stroke in strokes])
    return drawings


def test_a_block_is_simplified_as_each_drawing_alone() -> None:
    drawings = drawn(seed=1, n=150)
    together = simplify(PenLines.of(drawings)).to_drawings()
    assert together == [simplify_drawing(drawing) for drawing in drawings]
    sketches = drawings_to_sketches(PenLines.of(drawings))
    for sketch, drawing in zip(sketches, drawings, strict=True):
        np.testing.assert_array_equal(sketch, drawing_to_sketch(drawing))


def test_every_left_out_point_stands_within_epsilon() -> None:
    for drawing in drawn(seed=2, n=60):
        points = np.concatenate([np.column_stack(stroke) for stroke in drawing])
        low, extent = points.min(axis=0), np.ptp(points, axis=0).max()
        for stroke, kept in zip(drawing, simplify_drawing(drawing), strict=True):
            scaled = (np.column_stack(stroke) - low) * (255 / extent)
            corners = np.column_stack(kept).astype(float)
            for point in scaled:
                # Steps of 1 cut a corner by half a step, rounding to whole units moves it by half a diagonal.
                assert distance_to_line(point, corners) <= 2 + 0.5 + np.sqrt(0.5)


def distance_to_line(point: np.ndarray, corners: np.ndarray) -> float:
    start, step = corners[:-1], np.diff(corners, axis=0)
    squared = (step**2).sum(axis=1)
    share = ((point - start) * step).sum(axis=1) / np.where(squared > 0, squared, 1)
    nearest = start + np.clip(share, 0, 1)[:, None] * step
    return float(np.hypot(*(point - nearest).T).min())


def test_of_equally_far_points_the_first_is_the_corner_in_any_unit() -> None:
    for seed in range(200):
        walk = np.random.default_rng(seed).integers(-6, 7, (2, 60)).cumsum(axis=1)
        corners = simplify_drawing([walk.tolist()])
        for unit in (0.1, 7.3, 1e-30):
            # 1, because where a half is rounded to is up to the last digit.
            np.testing.assert_allclose(simplify_drawing([(walk * unit).tolist()]), corners, atol=1, rtol=0)


def test_too_many_points_are_refused() -> None:
    line = [list(range(50_001)), [0, 1] * 25_000 + [0]]
    with pytest.raises(InputError, match="expected a drawing of at most 50000 points, found 50001; use fewer points"):
        simplify_drawing([line])


def test_of_many_drawings_the_one_that_cannot_be_used_is_named(tiny_onnx: Path) -> None:
    classifier = Classifier(tiny_onnx, "cpu")
    drawings = [[[[0, 9, 3 + number], [0, 5, 7]]] for number in range(600)]
    expected = np.concatenate([classifier.predict_drawing(drawing).logits for drawing in drawings[::100]])
    np.testing.assert_array_equal(classifier.predict_drawings(iter(drawings)).logits[::100], expected)
    for bad in (0, 3, 599):
        with pytest.raises(InputError, match=f"^drawing {bad}: expected a drawing of at least 2 points, found 1$"):
            classifier.predict_drawings([*drawings[:bad], [[[1], [2]]], *drawings[bad:]])
