"""How large the rows of a `.parquet` file can become, told by its pages before they are decoded.

A file of a kilobyte may hold a row of gigabytes, by dictionaries, run lengths and compression, and Arrow decodes a row
as a whole. The format is described in github.com/apache/parquet-format: README.md, Encodings.md and parquet.thrift.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from sketch_infer.errors import InputError
from sketch_infer.readers.thrift import Compact

MAX_PAGE_BYTES = 2**25
"""Of a page, unpacked. Writers aim at one megabyte."""

MAX_VALUES = 2**21
"""Numbers of rows that are decoded together, 50 MB in Arrow; more in one row are refused."""

_MAX_HEADER_BYTES = 2**16
_DATA, _DATA_2 = 0, 3
_DATA_HEADER, _DATA_2_HEADER = 5, 8
_ROW_GROUPS, _COLUMNS, _META_DATA = 4, 1, 3
_CODEC, _CHUNK_BYTES, _DATA_START, _DICTIONARY_START = 4, 7, 9, 11
"""Numbers of fields in parquet.thrift: of PageHeader; FileMetaData, RowGroup, ColumnChunk; ColumnMetaData."""
_CODECS = {1: "snappy", 2: "gzip", 4: "brotli", 5: "lz4", 6: "zstd", 7: "lz4_raw"}


@dataclass(frozen=True)
class _Page:
    """A page's header, the fields of `PageHeader` in parquet.thrift by their numbers, and where its content starts."""

    fields: dict[int, Any]
    start: int

    @property
    def kind(self) -> int:
        return int(self.fields[1])

    @property
    def unpacked_bytes(self) -> int:
        return int(self.fields[2])

    @property
    def bytes(self) -> int:
        return int(self.fields[3])


def read_row_groups(file: BinaryIO) -> list[dict[int, Any]]:
    """Read what a file says of its row groups.

    Not by pyarrow, whose objects for it end the process where their sizes' histograms are damaged.

    Raises:
        InputError: if it is damaged.
    """
    try:
        end = file.seek(-8, os.SEEK_END)
        size = int.from_bytes(file.read(4), "little")
        file.seek(end - size)
        groups: list[dict[int, Any]] = Compact(file.read(size)).struct().get(_ROW_GROUPS, [])
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise InputError("not a complete .parquet file (its description is damaged)") from error
    return groups


def rows_at_once(
    file: BinaryIO, groups: list[dict[int, Any]], group: int, schema: Any, columns: Sequence[str], most: int
) -> int:
    """Return how many rows of a group can be decoded together.

    Args:
        file: the table's.
        groups: of `read_row_groups`.
        group: number of a row group.
        schema: pyarrow's ParquetSchema.
        columns: names of those that are read.
        most: rows that are enough.

    Raises:
        InputError: if a page or a row is too large.
    """
    position = file.tell()
    try:
        for number, chunk in enumerate(groups[group][_COLUMNS]):
            column = schema.column(number)
            if column.path.partition(".")[0] in columns:
                most = min(most, _rows_of_chunk(file, chunk[_META_DATA], column))
    except InputError:  # a ValueError, too
        raise
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise InputError("its pages are damaged") from error
    finally:
        file.seek(position)
    return max(1, most)


def _rows_of_chunk(file: BinaryIO, chunk: dict[int, Any], column: Any) -> int:
    pages = list(_pages(file, chunk))
    largest = max((page.unpacked_bytes for page in pages), default=1)
    if largest > MAX_PAGE_BYTES:
        raise InputError(f"expected pages of at most {MAX_PAGE_BYTES} bytes, found {largest}; write smaller ones")
    if column.physical_type == "BYTE_ARRAY":
        return 2 * MAX_PAGE_BYTES // max(1, largest)  # no text is longer than the page that it or its dictionary is in
    if sum(_n_values(page) for page in pages) <= MAX_VALUES:
        return MAX_VALUES
    longest = _longest_row(file, pages, chunk[_CODEC], column.max_repetition_level)
    if longest > MAX_VALUES:
        raise InputError(f"expected drawings of at most {MAX_VALUES} numbers, found {longest}; split them")
    return MAX_VALUES // longest


def _pages(file: BinaryIO, chunk: dict[int, Any]) -> Iterator[_Page]:
    position = min(start for start in (chunk[_DATA_START], chunk.get(_DICTIONARY_START)) if start)
    end = position + chunk[_CHUNK_BYTES]
    while position < end:
        file.seek(position)
        header = Compact(file.read(_MAX_HEADER_BYTES))
        page = _Page(header.struct(), position + header.position)
        if page.bytes < 0 or page.unpacked_bytes < 0:
            raise ValueError(page)
        yield page
        position = page.start + page.bytes


def _n_values(page: _Page) -> int:
    header = {_DATA: _DATA_HEADER, _DATA_2: _DATA_2_HEADER}.get(page.kind)
    return int(page.fields[header][1]) if header else 0


def _longest_row(file: BinaryIO, pages: list[_Page], codec: int, max_level: int) -> int:
    """Return the most values of a row: from one repetition level of 0 to the next."""
    import pyarrow as pa

    if not max_level:
        return 1
    width = max_level.bit_length()
    longest = open_ = 0
    for page in pages:
        if not (n_values := _n_values(page)):
            continue
        file.seek(page.start)
        if page.kind == _DATA_2:  # its levels are not compressed
            levels = file.read(int(page.fields[_DATA_2_HEADER][6]))
        else:
            content: Any = file.read(page.bytes)
            if codec:
                content = pa.Codec(_CODECS[codec]).decompress(content, page.unpacked_bytes)
            content = memoryview(content)
            levels = bytes(content[4 : 4 + int.from_bytes(content[:4], "little")])
        for starts, length in _level_runs(levels, width, n_values):
            if not len(starts):
                open_ += length
                continue
            gaps = np.diff(starts).max(initial=0)
            longest = max(longest, open_ + int(starts[0]), int(gaps))
            open_ = length - int(starts[-1])
    return max(longest, open_)


def _level_runs(levels: bytes, width: int, n_values: int) -> Iterator[tuple[Any, int]]:
    """Decode the hybrid of run lengths and packed bits: where level 0 stands in each run, and the run's length."""
    reader = Compact(levels)
    while n_values > 0:
        header = reader.varint()
        if header & 1:
            packed = np.frombuffer(reader.take((header >> 1) * width), np.uint8)
            length = min((header >> 1) * 8, n_values)
            bits = np.unpackbits(packed, bitorder="little").reshape(-1, width)[:length]
            starts = np.flatnonzero(~bits.any(axis=1))
        else:
            length = min(header >> 1, n_values)
            starts = np.array([], np.intp)
            if reader.take(1) == b"\0":  # rows of one value each, of which the last is enough
                n_values -= length - 1
                starts, length = np.array([0]), min(length, 1)
        if length <= 0:
            raise ValueError(header)
        yield starts, length
        n_values -= length
