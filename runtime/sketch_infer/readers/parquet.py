"""Drawings in a table: a row each, their strokes in the column `drawing`."""

import json
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from sketch_infer.errors import DependencyError, InputError, reading_errors
from sketch_infer.readers.drawings import AT_ONCE, MAX_BYTES, DrawingFormat, Row, blocks_of, prepare_drawings
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.parquet_pages import read_row_groups, rows_at_once
from sketch_infer.readers.sketch import Sketch, open_source


def read_parquet(
    source: str, input_format: DrawingFormat, listener: ReadListener, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read `.parquet`: `drawing` as nested lists or as JSON text, and `word`, text, where there is one.

    As many rows are in memory as the pages that hold them allow, whatever they unpack to.

    Raises:
        DependencyError: if pyarrow is not installed.
        InputError: if the file is no table with such a column.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DependencyError(f"{source}: .parquet files need pyarrow; install it with: pip install pyarrow") from error
    try:
        # Arrow raises OSError for damaged pages, too.
        with reading_errors(source), open_source(source, opened) as file:
            # Buffered, because else a whole column of a row group is read at once.
            table = pyarrow.parquet.ParquetFile(file, buffer_size=2**20)
            blocks = blocks_of(source, _rows(source, file, table, listener), listener)
            yield from prepare_drawings(source, blocks, input_format, listener)
    except InputError:
        raise
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:  # the second where damage hit a text
        raise InputError(f"{source}: not a complete .parquet file ({str(error).splitlines()[0]})") from error


def _rows(source: str, file: BinaryIO, table: Any, listener: ReadListener) -> Iterator[tuple[Row, int]]:
    columns = _columns(source, table.schema_arrow.names)
    row_bytes = file.seek(0, os.SEEK_END) / max(1, table.metadata.num_rows)
    number = 0
    try:
        groups = read_row_groups(file)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    for group in range(table.num_row_groups):
        try:
            n_rows = rows_at_once(file, groups, group, table.schema, columns, AT_ONCE)
        except InputError as error:
            raise InputError(f"{source}: row group {group}: {error}") from error
        for batch in table.iter_batches(n_rows, row_groups=[group], columns=columns):
            for row in range(len(batch)):
                yield (f"{source}: row {number}", _record(batch, row)), batch.slice(row, 1).nbytes
                number += 1
            listener.advance(round(row_bytes * len(batch)))


def _columns(source: str, found: list[str]) -> list[str]:
    if "drawing" not in found:
        raise InputError(f"{source}: expected a column drawing, found {', '.join(found) or 'no columns'}")
    columns: list[str] = [name for name in ("drawing", "word") if name in found]
    for name in columns:
        if found.count(name) > 1:
            raise InputError(f"{source}: expected one column {name}, found {found.count(name)}; rename the others")
    return columns


def _record(batch: Any, row: int) -> dict[str, Any] | InputError:
    """Return a row of a batch, its drawing parsed where it is text."""
    record = {name: batch.column(name)[row].as_py() for name in batch.schema.names}
    if not isinstance(record["drawing"], str):
        return record
    if len(record["drawing"]) > MAX_BYTES:
        return InputError(f"expected a drawing of at most {MAX_BYTES} bytes, found a longer one")
    try:
        return {**record, "drawing": json.loads(record["drawing"])}
    except (ValueError, RecursionError):
        return InputError(f"expected a drawing as JSON, found {record['drawing'][:40]!r}")
