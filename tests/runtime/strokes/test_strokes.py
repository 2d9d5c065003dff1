import json

import numpy as np
import numpy.typing as npt
import pytest

from sketch_infer import InputError, as_strokes, drawing_to_sketch, to_batch


def test_drawing_to_sketch_by_hand() -> None:
    drawing = [[[10, 20, 30], [0, 50, 50]], [[30, 20], [100, 100]]]
    expected = [[0.5, 0.5, 0], [0.5, 0, 1], [0, 0.5, 0], [-0.5, 0, 1]]
    sketch = drawing_to_sketch(drawing)
    assert sketch.dtype == np.float32
    np.testing.assert_array_equal(sketch, np.array(expected, np.float32))


def test_deltas_add_up_to_the_unit_square() -> None:
    random = np.random.default_rng(0)
    x, y = random.uniform(-1e3, 1e3, (2, 50))
    positions = np.cumsum(drawing_to_sketch([[x.tolist(), y.tolist()]])[:, :2], axis=0)
    start = [(axis[0] - axis.min()) / np.ptp(axis) for axis in (x, y)]
    assert np.ptp(np.vstack([[0, 0], positions]), axis=0) == pytest.approx([1, 1], abs=1e-5)
    assert (positions + start).max(axis=0) == pytest.approx([1, 1], abs=1e-5)


def test_scale_and_place_do_not_matter() -> None:
    x, y = [0, 3, 7, 7], [5, 1, 0, 9]
    moved = [[4 * value + 100 for value in x], [4 * value - 9 for value in y]]
    np.testing.assert_allclose(drawing_to_sketch([[x, y]]), drawing_to_sketch([moved]), atol=1e-6)


def test_a_line_without_extent_in_one_axis_stays_flat() -> None:
    np.testing.assert_array_equal(
        drawing_to_sketch([[[0, 5, 10], [7, 7, 7]]]), np.array([[0.5, 0, 0], [0.5, 0, 1]], np.float32)
    )


def test_a_single_dot_drawn_twice_has_no_extent_at_all() -> None:
    np.testing.assert_array_equal(drawing_to_sketch([[[3], [3]], [[3], [3]]]), np.array([[0, 0, 1]], np.float32))


def test_times_and_empty_strokes_are_ignored() -> None:
    plain = drawing_to_sketch([[[0, 1], [0, 1]], [[2], [3]]])
    np.testing.assert_array_equal(drawing_to_sketch([[[0, 1], [0, 1], [10, 20]], [[], []], [[2], [3], [30]]]), plain)


def test_coordinates_near_the_float64_limit() -> None:
    sketch = drawing_to_sketch([[[-1.7e308, 0, 1.7e308], [0, 1, 2]]])
    np.testing.assert_allclose(sketch, [[0.5, 0.5, 0], [0.5, 0.5, 1]])


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        (None, "NoneType"),
        ("strokes", "a value of type str"),
        ({"x": [1]}, "dict"),
        ([], "at least 2 points, found 0"),
        ([[[1], [1]]], "at least 2 points, found 1"),
        ([[[1, 2]]], "found 1"),
        ([[1, 2]], "stroke 0"),
        ([[[1, 2], [1, 2]], 5], "stroke 1"),
        ([[[1, 2], [1, 2, 3]]], "2 x and 3 y"),
        ([[["a", "b"], [1, 2]]], "flat lists of numbers"),
        ([[[True, False], [1, 2]]], "flat lists of numbers"),
        ([[[None, 2], [1, 2]]], "flat lists of numbers"),
        ([[[[1], [2, 3]], [1, 2]]], "flat lists of numbers"),
        ([[[10**400, 1], [1, 2]]], "flat lists of numbers"),
        (json.loads("[[[NaN, 1], [1, 2]]]"), "finite"),
        (json.loads("[[[1e999, 1], [1, 2]]]"), "finite"),
    ],
)
def test_drawings_that_are_none(drawing: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        drawing_to_sketch(drawing)


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", "int8", "int64", "uint8"])
@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3), (0, 4, 3), (2, 0, 3)])
def test_as_strokes_converts(dtype: str, shape: tuple[int, ...]) -> None:
    values = np.ones(shape, dtype)
    strokes = as_strokes(values)
    assert strokes.dtype == np.float32
    np.testing.assert_array_equal(strokes, values)


def test_as_strokes_takes_lists_and_copies_nothing_it_need_not() -> None:
    assert as_strokes([[0, 1, 0], [1, 0, 1]]).shape == (2, 3)
    strokes = np.zeros((2, 4, 3), np.float32)
    assert as_strokes(strokes) is strokes


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(3), r"found shape \(3,\)"),
        (np.zeros((2, 2, 2, 3)), r"found shape \(2, 2, 2, 3\)"),
        (np.zeros((4, 2)), r"found shape \(4, 2\)"),
        (np.zeros((4, 3), object), "found object"),
        (np.zeros((4, 3), complex), "found complex128"),
        (np.zeros((4, 3), bool), "found bool"),
        (np.zeros((4, 3), "U1"), "found <U1"),
        ([[1, 2, 3], [1, 2]], "found list"),
    ],
)
def test_as_strokes_refuses(values: npt.ArrayLike, words: str) -> None:
    with pytest.raises(InputError, match=words):
        as_strokes(values)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_are_not_finite_in_float32_are_named(value: float) -> None:
    strokes = np.zeros((12, 4, 3))
    strokes[[1, 3], 2, 1] = value
    with pytest.raises(InputError, match="in rows 1, 3; remove"):
        as_strokes(strokes)
    with pytest.raises(InputError, match="in row 101;"):
        as_strokes(strokes[:2], first_row=100)
    with pytest.raises(InputError, match="in point 2;"):
        as_strokes(strokes[1])
    strokes[:] = value
    with pytest.raises(InputError, match="in rows 0, 1, 2, 3, 4, 5, 6, 7 and 4 more;"):
        as_strokes(strokes)


def test_to_batch_pads_cuts_and_counts_what_was_lost() -> None:
    ones = np.ones((5, 3), np.float32)
    padded = np.vstack([ones[:2], np.zeros((4, 3), np.float32)])
    batch, n_cut = to_batch([ones[:2], ones[:4], ones, padded, ones[:0]], 4)
    assert batch.shape == (5, 4, 3)
    assert batch.dtype == np.float32
    assert n_cut == 1  # the fourth loses zero rows only
    np.testing.assert_array_equal(batch[:, :, 0], [[1, 1, 0, 0], [1] * 4, [1] * 4, [1, 1, 0, 0], [0] * 4])


def test_to_batch_of_nothing() -> None:
    assert to_batch([], 4)[0].shape == (0, 4, 3)
