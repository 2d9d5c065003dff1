"""Predictions for programs: NumPy's `.npz`, and `.parquet` where pyarrow is installed."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from sketch_infer.errors import DependencyError
from sketch_infer.inference.predictions import Predictions
from sketch_infer.model.contract.tensors import OUTPUTS
from sketch_infer.readers.sketch import Sketch
from sketch_infer.untrusted import as_unicode
from sketch_infer.writers.text import to_records

if TYPE_CHECKING:
    from typing import Self  # Python 3.11

    from sketch_infer.writers.text import Record

_COPIED_ROWS = 65536
_ROW_GROUP = 16384
"""Rows that a parquet file stores, and a reader reads, together."""


class NpzWriter:
    """Arrays log_probs and logits, float32 (N, classes); labels, the most likely class, (N,); classes, (classes,).

    The label of a rejected sketch is empty.

    The rows wait in temporary files beside `path`, because an array's length stands before it.
    """

    def __init__(self, path: Path, classes: Sequence[str]) -> None:
        self._path, self._classes = path, np.array(tuple(classes), np.str_)
        self._n = 0
        self._waiting: dict[str, IO[bytes]] = {}

    def __enter__(self) -> "Self":
        for name in (*OUTPUTS, "labels"):
            self._waiting[name] = tempfile.TemporaryFile(dir=self._path.parent)  # closed by __exit__
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._waiting.values():
            file.close()

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Keep the rows."""
        for name in OUTPUTS:
            self._waiting[name].write(getattr(predictions, name).tobytes())
        answers = predictions.log_probs.argmax(axis=1)
        if predictions.rejected is not None:
            answers = np.where(predictions.rejected, len(self._classes), answers)
        self._waiting["labels"].write(answers.astype(np.int32).tobytes())
        self._n += len(sketches)

    def finish(self) -> None:
        """Write the arrays."""
        with zipfile.ZipFile(self._path, "w") as archive:
            for name in OUTPUTS:
                with self._member(archive, name, np.dtype(np.float32), (self._n, len(self._classes))) as member:
                    self._waiting[name].seek(0)
                    shutil.copyfileobj(self._waiting[name], member)
            with self._member(archive, "labels", self._classes.dtype, (self._n,)) as member:
                self._waiting["labels"].seek(0)
                named = np.append(self._classes, "").astype(self._classes.dtype)
                while columns := self._waiting["labels"].read(4 * _COPIED_ROWS):
                    member.write(named[np.frombuffer(columns, np.int32)].tobytes())
            with self._member(archive, "classes", self._classes.dtype, self._classes.shape) as member:
                member.write(self._classes.tobytes())

    @staticmethod
    @contextmanager
    def _member(
        archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
    ) -> Iterator[IO[bytes]]:
        """Begin an array, with its header written, and end it: an archive cannot be closed around an open member."""
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            yield member


class ParquetWriter:
    """Columns as in JSON: source, index, label, probability, and top, a list of label and probability.

    Raises:
        DependencyError: if pyarrow is not installed.
    """

    def __init__(self, path: Path, top_k: int) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise DependencyError(".parquet files need pyarrow; install it with: pip install pyarrow") from error
        self._arrow, self._top_k = pyarrow, top_k
        text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        candidate = pyarrow.struct([("label", pyarrow.string()), ("probability", pyarrow.float32())])
        self._schema = pyarrow.schema(
            [
                ("source", text),
                ("index", pyarrow.int64()),
                ("label", text),
                ("probability", pyarrow.float32()),
                ("top", pyarrow.list_(candidate)),
                ("aspect", pyarrow.float32()),
            ]
        )
        self._file = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._records: list[Record] = []

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Keep the rows until they are enough for a row group."""
        records = to_records(sketches, predictions, self._top_k)
        self._records += [{**record, "source": as_unicode(record["source"])} for record in records]
        if len(self._records) >= _ROW_GROUP:
            self._flush()

    def finish(self) -> None:
        """Write what is left."""
        if self._records:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        self._file.write_table(self._arrow.Table.from_pylist(self._records, self._schema))
        self._records = []
