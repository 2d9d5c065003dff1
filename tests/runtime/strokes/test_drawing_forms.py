"""Strokes as lists of points, as columns, as arrays and as objects are the same drawing, or are refused."""

import array
import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from sketch_infer import Classifier, InputError, drawing_to_sketch, read_sketches, simplify_drawing
from sketch_infer.strokes.drawing_forms import to_columns
from tests.support import Listening

Drawing = list[list[list[int]]]

COLUMNS: Drawing = [[[3, 80, 140, 90, 7], [5, 9, 77, 160, 120]], [[200, 210], [30, 44]], [[60, 61, 66], [1, 90, 120]]]
"""Strokes of 5, 2 and 3 points."""


def points(*times: int) -> list[list[list[int]]]:
    return [[[x, y, *times] for x, y in zip(*stroke, strict=True)] for stroke in COLUMNS]


RECORD = [("t", "f4"), ("x", "f4"), ("y", "f4")]


class Timed(NamedTuple):
    t: float
    x: float
    y: float


class Tensor:
    """What PyTorch's do here."""

    def __init__(self, values: list[int]) -> None:
        self.values = values

    def tolist(self) -> list[int]:
        return self.values


class Vector:
    """What graphics libraries have."""

    def __init__(self, values: list[int]) -> None:
        self.values = values

    def __iter__(self) -> Iterator[int]:
        return iter(self.values)


