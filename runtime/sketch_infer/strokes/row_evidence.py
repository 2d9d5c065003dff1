"""What unlabeled rows show of themselves: whether they are differences, and what their pen means.

Judged by all sketches of a call, or by the first of a file, because of a single sketch much may be chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_infer.errors import InputError
from sketch_infer.strokes.deltas import check_pens
from sketch_infer.strokes.preprocess import MAX_VALUE, n_points

AS_THEY_ARE = "--input-format network takes the rows as they are"

_FEW, _MANY = 5, 8
"""Sketches from which on a property of all of them is no chance; of one sketch, as many rows are asked for."""

_SMOOTH_IF_POSITIVE, _SMOOTH, _SMOOTH_ALONE = 0.8, 0.55, 0.3
"""Steps between a sketch's rows over the rows themselves. Of 6,500 real sketches, none of 8 rows or more was without a
negative difference; absolute points give 0.1 to 0.4, differences of simplified drawings 1.1, of raw ones 0.8, at the
least 0.25."""

_MOSTLY = 0.6
"""Pens of a sketch that may be 1: where each of 4 strokes has two points, it is 4 of 7."""


@dataclass(frozen=True)
class RowEvidence:
    """Sketches of finite values, without padding.

    Attributes:
        xy: (P, 2), the first two values of all rows.
        pen: (P,), the third.
        starts: (N + 1,), where each sketch's rows begin, and P.
        is_whole: (N,), whether a sketch had padding, or was shorter than others, so that it was not cut.
    """

    xy: npt.NDArray[np.float64]
    pen: npt.NDArray[np.float64]
    starts: npt.NDArray[np.intp]
    is_whole: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, sketches: Sequence[npt.NDArray[Any]]) -> "RowEvidence | None":
        """Return what can be asked, None if there is nothing."""
        longest = max(map(len, sketches), default=0)
        drawn = [(rows[: n_points(rows)], len(rows)) for rows in sketches]
        drawn = [(rows, length) for rows, length in drawn if len(rows) and float(np.abs(rows).max()) <= MAX_VALUE]
        if not drawn:
            return None
        rows = np.concatenate([rows for rows, _ in drawn]).astype(np.float64)
        ends = np.cumsum([len(rows) for rows, _ in drawn])
        is_whole = np.array([len(rows) < length or length < longest for rows, length in drawn])
        return cls(rows[:, :2], rows[:, 2], np.concatenate([[0], ends]), is_whole)

    @property
    def positions(self) -> npt.NDArray[np.float64]:
        """Where the pen is after each row, from each sketch's origin, (P, 2)."""
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.concatenate([np.zeros((1, 2)), np.cumsum(self.xy, axis=0)])
            moved: npt.NDArray[np.float64] = total[1:] - np.repeat(
                total[self.starts[:-1]], np.diff(self.starts), axis=0
            )
        return moved

    @property
    def spans(self) -> npt.NDArray[np.float64]:
        """Width and height of each sketch, its origin included, (N, 2)."""
        first, positions = self.starts[:-1], self.positions
        high, low = (reduce.reduceat(positions, first) for reduce in (np.maximum, np.minimum))
        return np.maximum(high, 0) - np.minimum(low, 0)

    @property
    def is_constant(self) -> bool:
        """Whether all numbers are the same, between 0 and 1: a placeholder, in which no column differs from another."""
        first = self.pen[0]
        return bool(0 < first < 1 and (self.pen == first).all() and (self.xy == first).all())

    def refuse_odd_pens(self) -> None:
        """Refuse pens other than 0 and 1 where most sketches have them; of few, each is refused by itself."""
        odd = ~np.isin(self.pen, (0, 1))
        if odd.any() and np.logical_or.reduceat(odd, self.starts[:-1]).mean() >= 0.5:
            try:
                check_pens(np.column_stack([self.xy, self.pen]))
            except InputError as error:
                raise InputError(f"{error}; {AS_THEY_ARE}") from error

    def refuse_absolute(self) -> None:
        """Refuse absolute coordinates: they change little from row to row, and are rarely negative."""
        first = self.starts[:-1]
        steps = np.abs(np.diff(self.xy, axis=0, append=0)).sum(axis=1)
        steps[self.starts[1:] - 1] = 0
        sizes = np.abs(self.xy).sum(axis=1)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            smoothness = np.median(np.nan_to_num(np.add.reduceat(steps, first) / np.add.reduceat(sizes, first), nan=9))
        positive = len(self.xy) >= _MANY and not (self.xy < 0).any()
        limit = _SMOOTH_IF_POSITIVE if positive else _SMOOTH if len(first) >= _MANY else _SMOOTH_ALONE
        if smoothness < limit:
            found = "none is negative" if positive else "they change little from row to row"
            raise InputError(
                f"expected differences between points, found what looks like the points themselves ({found}); take "
                "np.diff of each sketch, or give strokes [[x...], [y...]]; --input-format stroke-3 takes them as "
                "differences"
            )

    def refuse_other_pens(self, input_format: str) -> None:
        """Refuse pens that mean drawing and not lifting, or that stand on the first point of a stroke."""
        ends = self.pen[self.starts[1:] - 1]
        option = f"--input-format {'stroke-5' if input_format == 'stroke-5' else 'stroke-3'} takes them as they are"
        if len(self.pen) >= _MANY and self.pen.mean() > _MOSTLY:
            raise InputError(
                f"expected pen = 1 on the last point of each stroke, found it on {self.pen.mean():.0%} of all points, "
                f"as if 1 meant drawing; swap 0 and 1, or {option}"
            )
        whole = ends[self.is_whole]
        first = self.pen[self.starts[:-1]]
        late = len(whole) >= _MANY and not whole.any() and self.pen.any()
        if late or (len(self.pen) >= _MANY and first.all() and not ends.any()):
            raise InputError(
                "expected pen = 1 on the last point of each stroke, found 0 at the end of every sketch, as if 1 stood "
                f"on a stroke's first point; move it to the last, or {option}"
            )

    def first_rows_move(self) -> bool:
        """Tell rows that a converter made of absolute points: no sketch is ever left of or above its origin.

        Of sketches that begin at their first point, one in a hundred is so.
        """
        first = self.starts[:-1]
        return len(first) >= _FEW and bool(self.xy[first].any(axis=1).all() and (self.positions >= 0).all())
