"""The `.npy` format, read in blocks of rows.

Not by np.load, which would also unpickle, and without a memory map, which ends the process when the file shrinks.
"""

import io
import math
import os
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from sketch_infer.array_types import Array
from sketch_infer.errors import InputError
from sketch_infer.strokes.preprocess import INPUT_SIZE
from sketch_infer.strokes.rows import STROKE_5
from sketch_infer.untrusted import printable

MAX_POINTS = 1_000_000
"""Points of a sketch in an array, padding included."""

_BLOCK_BYTES = 2**22
_STREWN_BLOCK_BYTES = 2**24
"""In Fortran order a block is picked from all over the file, which is the faster the larger it is."""
_FAR_APART = 2**16
"""Bytes between two numbers of a sketch from which on a seek takes less time than reading what is between."""
_MAX_HEADER_BYTES = 10_000
_VERSIONS: dict[tuple[int, int], tuple[struct.Struct, Callable[[Any], Any]]] = {
    (1, 0): (struct.Struct("<H"), np.lib.format.read_array_header_1_0),
    (2, 0): (struct.Struct("<I"), np.lib.format.read_array_header_2_0),
}
"""Of the format: how it writes the length of its header, and who parses both."""


@dataclass(frozen=True)
class Header:
    """What an array says of itself: dtype, shape as (N, T, columns), and whether it is one sketch, (T, columns)."""

    dtype: np.dtype[Any]
    shape: tuple[int, int, int]
    fortran: bool
    one: bool

    @property
    def row_bytes(self) -> int:
        """Bytes of a sketch."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    @property
    def at_once(self) -> int:
        """Rows of a block."""
        return max(1, (_STREWN_BLOCK_BYTES if self.fortran else _BLOCK_BYTES) // max(1, self.row_bytes))


def read_header(name: str, file: Any, size: int, strewn: bool) -> Header:
    """Read what stands before the numbers, and check that they are strokes and all there.

    Args:
        name: what messages call the array.
        file: at the array's start.
        size: bytes of the array.
        strewn: whether the file can be read in Fortran order.

    Raises:
        InputError: if they are not.
    """
    try:
        shape, fortran, dtype = _parse_header(file)
        n_values = math.prod(np.array(shape, np.uint64).tolist())  # raises for what is no length
    except Exception as error:  # a damaged header is parsed as Python and raises whatever it triggers
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{name}: not a complete .npy array ({printable(reason, 200)}); write it again") from error
    if dtype.hasobject:
        raise InputError(
            f"{name}: expected a float or integer array, found Python objects (pickled); docs/input.md says how to "
            "convert them"
        )
    if dtype.kind not in "fiu":
        raise InputError(f"{name}: expected strokes of a float or integer dtype, found {dtype}")
    if fortran and not strewn:
        raise InputError(f"{name}: expected an array in C order; save np.ascontiguousarray of it")
    if len(shape) not in (2, 3) or shape[-1] not in (INPUT_SIZE, STROKE_5):
        raise InputError(
            f"{name}: expected strokes as (T, 3), (N, T, 3) or the same with 5 columns, found shape {shape}"
        )
    n, points, columns = shape if len(shape) == 3 else (1, *shape)
    if points > MAX_POINTS or (n > 1 and not points):
        raise InputError(f"{name}: expected sketches of 1 to {MAX_POINTS} points, found shape {shape}")
    # Without numbers there is no order.
    header = Header(dtype, (n, points, columns), fortran and n_values > 0, len(shape) == 2)
    if size - file.tell() < n_values * dtype.itemsize:
        raise InputError(
            f"{name}: not a complete .npy array (its {size} bytes are too few for {shape}); write it again"
        )
    return header


def _parse_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether in Fortran order, and dtype; raises ValueError and what the parsers raise."""
    length, parse = _VERSIONS[np.lib.format.read_magic(file)]
    start = file.read(length.size)
    (size,) = length.unpack(start)
    if size > _MAX_HEADER_BYTES:  # numpy reads all of it before it looks, and in an archive that may be gigabytes
        raise ValueError(f"a header of {size} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python's parser, about odd literals, and numpy's, about Python 2
        shape, fortran, dtype = parse(io.BytesIO(start + file.read(size)))
    if bool in map(type, shape):  # an int to Python, and no length to numpy
        raise ValueError(f"shape {shape}")
    return shape, fortran, dtype


def read_blocks(name: str, file: Any, header: Header) -> Iterator[tuple[int, Array]]:
    """Read the numbers behind a header: the number of a block's first row, and the block (n, T, columns).

    Raises:
        InputError: if the file ends before them.
    """
    return (_rows_strewn if header.fortran else _rows_in_order)(name, file, header)


def _rows_in_order(name: str, file: Any, header: Header) -> Iterator[tuple[int, Array]]:
    """Read an array in C order: the number of a block's first row, and the block (n, T, columns)."""
    n, *sketch_shape = header.shape
    for start in range(0, n, header.at_once):
        rows = min(header.at_once, n - start)
        content = file.read(rows * header.row_bytes)
        if len(content) < rows * header.row_bytes:
            raise InputError(f"{name}: not a complete .npy array (cut off at row {start} or later); write it again")
        yield start, np.frombuffer(content, header.dtype).reshape(rows, *sketch_shape)


def _rows_strewn(name: str, file: Any, header: Header) -> Iterator[tuple[int, Array]]:
    """Read an array in Fortran order, where one number of all sketches stands together."""
    n, points, columns = header.shape
    start, size, n_numbers = file.tell(), header.dtype.itemsize, points * columns
    # Where the sketches are few, what is between their numbers is read too: a seek for each would take longer.
    at_once = max(1, _BLOCK_BYTES // (n * size)) if n * size < _FAR_APART else 1
    for first in range(0, n, header.at_once):
        rows = min(header.at_once, n - first)
        block = np.empty((n_numbers, rows), header.dtype)
        for number in range(0, n_numbers, at_once):
            count = min(at_once, n_numbers - number)
            skipped, read = (0, n) if at_once > 1 else (first, rows)
            file.seek(start + (number * n + skipped) * size)
            content = file.read(count * read * size)
            if len(content) < count * read * size:
                raise InputError(f"{name}: not a complete .npy array (cut off while it was read); write it again")
            numbers = np.frombuffer(content, header.dtype).reshape(count, read)
            block[number : number + count] = numbers[:, first - skipped : first - skipped + rows]
        yield first, block.reshape((columns, points, rows)).transpose(2, 1, 0)


def can_seek(file: IO[bytes]) -> bool:
    """Tell a file of this machine from a stream of an object store."""
    try:
        os.fstat(file.fileno())
    except OSError:
        return False
    return True
