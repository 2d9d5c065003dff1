"""What rows of numbers can be: the one definition, for the files of the command and for the library alike.

The network reads differences of min-max scaled coordinates. Nothing in an array says that it holds them: rows in
pixels, absolute coordinates and columns in another order are numbers, too, and the network has a label for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal, get_args

import numpy as np

from sketch_infer.array_types import Array, FloatArray
from sketch_infer.errors import InputError
from sketch_infer.strokes.deltas import check_pens, stroke_3_to_sketches, stroke_5_to_stroke_3
from sketch_infer.strokes.each import prepare_each
from sketch_infer.strokes.preprocess import INPUT_SIZE, as_array, as_strokes, n_points
from sketch_infer.strokes.row_evidence import AS_THEY_ARE, RowEvidence
from sketch_infer.strokes.simplify import MAX_POINTS

RowFormat = Literal["auto", "network", "stroke-3", "stroke-5"]
ROW_FORMATS: tuple[RowFormat, ...] = get_args(RowFormat)

STROKE_5 = 5
"""Values in a row of stroke-5: dx, dy, and one of pen down, pen up after this point, end."""

_COLUMNS = (INPUT_SIZE, STROKE_5)

_LARGEST_SPAN = 1.05
"""Width and height of a min-max scaled drawing are 1, but for rounding: half floats add up to 1.02."""


@dataclass(frozen=True)
class RowForm:
    """What the rows of a file or call are.

    Attributes:
        format: "network", "stroke-3" or "stroke-5".
        found_out: whether the rows were asked, and not the user.
        first_row_moves: of unscaled rows, see `stroke_3_to_sketches`.
        note: what the user should hear of it; empty where nothing is changed.
    """

    format: RowFormat
    found_out: bool = False
    first_row_moves: bool = False
    note: str = ""


@np.errstate(over="ignore", invalid="ignore")  # wide floats overflow, a signaling NaN warns; `prepare` refuses both
def recognize(sketches: Sequence[Array], input_format: RowFormat = "auto") -> RowForm:
    """Find out what rows are.

    Args:
        sketches: numbers (T, 3) or (T, 5) each, all of a call or the first ones of a file.
        input_format: what the user says.

    Raises:
        InputError: if the columns contradict the user, or the rows are in none of the forms: absolute coordinates,
            pens that are not 0 and 1 or mean something else.
    """
    columns = sketches[0].shape[1] if sketches else INPUT_SIZE
    if (columns == STROKE_5) != (input_format == "stroke-5") and (input_format, columns) != ("auto", INPUT_SIZE):
        if input_format != "auto":
            raise InputError(f"expected rows that fit --input-format {input_format}, found {columns} columns")
        return _recognize([_stroke_3(rows) for rows in sketches], "stroke-5", found_out=True)
    if input_format == "network":
        return RowForm("network")
    if input_format == "stroke-5":
        return _recognize([_stroke_3(rows) for rows in sketches], "stroke-5", found_out=False)
    return _recognize(sketches, input_format, found_out=input_format == "auto")


def _stroke_3(rows: Array) -> Array:
    try:
        return stroke_5_to_stroke_3(rows)
    except InputError:  # of this sketch alone, and raised again when it is prepared
        return rows[:0, :INPUT_SIZE]


def _recognize(sketches: Sequence[Array], input_format: RowFormat, found_out: bool) -> RowForm:
    rows = RowEvidence.of([rows[:MAX_POINTS] for rows in sketches])
    if rows is None:
        return RowForm("network" if input_format == "auto" else input_format, found_out)
    if input_format == "auto" and rows.is_constant:
        return RowForm("network")
    beyond = (rows.spans > _LARGEST_SPAN).any(axis=1)
    if beyond.any() or input_format != "auto":
        _refuse_unsigned(sketches)
    if found_out:
        rows.refuse_odd_pens()
        if input_format == "stroke-5" or beyond.any():
            rows.refuse_absolute()
        rows.refuse_other_pens(input_format)
    if input_format == "auto":
        if beyond.mean() < 0.5:
            return RowForm("network", found_out)
        input_format = "stroke-3"
    moves = rows.first_rows_move()
    note = ""
    if input_format == "stroke-3" and found_out:
        note = (
            f"drawings are up to {rows.spans.max():.4g} wide or high, so the rows are read as unscaled stroke-3 and "
            f"scaled; {AS_THEY_ARE}"
        )
    if moves:
        note += f"{'; ' * bool(note)}all lie right of and below the origin, so the first row moves to the first point"
    return RowForm(input_format, found_out, moves, note)


def _refuse_unsigned(sketches: Sequence[Array]) -> None:
    """Refuse differences without negative ones: np.diff of unsigned points wraps around, and looks like a drawing."""
    if sketches[0].dtype.kind == "u":
        raise InputError(
            f"expected differences of a signed type, found {sketches[0].dtype}, in which a step to the left or up "
            "wraps around; cast the points to int32 before you take np.diff"
        )


def prepare(sketches: Sequence[Array], form: RowForm) -> list[tuple[FloatArray, float]]:
    """Bring sketches to rows as the network reads them.

    Args:
        sketches: numbers (T, 3) each or, if the form is stroke-5, (T, 5).
        form: of `recognize`.

    Returns:
        strokes without padding, float32 (t, 3), and width / height of each, 1 where it is not known.

    Raises:
        InputError: if a sketch cannot be used; to learn which, ask for them one by one.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # wide floats overflow, and are refused
        if form.found_out and form.format != "network":
            as_strokes(np.concatenate(sketches)[:, :INPUT_SIZE])  # no unit of drawings has such large numbers
        if form.format == "stroke-5":
            return stroke_3_to_sketches([stroke_5_to_stroke_3(rows) for rows in sketches], form.first_row_moves)
        if form.format == "stroke-3":
            return stroke_3_to_sketches(sketches, form.first_row_moves)
        sketches = [rows[: n_points(rows)] for rows in sketches]
        strokes = as_strokes(np.concatenate(sketches))
    bounds = [0, *accumulate(map(len, sketches))]
    if form.found_out:
        _check_scaled(strokes, bounds)
    return [(strokes[first:end], 1.0) for first, end in pairwise(bounds)]


