"""Drawings in a table: a row each, their strokes in the column `drawing`."""

import json
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from sketch_infer.errors import DependencyError, InputError, reading_errors
from sketch_infer.readers.drawings import AT_ONCE, MAX_BYTES, DrawingFormat, Row, prepare_drawings
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.sketch import Sketch, open_source


def read_parquet(
    source: str, input_format: DrawingFormat, listener: ReadListener, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read `.parquet`: `drawing` as nested lists or as JSON text, and `word`, text, where there is one.

    One row group is in memory at a time, besides a few rows of Python objects.

    Raises:
        DependencyError: if pyarrow is not installed.
        InputError: if the file is no table with such a column.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DependencyError(
            f"{source}: .parquet files need pyarrow; install it with: pip install 'sketch-infer[parquet]'"
        ) from error
    try:
        # Arrow raises OSError for damaged pages, too.
        with reading_errors(source), open_source(source, opened) as file:
            table = pyarrow.parquet.ParquetFile(file)
            row_bytes = file.seek(0, os.SEEK_END) / max(1, table.metadata.num_rows)
            yield from prepare_drawings(source, _blocks(source, table, row_bytes, listener), input_format, listener)
    except InputError:
        raise
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:  # the second where damage hit a text
        raise InputError(f"{source}: not a whole .parquet file ({str(error).splitlines()[0]})") from error


def _blocks(source: str, table: Any, row_bytes: float, listener: ReadListener) -> Iterator[list[Row]]:
    columns = _columns(source, table.schema_arrow.names)
    index = 0
    for batch in table.iter_batches(_rows_at_once(table.metadata), columns=columns):
        yield _rows(source, index, batch.to_pylist())
        index += len(batch)
        listener.advance(round(row_bytes * len(batch)))
    if index == 0:
        raise InputError(f"{source}: expected a drawing a row, found no row")


def _rows_at_once(table: Any) -> int:
    """Return how many rows to prepare together: of Python objects, fewer where they are large."""
    n_bytes: int = sum(table.row_group(group).total_byte_size for group in range(table.num_row_groups))
    n_rows: int = table.num_rows
    return max(1, min(AT_ONCE, MAX_BYTES * n_rows // max(1, n_bytes)))


def _columns(source: str, found: list[str]) -> list[str]:
    if "drawing" not in found:
        raise InputError(f"{source}: expected a column drawing, found {', '.join(found) or 'no columns'}")
    return [name for name in ("drawing", "word") if name in found]


def _rows(source: str, first: int, records: list[dict[str, Any]]) -> list[Row]:
    return [(f"{source}: row {number}", _parsed(record)) for number, record in enumerate(records, start=first)]


def _parsed(record: dict[str, Any]) -> dict[str, Any] | InputError:
    if not isinstance(record["drawing"], str):
        return record
    try:
        return {**record, "drawing": json.loads(record["drawing"])}
    except (ValueError, RecursionError):
        return InputError(f"expected a drawing as JSON, found {record['drawing'][:40]!r}")
