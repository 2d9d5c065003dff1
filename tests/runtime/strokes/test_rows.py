"""What rows are taken for, by the command's readers and the library alike."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from sketch_infer import Classifier, ConversionWarning, InputError, TruncationWarning, drawing_to_sketch, read_sketches
from sketch_infer.array_types import Array
from sketch_infer.strokes.preprocess import to_batch
from sketch_infer.strokes.rows import RowFormat, as_sketches
from tests.support import SAMPLES, Listening

DRAWINGS = [json.loads(line)["drawing"] for line in (SAMPLES / "drawings.ndjson").read_text().splitlines()]
SKETCHES = [drawing_to_sketch(drawing) for drawing in DRAWINGS]


def points(drawing: list[list[list[int]]]) -> Array:
    """Absolute x, y and pen of each point."""
    rows = [(x, y, at == len(xs) - 1) for xs, ys in drawing for at, (x, y) in enumerate(zip(xs, ys, strict=True))]
    return np.array(rows, float)


def differences(drawing: list[list[list[int]]]) -> Array:
    """As in Google's sketch-rnn files: the first point, the origin, was dropped."""
    rows = points(drawing)
    return np.column_stack([np.diff(rows[:, :2], axis=0), rows[1:, 2]])


def moves(drawing: list[list[list[int]]], shift: float = 40) -> Array:
    """As sketch-rnn's `lines_to_strokes` makes them: the first row leads to the first point."""
    rows = points(drawing) + np.array([shift, shift, 0])
    return np.column_stack([np.diff(rows[:, :2], axis=0, prepend=np.zeros((1, 2))), rows[:, 2]])


def stroke_5(rows: Array, length: int = 0, start: bool = False) -> Array:
    """Pen down, pen up and end as three columns, padded with end rows as sketch-rnn does."""
    five = np.column_stack([rows[:, :2], 1 - rows[:, 2], rows[:, 2], np.zeros(len(rows))])
    token = [[0, 0, 1, 0, 0]] if start else np.zeros((0, 5))
    return np.concatenate([token, five, np.tile([0, 0, 0, 0, 1.0], (max(1, length - len(rows)), 1))])


def with_token(rows: Array) -> Array:
    return np.concatenate([[[0, 0, 0]], rows])


def padded(rows: list[Array], value: float = 0) -> Array:
    batch = np.full((len(rows), max(map(len, rows)) + 2, rows[0].shape[1]), float(value))
    for row, one in zip(batch, rows, strict=True):
        row[: len(one)] = one
    return batch


def later_pens(rows: Array) -> Array:
    """Set 1 on the first point of each stroke but the first."""
    pens = np.roll(rows[..., 2], 1, axis=1) * rows.any(axis=-1)
    return np.concatenate([rows[..., :2], pens[..., None]], axis=-1)


def read(tmp_path: Path, array: Array, input_format: RowFormat = "auto") -> tuple[list[Array], Listening]:
    """Read as a file, and see that the library takes the same rows for the same."""
    np.save(tmp_path / "rows.npy", array)
    heard = Listening()
    found: list[Array] = [sketch.strokes for sketch in read_sketches(str(tmp_path / "rows.npy"), input_format, heard)]
    if not heard.errors:
        sketches, form = as_sketches(array, input_format)
        assert form.note in "".join(heard.notes)
        for one, other in zip(sketches, found, strict=True):
            np.testing.assert_array_equal(one, other)
    else:
        with pytest.raises(InputError):
            as_sketches(array, input_format)
    return found, heard


