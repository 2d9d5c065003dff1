"""Drawings as flat arrays, so that a block of them is prepared at once: one by one takes longer than int8 inference.

What happens to a drawing does not depend on the others of its block.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sketch_infer.errors import InputError
from sketch_infer.strokes.drawing_forms import to_columns

if TYPE_CHECKING:
    from typing import Self  # Python 3.11

Points = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PenLines:
    """The pen lines of N >= 1 drawings, each of 2 points or more; lines without points are left out.

    Attributes:
        points: float64 (P, 2), x and y of all drawings, finite.
        line_starts: (L + 1,), where each line's points begin, and P.
        drawing_lines: (N + 1,), where each drawing's lines begin, and L.
    """

    points: Points
    line_starts: Indices
    drawing_lines: Indices

    @property
    def drawing_starts(self) -> Indices:
        """Where each drawing's points begin, and P: (N + 1,)."""
        return self.line_starts[self.drawing_lines]

    def __len__(self) -> int:
        return len(self.drawing_lines) - 1

    def __getitem__(self, chosen: slice) -> "Self":
        """Return the drawings of a slice without steps; the points are not copied."""
        first, end, _ = chosen.indices(len(self))
        lines = self.drawing_lines[first : end + 1]
        starts = self.line_starts[lines[0] : lines[-1] + 1]
        return type(self)(self.points[starts[0] : starts[-1]], starts - starts[0], lines - lines[0])

    def each(self) -> "list[Self]":
        """Return the drawings one by one."""
        return [self[number : number + 1] for number in range(len(self))]

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Self":
        """Return the drawings of a mask (N,), which may be none."""
        of_line = np.repeat(chosen, np.diff(self.drawing_lines))
        of_point = np.repeat(of_line, np.diff(self.line_starts))
        line_lengths = np.diff(self.line_starts)[of_line]
        return type(self)(
            self.points[of_point],
            np.concatenate([[0], np.cumsum(line_lengths)]),
            np.concatenate([[0], np.cumsum(np.diff(self.drawing_lines)[chosen])]),
        )

    def aspects(self) -> npt.NDArray[np.float64]:
        """Return each drawing's width / height, (N,); 1 where it has no width or height, or they are too large."""
        low, high = self.bounds()
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            width, height = (high - low).T
            aspects = width / height
        return np.where((width > 0) & np.isfinite(aspects) & (aspects > 0), aspects, 1.0)

    def bounds(self) -> tuple[Points, Points]:
        """Return each drawing's smallest and largest x and y, two float64 (N, 2)."""
        starts = self.drawing_starts[:-1]
        return np.minimum.reduceat(self.points, starts), np.maximum.reduceat(self.points, starts)

    def drawing_of_point(self) -> Indices:
        """Return the number of each point's drawing, (P,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.drawing_starts))

    @classmethod
    def join(cls, parts: "Sequence[Self]") -> "Self":
        """Put drawings behind one another."""
        line_ends = [part.line_starts[1:] for part in parts]
        drawing_ends = [part.drawing_lines[1:] for part in parts]
        return cls(np.concatenate([part.points for part in parts]), _joined(line_ends), _joined(drawing_ends))

    @classmethod
    def of(cls, drawings: Sequence[Any]) -> "Self":
        """Read drawings, each a list of strokes in one of the forms of `to_columns`; times are not read.

        Raises:
            InputError: if one is not built so, has a value that is not a finite number, or has fewer than two points.
                To learn which one it is, ask for them one by one.
        """
        drawings = to_columns(drawings)
        try:
            strokes = [stroke for drawing in drawings for stroke in drawing]
            lengths = [len(stroke[0]) for stroke in strokes]
            points = np.column_stack([_flat(stroke[0] for stroke in strokes), _flat(stroke[1] for stroke in strokes)])
            well_built = len(points) == sum(lengths) and lengths == [len(stroke[1]) for stroke in strokes]
        except (TypeError, ValueError, OverflowError, LookupError):
            well_built = False
        if not well_built or not all(isinstance(one, list | tuple) for one in chain(drawings, strokes)):
            for drawing in drawings:
                _refuse(drawing)
            raise InputError("expected the x and y of a stroke as flat lists of numbers")
        counts = list(accumulate(map(len, drawings), initial=0))
        drawn = np.array([0, *accumulate(length > 0 for length in lengths)])
        lines = cls(
            points.astype(np.float64),
            np.array([0, *accumulate(length for length in lengths if length)], np.intp),
            drawn[counts],
        )
        fewest = np.diff(lines.drawing_starts).min()
        if fewest < 2:
            raise InputError(f"expected a drawing of at least 2 points, found {fewest}")
        if not np.isfinite(lines.points).all():
            raise InputError("expected finite coordinates, found NaN or infinity")
        return lines

    def to_drawings(self) -> list[list[list[list[float]]]]:
        """Return the drawings as lists of strokes ``[[x...], [y...]]``."""
        lines = [line.T.tolist() for line in np.split(self.points, self.line_starts[1:-1])]
        return [lines[first:last] for first, last in pairwise(self.drawing_lines)]


def _joined(ends: Sequence[Indices]) -> Indices:
    """Return 0 and the ends of all parts, each part's counted from the end of the one before."""
    offsets = accumulate((int(part[-1]) for part in ends), initial=0)
    return np.concatenate([[0], *(part + offset for part, offset in zip(ends, offsets, strict=False))])


def _flat(lists: Iterable[Any]) -> npt.NDArray[Any]:
    """Join lists of numbers to one array.

    Raises:
        ValueError, TypeError or OverflowError: if they hold anything but numbers, or one beyond float64.
    """
    values = list(chain.from_iterable(lists))
    types = set(map(type, values))
    # Said to be float64, because a whole number of more than 64 bits would be one only beside another drawing's float.
    array = np.array(values, np.float64 if types <= {int, float} else None)
    # And true would be a number only beside another drawing's numbers.
    if array.ndim != 1 or array.dtype.kind not in "fiu" or bool in types:
        raise ValueError
    return array


def _refuse(drawing: object) -> None:
    """Raise the InputError that says what is wrong with how a drawing is built, if anything is."""
    if not isinstance(drawing, list | tuple):
        raise InputError(f"expected a drawing as a list of strokes [[x...], [y...]], found {_kind(drawing)}")
    for number, stroke in enumerate(drawing):
        if not isinstance(stroke, list | tuple) or len(stroke) < 2 or isinstance(stroke[0], int | float):
            raise InputError(
                f"expected stroke {number} as [[x...], [y...]] or as points [[x, y], ...], found {_kind(stroke)}"
            )
        x, y = stroke[:2]
        try:
            _flat([x])
            _flat([y])
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"expected the x and y of stroke {number} as flat lists of numbers") from error
        if len(x) != len(y):
            raise InputError(f"expected as many x as y in stroke {number}, found {len(x)} x and {len(y)} y")


def _kind(value: object) -> str:
    return f"a list of length {len(value)}" if isinstance(value, list) else f"a value of type {type(value).__name__}"
