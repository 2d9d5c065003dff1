"""The columns that the steps hand to each other, and those of the shards."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from sketch_infer.array_types import FloatArray
from sketch_infer.readers.sketch import Sketch
from sketch_infer.strokes.preprocess import INPUT_SIZE, n_points
from sketch_infer.untrusted import as_unicode

CANDIDATES = pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float32())]))

READ = pa.schema(
    [
        ("source", pa.string()),
        ("index", pa.int64()),
        ("strokes", pa.list_(pa.float32())),  # dx, dy, pen of one point after the other
        ("aspect", pa.float64()),
        ("error", pa.string()),
    ]
)
"""Of what was read: a sketch, or the reason why there is none, whose index is null then."""


def answers(logits: bool) -> pa.Schema:
    """Return the columns that the model adds: null where there is an error instead."""
    fields = [("label", pa.string()), ("probability", pa.float32()), ("top", CANDIDATES)]
    fields.append(("aspect", pa.float32()))
    if logits:
        fields.append(("logits", pa.list_(pa.float32())))
    return pa.schema([*fields, ("cut", pa.bool_()), ("error", pa.string())])


def shard(logits: bool) -> pa.Schema:
    """Return the columns of a shard, those of `--output FILE.parquet`, and logits after them."""
    text = pa.dictionary(pa.int32(), pa.string())
    fields = [("source", text), ("index", pa.int64()), ("label", text), ("probability", pa.float32())]
    fields += [("top", CANDIDATES), ("aspect", pa.float32())]
    if logits:
        fields.append(("logits", pa.list_(pa.float32())))
    return pa.schema(fields)


ERRORS = pa.schema([("source", pa.string()), ("reason", pa.string())])
"""Of the side output."""


class ReadRows:
    """Rows of `READ` on their way into a table."""

    def __init__(self) -> None:
        self._sources: list[str] = []
        self._indices: list[int | None] = []
        self._strokes: list[FloatArray] = []
        self._aspects: list[float | None] = []
        self._errors: list[str | None] = []
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._sources)

    def add(self, sketch: Sketch) -> None:
        """Add a sketch, without the padding at its end, which would only be carried about."""
        self._append(sketch.source, sketch.index, sketch.strokes[: n_points(sketch.strokes)], sketch.aspect, None)

    def add_error(self, source: str, reason: str) -> None:
        """Add a row that cannot be used."""
        self._append(source, None, np.empty((0, INPUT_SIZE), np.float32), None, reason)

    def _append(
        self, source: str, index: int | None, strokes: FloatArray, aspect: float | None, error: str | None
    ) -> None:
        self._sources.append(as_unicode(source))
        self._indices.append(index)
        self._strokes.append(strokes)
        self._aspects.append(aspect)
        self._errors.append(error)
        self.n_bytes += strokes.nbytes

    def take(self) -> pa.Table:
        """Return the rows as a table, and begin anew."""
        ends = np.cumsum([0, *(strokes.size for strokes in self._strokes)], dtype=np.int32)
        values = pa.array(np.concatenate(self._strokes, axis=0).ravel())
        strokes = pa.ListArray.from_arrays(pa.array(ends), values)
        table = pa.table([self._sources, self._indices, strokes, self._aspects, self._errors], schema=READ)
        self.__init__()  # type: ignore[misc]
        return table


def strokes_of(column: pa.ChunkedArray) -> Iterator[FloatArray | None]:
    """Return each row's numbers, float32 (3 * T,), or None for null."""
    for chunk in column.chunks:
        values, ends, valid = chunk.values.to_numpy(), chunk.offsets.to_numpy(), chunk.is_valid().to_pylist()
        for row in range(len(chunk)):
            yield values[ends[row] : ends[row + 1]] if valid[row] else None