def assert_samples(found: list[Array]) -> None:
    for sketch, expected in zip(found, SKETCHES, strict=True):
        np.testing.assert_allclose(sketch, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_unscaled_rows_are_scaled_and_said_so(tmp_path: Path, dtype: type) -> None:
    found, heard = read(tmp_path, padded([differences(drawing) for drawing in DRAWINGS]).astype(dtype))
    assert_samples(found)
    (note,) = heard.notes
    assert "wide or high, so the rows are read as unscaled stroke-3" in note
    assert "--input-format network" in note


@pytest.mark.parametrize("unit", [128, 1, 3])
def test_any_unit_above_the_networks_is_told(tmp_path: Path, unit: float) -> None:
    found, heard = read(tmp_path, padded([differences(drawing) / [unit, unit, 1] for drawing in DRAWINGS]))
    assert_samples(found)
    assert heard.notes


def test_the_first_row_is_drawn_from_the_origin(tmp_path: Path) -> None:
    three = [differences(drawing) for drawing in DRAWINGS]
    for rows in (three, list(map(with_token, three))):
        assert_samples(read(tmp_path, padded(rows), "stroke-3")[0])
        for number, one in enumerate(rows):
            np.testing.assert_allclose(read(tmp_path, one, "stroke-3")[0][0], SKETCHES[number], atol=1e-6)
    for start in (False, True):
        five = [stroke_5(rows, 80, start) for rows in three]
        assert_samples(read(tmp_path, np.stack(five))[0])
        np.testing.assert_allclose(read(tmp_path, five[3])[0][0], SKETCHES[3], atol=1e-6)


def test_rows_that_begin_with_a_move_to_the_first_point_say_so_themselves(tmp_path: Path) -> None:
    rows = [moves(drawing) for drawing in DRAWINGS]
    for array in (padded(rows), np.stack([stroke_5(one, 80) for one in rows])):
        found, heard = read(tmp_path, array)
        assert_samples(found)
        assert "the first row moves to the first point" in heard.notes[0]


def test_stroke_5_ends_at_its_end_row_or_before_zeros(tmp_path: Path) -> None:
    five = [stroke_5(differences(drawing)) for drawing in DRAWINGS]
    without_end = [rows[:-1] for rows in five]
    assert_samples(read(tmp_path, padded(without_end))[0])
    end_is_a_point = [np.concatenate([rows[:-2], [[*rows[-2, :2], 0, 0, 1]]]) for rows in five]
    assert_samples(read(tmp_path, padded(end_is_a_point))[0])


def test_a_signaling_nan_is_refused_without_a_warning(tmp_path: Path) -> None:
    three = differences(DRAWINGS[0])
    for rows in (three, stroke_5(three)):
        rows[3].view(np.uint64)[0] = 0x7FF0_0000_0000_0001
        found, heard = read(tmp_path, rows)
        assert not found
        assert "expected finite values" in heard.messages[0]


@pytest.mark.parametrize("scale", [1, 1 / 255, 2.5])
@pytest.mark.parametrize("center", [0, 127.5])
def test_absolute_points_are_refused(tmp_path: Path, scale: float, center: float) -> None:
    rows = [(points(drawing) - [center, center, 0]) * [scale, scale, 1] for drawing in DRAWINGS]
    found, heard = read(tmp_path, padded(rows))
    assert not found
    assert "expected differences between points, found what looks like the points themselves" in heard.messages[0]
    assert "--input-format stroke-3 takes them as differences" in heard.messages[0]
    assert len(read(tmp_path, padded(rows), "stroke-3")[0]) == len(DRAWINGS)


def test_one_drawing_of_absolute_points_is_refused(tmp_path: Path) -> None:
    for drawing in DRAWINGS:
        for array in (points(drawing), stroke_5(points(drawing)), points(drawing) / [255, 255, 1]):
            assert not read(tmp_path, array)[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[..., [2, 0, 1]], "column 0 looks like the pen: order them as dx, dy, pen"),
        (lambda rows: rows[..., [0, 2, 1]], "column 1 looks like the pen"),
        (lambda rows: np.where(rows.any(-1, keepdims=True), rows, -1), "found -1; pad sketches with zeros"),
        (lambda rows: rows * [1, 1, 255], "expected 0 or 1 as the pen, .* found 255"),
        (lambda rows: rows * [1, 1, 2] - [0, 0, 1], "found -1"),
        (lambda rows: np.where(rows.any(-1, keepdims=True), rows * [1, 1, -1] + [0, 0, 1], 0), "as if 1 meant drawing"),
        (lambda rows: later_pens(rows), "on a stroke's first point"),
    ],
    ids=["pen first", "pen second", "padded with -1", "255", "-1 and 1", "1 is down", "1 is first"],
)
def test_pens_that_mean_something_else_are_refused(tmp_path: Path, change: object, words: str) -> None:
    for rows in ([differences(drawing) for drawing in DRAWINGS], SKETCHES):
        found, heard = read(tmp_path, change(padded(rows)))  # type: ignore[operator]
        assert not found
        with pytest.raises(InputError, match=words):
            raise heard.errors[0][1]
        assert "--input-format" in heard.messages[0]


