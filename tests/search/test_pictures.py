"""Pictures keep a drawing's shape on a grid, and its ink can be measured."""

import numpy as np
import pytest

from sketch_infer.strokes.preprocess import drawing_to_sketch
from sketch_search.pictures import distance_to_ink, resample, to_picture, to_strokes

LETTER = [[[10, 10, 90], [0, 160, 160]], [[50, 60], [20, 20]]]
"""An L, 80 wide and 160 high, and a short line beside it."""


def test_a_picture_has_the_drawing_s_points_and_proportions() -> None:
    picture = to_picture(drawing_to_sketch(LETTER), aspect=0.5)
    np.testing.assert_array_equal(picture, [[0, 0, 0], [0, 255, 0], [128, 255, 1], [64, 32, 0], [80, 32, 1]])


def test_padding_is_not_drawn_and_strokes_come_back() -> None:
    sketch = drawing_to_sketch(LETTER)
    picture = to_picture(np.concatenate([sketch, np.zeros((9, 3), np.float32)]), aspect=0.5)
    np.testing.assert_array_equal(picture, to_picture(sketch, aspect=0.5))
    again = to_picture(to_strokes(picture))
    np.testing.assert_array_equal(again, picture)


def test_points_are_placed_along_the_ink_only_and_drawings_do_not_touch() -> None:
    line = np.array([[0, 0, 0], [80, 0, 1], [80, 100, 0], [80, 120, 1]], np.uint8)
    dot = np.array([[7, 9, 1]], np.uint8)
    pictures, ends = np.concatenate([line, dot, line]), np.array([4, 5, 9], np.uint64)
    first, middle, last = resample(pictures, ends, 5)
    np.testing.assert_allclose(first, [[10, 0], [30, 0], [50, 0], [70, 0], [80, 110]], atol=1e-4)
    np.testing.assert_array_equal(middle, [[7, 9]] * 5)
    np.testing.assert_allclose(last, first, atol=1e-4)


@pytest.mark.parametrize(
    ("point", "distance"),
    [((40, 3), 3), ((0, 0), 0), ((83, 4), 5), ((80, 50), 50), ((80, 110), 0)],
)
def test_distance_is_that_to_the_nearest_line_and_none_where_the_pen_was_up(
    point: tuple[float, float], distance: float
) -> None:
    line = np.array([[0, 0, 0], [80, 0, 1], [80, 100, 0], [80, 120, 1]], np.uint8)
    assert distance_to_ink(np.array([point], np.float32), line) == pytest.approx(distance, abs=1e-4)