FORMS: dict[str, Callable[[], Any]] = {
    "pairs": points,
    "triples": lambda: points(7),
    "tuples": lambda: [tuple(tuple(point) for point in stroke) for stroke in points()],
    "arrays (n, 2)": lambda: [np.array(stroke) for stroke in points()],
    "float arrays (n, 3)": lambda: [np.array(stroke, np.float32) for stroke in points(7)],
    "objects": lambda: [[{"x": x, "y": y} for x, y in stroke] for stroke in points()],
    "timed objects": lambda: [[{"y": y, "x": x, "time": 4} for x, y in stroke] for stroke in points()],
    "columns as arrays": lambda: [np.array(stroke) for stroke in COLUMNS],
    "columns as tuples": lambda: tuple(tuple(map(tuple, stroke)) for stroke in COLUMNS),
    "columns by name": lambda: [{"x": x, "y": y} for x, y in COLUMNS],
    "all columns by name": lambda: {"x": [x for x, _ in COLUMNS], "y": [y for _, y in COLUMNS]},
    "with a stroke without points": lambda: [*points(), []],
    "named records": lambda: [np.array([(7, *point) for point in stroke], RECORD) for stroke in points()],
    "named tuples": lambda: [[Timed(7, *point) for point in stroke] for stroke in points()],
    "tensors": lambda: [[Tensor(point) for point in stroke] for stroke in points()],
    "machine arrays": lambda: [[array.array("f", point) for point in stroke] for stroke in points()],
    "bytes": lambda: [[bytes(point) for point in stroke] for stroke in points()],
    "queues": lambda: [[deque(point) for point in stroke] for stroke in points()],
    "columns as queues": lambda: [[deque(column) for column in stroke] for stroke in COLUMNS],
    "vectors": lambda: [[Vector(point) for point in stroke] for stroke in points()],
    "pens that only end a stroke": lambda: [
        [{"x": x, "y": y, "pen": at == len(stroke)} for at, (x, y) in enumerate(stroke, 1)] for stroke in points()
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_drawing(form: str, tiny_onnx: Path) -> None:
    drawing = FORMS[form]()
    np.testing.assert_array_equal(drawing_to_sketch(drawing), drawing_to_sketch(COLUMNS))
    assert simplify_drawing(drawing) == simplify_drawing(COLUMNS)
    found = Classifier(tiny_onnx, "cpu").predict_drawings([COLUMNS, drawing]).logits
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("form", ["pairs", "triples", "objects", "with a stroke without points"])
def test_files_hold_the_same_forms(form: str, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    drawing = FORMS[form]()
    (tmp_path / "d.ndjson").write_text(json.dumps({"drawing": drawing}) + "\n")
    parquet.write_table(pa.table({"drawing": [drawing]}), tmp_path / "nested.parquet")
    parquet.write_table(pa.table({"drawing": [json.dumps(drawing)]}), tmp_path / "text.parquet")
    for name in ("d.ndjson", "nested.parquet", "text.parquet"):
        (sketch,) = read_sketches(str(tmp_path / name), "simplified")
        np.testing.assert_array_equal(sketch.strokes, drawing_to_sketch(COLUMNS), err_msg=name)


def test_points_with_times_are_raw_as_columns_with_times_are(tmp_path: Path) -> None:
    lines = [points(7), [[*stroke, [7] * len(stroke[0])] for stroke in COLUMNS], COLUMNS]
    (tmp_path / "d.ndjson").write_text("".join(json.dumps({"drawing": line}) + "\n" for line in lines))
    timed, columns, plain = read_sketches(str(tmp_path / "d.ndjson"))
    np.testing.assert_array_equal(timed.strokes, columns.strokes)
    np.testing.assert_array_equal(timed.strokes, drawing_to_sketch(simplify_drawing(COLUMNS)))
    np.testing.assert_array_equal(plain.strokes, drawing_to_sketch(COLUMNS))


def test_a_square_is_four_points_and_times_are_times() -> None:
    square = [[10, 10], [90, 10], [90, 90], [10, 90]]
    assert to_columns([[square]]) == [[[[10, 90, 90, 10], [10, 10, 90, 90]]]]
    assert to_columns([[[[0, 0], [1, 0], [1, 1], [0, 1]]]]) == [[[[0, 1, 1, 0], [0, 0, 1, 1]]]]
    for times in (
        [0, 16, 33, 50, 66, 83],
        [0] * 6,
        [1, 1, 2, 2, 3, 3],
        [0.0, 0.5, 1.0, 1.0, 1.5, 2.0],
        [0, 10**12, 0, 3, 0, 2],  # no range of so many is made
        [None] * 6,
        [[0]] * 6,
    ):
        assert to_columns([[[SIX, SIX, times]]]) == [[[SIX, SIX, times]]]
        assert to_columns([[[list(point) for point in zip(SIX, SIX, times, strict=True)]]]) == [[[SIX, SIX, times]]]


def test_two_or_three_lists_are_columns() -> None:
    for stroke in ([[1, 2], [3, 4]], [[1, 2, 3], [4, 5, 6]], [[1, 2], [3, 4], [5, 6]]):
        assert to_columns([[stroke]]) == [[stroke]]


def test_many_columns_are_columns_and_points_of_many_values_points() -> None:
    pressed = [[*stroke, [0] * len(stroke[0]), [1] * len(stroke[0])] for stroke in COLUMNS]
    np.testing.assert_array_equal(drawing_to_sketch(pressed), drawing_to_sketch(COLUMNS))
    assert to_columns([points(7, 8)])[0][1] == [[200, 210], [30, 44], [7, 7], [8, 8]]


FLAGS = [0, 0, 1, 0, 0, 1]
SIX = list(range(6))
XYTP = [[0, 100], [50, 60], [0, 16], [0.5, 0.5]]
"""One stroke of two points: x, y, time and pressure."""


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        ([XYTP], "4 lists of 2 values, which could be either"),
        ([XYTP, XYTP, []], "could be either"),
        ([[*XYTP, [3, 4]]], "5 lists of 2 values, which could be either"),
        ([[SIX, SIX, FLAGS]], "stroke 0, found 0 and 1: where they say that the pen is lifted"),
        ([{"x": SIX, "y": SIX, "t": FLAGS}], "found 0 and 1"),
        ([{"x": SIX, "y": SIX, "pen": FLAGS}], "values that say where it is to be split"),
        ([[{"x": x, "y": x, "penDown": flag} for x, flag in zip(SIX, FLAGS, strict=True)]], "say where to split it"),
        ([[{"x": x, "y": x, "stroke": x // 2} for x in SIX]], "say where to split it"),
        ([[[x, x, x // 5] for x in range(15)]], "found 0 to 2 in steps of 1: where they number strokes, split"),
        ([[SIX * 2, SIX * 2, [1] * 4 + [2] * 4 + [3] * 4]], "found 1 to 3 in steps of 1"),
        ([[{"x": 1, "y": 2}, {"x": 3, "y": 4}], [SIX, SIX]], "some with names and some without"),
        ([[[1, 2, 3, 4]] * 4], "4 lists of 4 values, which could be either"),
        ([[[1, 2], [3, 4], [5, 6], [7, 8, 9]]], "expected the points of stroke 0 .* found 2 and 3 values"),
        ([[[1, 2], [3, 4]], [[1, 2], [3, 4], [5, 6], [7]]], "expected the points of stroke 1 .* found 1 and 2 values"),
        ([[[1, 2, 0], [3, 4, 0], [5, 6, 1], [7, 8, 0]]], "where they say that the pen is lifted, split the stroke"),
        ([[[1, 2], [3, None], [5, 6], [7, 8]]], "flat lists of numbers"),
        ([[[1, 2], [3, "4"], [5, 6], [7, 8]]], "flat lists of numbers"),
        ([[{"x": 1}, {"x": 2}, {"x": 3}, {"x": 4}]], "stroke 0"),
        ([[1, 2], [3, 4], [5, 6], [7, 8]], "stroke 0 as .*x.* or as points"),
        ([np.ma.masked_less(np.arange(8.0).reshape(4, 2), 2)], "without a mask"),
        ({"x": [[1, 2]], "y": [[1, 2], [3, 4]]}, "as many strokes in x as in y"),
    ],
)
def test_what_is_neither_is_refused(drawing: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        drawing_to_sketch(drawing)


def test_a_dense_drawing_of_whole_numbers_is_raw_without_a_hint(tmp_path: Path) -> None:
    along = np.linspace(0, 2 * np.pi, 120)
    circle = [np.round(127 + 100 * np.cos(along)).astype(int).tolist(), np.round(90 + 80 * np.sin(along)).tolist()]
    corners = [[0, 255, 255, 0, 0], [0, 3, 200, 190, 2]]
    (tmp_path / "d.ndjson").write_text("".join(json.dumps({"drawing": [it]}) + "\n" for it in (circle, corners) * 2))
    heard = Listening()
    sketches = list(read_sketches(str(tmp_path / "d.ndjson"), listener=heard))
    np.testing.assert_array_equal(sketches[0].strokes, drawing_to_sketch(simplify_drawing([circle])))
    np.testing.assert_array_equal(sketches[1].strokes, drawing_to_sketch([corners]))
    (note,) = heard.notes
    assert "d.ndjson:1: its points are closer together than in simplified drawings" in note
    as_it_is = next(read_sketches(str(tmp_path / "d.ndjson"), "simplified")).strokes
    assert len(as_it_is) == 119


@pytest.mark.parametrize(
    "stroke",
    [
        [{"x": 50, "y": None, "t": 4}, {"x": 60, "y": 9, "t": 5}],
        [{"x": None, "y": 9}, {"x": 60, "y": 9}],
        {"x": [1, 2, 3], "y": None, "t": [4, 5, 6]},
    ],
)
def test_a_time_does_not_take_the_place_of_a_missing_coordinate(stroke: object, tmp_path: Path) -> None:
    drawing = [[{"x": x, "y": y, "t": 1} for x, y in zip(*COLUMNS[0], strict=True)], stroke]
    with pytest.raises(InputError, match="expected numbers as x and y, found null"):
        simplify_drawing(drawing)
    (tmp_path / "d.ndjson").write_text(json.dumps({"drawing": drawing}) + "\n")
    heard = Listening()
    assert list(read_sketches(str(tmp_path / "d.ndjson"), listener=heard)) == []
    assert "found null" in heard.messages[0]


def test_an_empty_stroke_does_not_change_how_the_others_are_read() -> None:
    strokes = [[[0, 200, 100], [0, 0, 150]], [[0, 100, 5], [0, 3, 80]]]
    assert to_columns([[*strokes, []]]) == [strokes]