def _check_scaled(strokes: FloatArray, bounds: list[int]) -> None:
    try:
        check_pens(strokes)
    except InputError as error:
        raise InputError(f"{error}; {AS_THEY_ARE}") from error
    rows = RowEvidence.of([strokes[first:end] for first, end in pairwise(bounds)])
    if rows and (largest := rows.spans.max()) > _LARGEST_SPAN:
        raise InputError(
            f"expected differences of a drawing that is scaled to a width and height of 1, found one of {largest:.4g}; "
            f"scale it; {AS_THEY_ARE}"
        )


def as_sketches(strokes: object, input_format: RowFormat = "auto") -> tuple[list[FloatArray], RowForm]:
    """Bring one sketch or many to rows as the network reads them.

    Args:
        strokes: one sketch (T, 3), an array (N, T, 3), or a list of sketches (T, 3) of mixed lengths; or the same with
            5 columns.
        input_format: what the rows are.

    Returns:
        float32 (t, 3) each, and what the rows were taken for.

    Raises:
        InputError: if the strokes have another shape or dtype, are in none of the forms, or have values that are not
            finite; it says which sketch.
    """
    if not isinstance(strokes, list | tuple) or (strokes and _is_point(strokes[0])):
        array = as_array(strokes, _COLUMNS)
        given = list(array if array.ndim == 3 else array[None])
        if input_format == "network":
            as_strokes(array)  # names all rows that are not finite
    else:
        given = []
        for position, values in enumerate(strokes):
            try:
                given.append(as_array(values, _COLUMNS))
            except InputError as error:
                raise InputError(f"sketch {position}: {error}") from error
            if given[-1].ndim != 2 or given[-1].shape[1] != given[0].shape[1]:
                raise InputError(f"sketch {position}: expected shape (T, {INPUT_SIZE}), found {given[-1].shape}")
    form = recognize(given, input_format)
    sketches = []
    for position, outcome in enumerate(prepare_each(given, lambda some: prepare(some, form))):
        if isinstance(outcome, InputError):
            raise InputError(f"sketch {position}: {outcome}" if len(given) > 1 else str(outcome))
        sketches.append(outcome[0])
    return sketches, form


def _is_point(value: object) -> bool:
    """Tell a point, a row of one sketch, from a sketch."""
    listed = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)
    return listed and len(value) > 0 and np.isscalar(value[0])  # type: ignore[arg-type,index]
