"""The forms that a stroke comes in, brought to one: columns ``[[x...], [y...]]``, as Quick, Draw! has them.

What a canvas gives is a list of points instead, ``[[x, y], [x, y], ...]``. Both are lists of lists of numbers, so that
the wrong reading raises no error: it takes two points for all x and all y.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sketch_infer.errors import InputError

_COLUMNS = (2, 3)
"""Lists in a stroke in columns: x, y and, in raw drawings, times."""

_POINT = (2, 3)
"""Values of a point that nobody takes for a column of many: x, y and, in some, a time."""

_TIMES = ("t", "time")

_MARKS = ("pen", "penDown", "pen_down", "penUp", "pen_up", "stroke", "strokeId", "stroke_id")
"""Names of values that say where one stroke ends and the next begins."""

_POINTS_PER_MARK = 4
"""Points that a stroke has at least, on average: times rarely repeat as often."""


def to_columns(drawings: Sequence[Any]) -> list[Any]:
    """Bring drawings to lists of strokes ``[[x...], [y...]]`` or ``[[x...], [y...], [t...]]``.

    A drawing is taken as columns where all its strokes are of 2 or 3 lists. With more lists or with one, of 2 or 3
    values each, or with objects ``{"x": ..., "y": ...}``, a stroke is a list of points. Arrays, tensors and other
    sequences are read as lists, and records, rows of tables and named tuples with fields x and y as objects.

    Returns:
        the drawings; what is in none of these forms is left as it is.

    Raises:
        InputError: if a drawing can be read either way, its points differ in form, or a value beside x and y says that
            a stroke is several.
    """
    return [_checked(drawing) if _is_plain(drawing) else _drawing_to_columns(drawing) for drawing in drawings]


def _checked(drawing: Any) -> Any:
    """Return a drawing in columns whose third ones, if it has any, are times."""
    for number, stroke in enumerate(drawing):
        if len(stroke) > min(_COLUMNS):
            _refuse_marks(number, stroke[2])
    return drawing


def _is_plain(drawing: object) -> bool:
    """Tell a drawing in columns, quickly, because nearly all are."""
    return isinstance(drawing, list | tuple) and all(
        isinstance(stroke, list | tuple)
        and len(stroke) in _COLUMNS
        and all(isinstance(column, list | bytes) for column in stroke)
        and not isinstance(next(iter(stroke[0]), None), dict)
        for stroke in drawing
    )


def _drawing_to_columns(drawing: Any) -> Any:
    drawing = _by_stroke(_listed(drawing))
    if not isinstance(drawing, list | tuple):
        return drawing
    strokes = [_by_stroke(_listed(stroke)) for stroke in drawing]
    if not all(isinstance(stroke, list | tuple) for stroke in strokes):
        return strokes
    strokes = [[_values(inner) for inner in stroke] for stroke in strokes]
    if not all(isinstance(inner, list | tuple) for stroke in strokes for inner in stroke):
        return strokes
    if not _are_points(strokes):
        return _checked([stroke for stroke in strokes if stroke] or strokes)
    return [_point_columns(number, stroke) for number, stroke in enumerate(strokes) if stroke]


def _listed(value: Any) -> Any:
    """Return an array as a list of its rows."""
    if isinstance(value, np.ma.MaskedArray):
        raise InputError("expected coordinates without a mask; remove the masked points")
    return list(value) if isinstance(value, np.ndarray) and value.ndim else value


def _by_stroke(value: Any) -> Any:
    """Return ``{"x": [...], "y": [...]}`` as the list of its columns or, with lists of lists, of its strokes."""
    if not isinstance(value, dict) or not {"x", "y"} <= value.keys():
        return value
    if any(_change(value[name]) for name in _MARKS if isinstance(value.get(name), list)):
        raise InputError("expected one stroke, found values that say where it is to be split; split it there")
    columns = [_listed(column) for column in _named(value)]
    if not all(isinstance(column, list | tuple) for column in columns):
        return value
    if any(isinstance(first, list | tuple | np.ndarray) for column in columns for first in column[:1]):
        if len(set(map(len, columns))) > 1:
            raise InputError("expected as many strokes in x as in y")
        return [list(stroke) for stroke in zip(*columns, strict=True)]
    return columns


def _values(inner: Any) -> Any:
    """Return a point or a column as a list of numbers, if it is one."""
    if isinstance(inner, list):
        return inner
    if isinstance(inner, np.ma.MaskedArray):
        return _listed(inner)
    fields = _fields(inner)
    if {"x", "y"} <= fields.keys():
        return _Point(fields)
    if isinstance(inner, tuple | dict | str):
        return inner
    if hasattr(inner, "tolist"):  # arrays, tensors, columns of tables
        return inner.tolist()
    # An iterator can be read only once, so it is left to be refused.
    return list(inner) if hasattr(inner, "__iter__") and not hasattr(inner, "__next__") else inner


def _fields(value: Any) -> dict[str, Any]:
    """Return the values of an object, a record, a row of a table or a tuple by their names, nothing without names."""
    if isinstance(value, np.void):
        return {name: value[name] for name in value.dtype.names or ()}
    if isinstance(value, tuple):
        return value._asdict() if hasattr(value, "_asdict") else {}
    return {name: value[name] for name in value.keys()} if hasattr(value, "keys") else {}  # noqa: SIM118  # of pandas, too


def _named(value: dict[str, Any]) -> list[Any]:
    """Return x and y and, if there is one, the time."""
    if value["x"] is None or value["y"] is None:  # what JSON makes of NaN
        raise InputError("expected numbers as x and y, found null; leave such points out")
    return [value["x"], value["y"], *(value[name] for name in _TIMES if value.get(name) is not None)]


class _Point(list[Any]):
    """A point that says so itself: x, y and the time, and what else tells its stroke from others."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(_named(fields))
        self.marks = [str(fields[name]) for name in _MARKS if name in fields]


