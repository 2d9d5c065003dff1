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


def to_columns(drawings: Sequence[Any]) -> list[Any]:
    """Bring drawings to lists of strokes ``[[x...], [y...]]`` or ``[[x...], [y...], [t...]]``.

    A drawing is taken as columns where all its strokes are of 2 or 3 lists. With more lists or with one, of 2 or 3
    values each, or with objects ``{"x": ..., "y": ...}``, a stroke is a list of points. NumPy arrays are read as lists.

    Returns:
        the drawings; what is in none of these forms is left as it is.

    Raises:
        InputError: if a drawing can be read either way, or its points differ in form.
    """
    return [drawing if _is_plain(drawing) else _drawing_to_columns(drawing) for drawing in drawings]


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
        return [stroke for stroke in strokes if stroke] or strokes
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
    if isinstance(inner, np.ndarray):
        listed = _listed(inner)
        return inner.tolist() if isinstance(listed, list) else listed
    if isinstance(inner, dict) and {"x", "y"} <= inner.keys():
        return _Point(_named(inner))
    return inner


def _named(value: dict[str, Any]) -> list[Any]:
    """Return x and y and, if there is one, the time."""
    if value["x"] is None or value["y"] is None:  # what JSON makes of NaN
        raise InputError("expected numbers as x and y, found null; leave such points out")
    return [value["x"], value["y"], *(value[name] for name in _TIMES if value.get(name) is not None)]


class _Point(list[Any]):
    """A point that says so itself."""


def _are_points(strokes: list[Any]) -> bool:
    """Tell lists of points from columns, by the drawing as a whole.

    Raises:
        InputError: if the lengths fit either.
    """
    if any(isinstance(inner, _Point) for stroke in strokes for inner in stroke):
        return True
    counts = {len(stroke) for stroke in strokes if stroke}
    lengths = {len(inner) for stroke in strokes for inner in stroke}
    if not lengths or all(count in _COLUMNS for count in counts):
        return False
    if max(lengths) in _POINT:
        return True
    if max(counts) == max(lengths) > max(_COLUMNS):
        raise InputError(
            f"expected strokes [[x...], [y...]] or lists of points [x, y], found {max(counts)} lists of "
            f"{max(lengths)} values, which could be either; leave out what is not x and y"
        )
    return max(counts) > max(lengths) >= min(lengths) >= min(_POINT)


def _point_columns(number: int, points: list[Any]) -> list[list[Any]]:
    widths = sorted({len(point) for point in points})
    if len(widths) > 1 or widths[0] < min(_POINT):
        raise InputError(
            f"expected the points of stroke {number} as [x, y] each, or as [x, y, t], found "
            f"{' and '.join(map(str, widths))} values"
        )
    columns = [list(column) for column in zip(*points, strict=True)]
    if len(columns) > min(_COLUMNS) and len(points) > max(_COLUMNS) and set(columns[2]) == {0, 1}:
        raise InputError(
            f"expected times as the third values of stroke {number}, found 0 and 1: where they say that the pen is "
            "lifted, split the stroke there"
        )
    return columns
