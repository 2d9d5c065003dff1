"""How large the rows of a `.parquet` file can become, told by its pages before they are decoded.

A file of a kilobyte may hold a row of gigabytes, by dictionaries, run lengths and compression, and Arrow decodes a row
as a whole. The format is described in github.com/apache/parquet-format: README.md, Encodings.md and parquet.thrift.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from sketch_infer.errors import InputError

MAX_PAGE_BYTES = 2**25
"""Of a page, unpacked. Writers aim at one megabyte."""

MAX_VALUES = 2**21
"""Numbers of rows that are decoded together, 50 MB in Arrow; more in one row are refused."""

_MAX_HEADER_BYTES = 2**16
_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3
_DATA_HEADER, _DICTIONARY_HEADER, _DATA_2_HEADER = 5, 7, 8


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


def rows_at_once(file: BinaryIO, table: Any, group: int, columns: Sequence[str], most: int) -> int:
    """Return how many rows of a group can be decoded together.

    Args:
        file: the table's.
        table: pyarrow's ParquetFile.
        group: number of a row group.
        columns: names of those that are read.
        most: rows that are enough.

    Raises:
        InputError: if a page or a row is too large.
    """
    position = file.tell()
    try:
        for number in range(table.metadata.num_columns):
            chunk, column = table.metadata.row_group(group).column(number), table.schema.column(number)
            if chunk.path_in_schema.partition(".")[0] in columns:
                most = min(most, _rows_of_chunk(file, chunk, column))
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise InputError("its pages are damaged") from error
    finally:
        file.seek(position)
    return max(1, most)


def _rows_of_chunk(file: BinaryIO, chunk: Any, column: Any) -> int:
    pages = list(_pages(file, chunk))
    largest = max((page.unpacked_bytes for page in pages), default=1)
    if largest > MAX_PAGE_BYTES:
        raise InputError(f"expected pages of at most {MAX_PAGE_BYTES} bytes, found {largest}; write smaller ones")
    if column.physical_type == "BYTE_ARRAY":
        return 2 * MAX_PAGE_BYTES // max(1, largest)  # no text is longer than the page that it or its dictionary is in
    if sum(_n_values(page) for page in pages) <= MAX_VALUES:
        return MAX_VALUES
    longest = _longest_row(file, pages, chunk.compression, column.max_repetition_level)
    if longest > MAX_VALUES:
        raise InputError(f"expected drawings of at most {MAX_VALUES} numbers, found {longest}; split them")
    return MAX_VALUES // longest


def _pages(file: BinaryIO, chunk: Any) -> Iterator[_Page]:
    starts = [chunk.data_page_offset, *([chunk.dictionary_page_offset] if chunk.has_dictionary_page else [])]
    position = min(start for start in starts if start)
    end = position + chunk.total_compressed_size
    while position < end:
        file.seek(position)
        header = _Compact(file.read(_MAX_HEADER_BYTES))
        page = _Page(header.struct(), position + header.position)
        if page.bytes < 0 or page.unpacked_bytes < 0:
            raise ValueError(page)
        yield page
        position = page.start + page.bytes


def _n_values(page: _Page) -> int:
    header = {_DATA: _DATA_HEADER, _DATA_2: _DATA_2_HEADER}.get(page.kind)
    return int(page.fields[header][1]) if header else 0


def _longest_row(file: BinaryIO, pages: list[_Page], compression: str, max_level: int) -> int:
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
            if compression != "UNCOMPRESSED":
                codec = pa.Codec({"LZ4": "lz4_raw"}.get(compression, compression.lower()))
                content = codec.decompress(content, page.unpacked_bytes)
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
    reader = _Compact(levels)
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


class _Compact:
    """Reads Thrift's compact protocol; raises LookupError or ValueError where it is damaged."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.position = 0

    def take(self, n_bytes: int) -> bytes:
        start, self.position = self.position, self.position + n_bytes
        if n_bytes < 0 or self.position > len(self._content):
            raise ValueError(n_bytes)
        return self._content[start : self.position]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError(shift)

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return a struct's fields by their numbers."""
        fields: dict[int, Any] = {}
        number = 0
        while head := self.take(1)[0]:
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self.take(1)[0]
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 7:
            return self.take(8)
        if kind == 8:
            return self.take(self.varint())
        if kind == 12 and depth < 8:
            return self.struct(depth + 1)
        raise ValueError(kind)  # no page header holds lists or maps