def _are_points(strokes: list[Any]) -> bool:
    """Tell lists of points from columns, by the drawing as a whole.

    Raises:
        InputError: if the lengths fit either.
    """
    named = {isinstance(inner, _Point) for stroke in strokes for inner in stroke}
    if len(named) > 1:
        raise InputError("expected all points of a drawing in one form, found some with names and some without")
    if named == {True}:
        return True
    counts = {len(stroke) for stroke in strokes if stroke}
    lengths = {len(inner) for stroke in strokes for inner in stroke}
    if not lengths or all(count in _COLUMNS for count in counts):
        return False
    points = max(lengths) in _POINT or max(counts) > max(lengths) >= min(lengths) >= min(_POINT)
    pressed = len(counts) == 1 and all(map(_is_pressed, filter(None, strokes)))
    if (points and pressed) or max(counts) == max(lengths) > max(_COLUMNS):
        raise InputError(
            f"expected strokes [[x...], [y...]] or lists of points [x, y], found {max(counts)} lists of "
            f"{max(lengths)} values, which could be either; leave out what is not x and y"
        )
    return points


def _point_columns(number: int, points: list[Any]) -> list[list[Any]]:
    widths = sorted({len(point) for point in points})
    if len(widths) > 1 or widths[0] < min(_POINT):
        raise InputError(
            f"expected the points of stroke {number} as [x, y] each, or as [x, y, t], found "
            f"{' and '.join(map(str, widths))} values"
        )
    columns = [list(column) for column in zip(*points, strict=True)]
    if len(columns) > min(_COLUMNS):
        _refuse_marks(number, columns[2])
    if _change([point.marks for point in points if isinstance(point, _Point)]):
        raise InputError(
            f"expected one stroke, found points of stroke {number} that say where to split it; split it there"
        )
    return columns


def _is_pressed(stroke: list[Any]) -> bool:
    """Tell what may be x, y, times and pressures, of two or three points, and not a list of as many points."""
    try:
        x, y, times, pressures = stroke[:4]
        return max(*x, *y) > 1 and list(times) == sorted(times) and 0 <= min(pressures) <= max(pressures) <= 1
    except (TypeError, ValueError):
        return False


def _change(marks: Sequence[Any]) -> bool:
    """Tell whether marks of a stroke's points change before its last point."""
    return any(mark != marks[0] for mark in marks[:-1])


def _refuse_marks(number: int, values: Sequence[Any]) -> None:
    """Refuse third values that are no times: whether the pen is lifted, or which stroke a point is of.

    Raises:
        InputError: if they are 0 and 1, or count up by 1 from 0 or 1, many points each.
    """
    try:
        if len(values) <= max(_COLUMNS) or values[0] not in (0, 1) or not 0 <= values[-1] < len(values):
            return  # quickly, as nearly all times are so
        found = set(values)
        if found == {0, 1}:
            raise InputError(
                f"expected times as the third values of stroke {number}, found 0 and 1: where they say that the pen is "
                "lifted, split the stroke there; if they are times, leave them out"
            )
        # In order first: then the last is the largest, and the range is not longer than the values.
        counted = list(values) == sorted(values) and found == set(range(values[0], values[-1] + 1))
    except TypeError:  # no numbers, which is said elsewhere
        return
    if counted and 1 < len(found) <= len(values) / _POINTS_PER_MARK:
        raise InputError(
            f"expected times as the third values of stroke {number}, found {min(found)} to {max(found)} in steps of 1: "
            "where they number strokes, split the stroke there; if they are times, leave them out"
        )