def test_a_pen_of_few_sketches_is_theirs_alone(tmp_path: Path) -> None:
    rows = padded(SKETCHES)
    rows[2, 1, 2] = 0.5
    rows[5, :3, 0] = 1
    found, heard = read(tmp_path, rows)
    assert len(found) == len(SKETCHES) - 2
    assert [position for position, _ in heard.errors] == [2, 5]
    assert "row 2: expected 0 or 1 as the pen" in heard.messages[0]
    assert "row 5: expected differences of a drawing that is scaled" in heard.messages[1]
    assert len(read(tmp_path, rows, "network")[0]) == len(SKETCHES)


def test_scaled_rows_are_taken_as_they_are(tmp_path: Path) -> None:
    found, heard = read(tmp_path, padded(SKETCHES).astype(np.float32))
    assert not heard.notes
    for sketch, expected in zip(found, SKETCHES, strict=True):
        np.testing.assert_array_equal(sketch, expected)
    halves = padded(SKETCHES).astype(np.float16)
    assert not read(tmp_path, halves)[1].notes
    for sketch in SKETCHES:
        assert not read(tmp_path, sketch[: len(sketch) // 2])[1].notes  # a drawing that is being drawn


def test_the_library_scales_and_warns(tiny_onnx: Path) -> None:
    classifier = Classifier(tiny_onnx, "cpu")
    expected = classifier.predict([sketch[:24] for sketch in SKETCHES]).logits
    rows = [differences(drawing) for drawing in DRAWINGS]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = classifier.predict(rows).logits
    converted, cut = caught
    assert (converted.category, cut.category) == (ConversionWarning, TruncationWarning)
    assert "read as unscaled stroke-3 and scaled" in str(converted.message)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    as_they_are = classifier.predict(to_batch([one.astype(np.float32) for one in rows], 24)[0], "network")
    assert np.abs(as_they_are.logits - expected).max() > 0.01


def test_masked_arrays_are_refused_where_something_is_masked() -> None:
    rows = np.ma.masked_equal(padded(SKETCHES), 99)
    assert len(as_sketches(rows)[0]) == len(SKETCHES)
    rows[1, 40:] = np.ma.masked
    for masked in (rows, list(rows), rows[1]):
        with pytest.raises(InputError, match="expected strokes without masked values"):
            as_sketches(masked)


def test_values_beyond_reason_are_refused(tmp_path: Path) -> None:
    rows = SKETCHES[0].copy()
    rows[4, 1] = -3e37
    for input_format in ("auto", "network"):
        assert not read(tmp_path, np.stack([rows, rows]), input_format)[0]


def test_a_placeholder_of_one_number_is_taken_as_it_is(tiny_onnx: Path) -> None:
    classifier = Classifier(tiny_onnx, "cpu")
    assert len(classifier.predict(np.full((5, 3), 0.1))) == 1
    with pytest.raises(InputError, match="expected 0 or 1 as the pen"):
        classifier.predict(np.full((5, 3), 0.1) * [1, 2, 1])


def test_real_drawings_are_read_as_what_they_are(drawings_folder: Path, tmp_path: Path) -> None:
    for path in sorted(drawings_folder.glob("*.ndjson*"))[::8]:
        heard = Listening()
        found = [sketch.strokes for sketch in read_sketches(str(path), listener=heard)]
        assert not heard.notes
        np.save(tmp_path / "network.npy", to_batch(found, 300)[0])
        again = [sketch.strokes for sketch in read_sketches(str(tmp_path / "network.npy"), listener=heard)]
        assert not heard.notes + heard.errors
        for one, other in zip(found, again, strict=True):
            np.testing.assert_array_equal(one, other)
            np.testing.assert_array_equal(as_sketches(one)[0][0], one)


def test_differences_that_wrapped_around_are_refused() -> None:
    for drawing in DRAWINGS:
        rows = points(drawing).astype(np.uint8)
        wrapped = np.column_stack([np.diff(rows[:, :2], axis=0), rows[1:, 2]])
        with pytest.raises(InputError, match="expected differences of a signed type, found uint8"):
            as_sketches(wrapped)
    as_sketches(np.column_stack([np.diff(rows[:, :2].astype(np.int32), axis=0), rows[1:, 2]]))
