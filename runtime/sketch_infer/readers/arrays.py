"""Stroke arrays: `.npy`, and `.npz` without pickles, read in blocks of rows."""

import io
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sketch_infer.errors import InputError, reading_errors
from sketch_infer.readers.deltas import stroke_3_to_sketches, stroke_5_to_stroke_3
from sketch_infer.readers.sketch import InputFormat, Reading, Sketch, open_source
from sketch_infer.strokes.preprocess import INPUT_SIZE, FloatArray, as_strokes
from sketch_infer.untrusted import printable

STROKE_5 = 5
"""Values in a row of stroke-5: dx, dy, and one of pen down, pen up after this point, end."""

MAX_POINTS = 1_000_000
"""Points of a sketch in an array, padding included."""

_BLOCK_BYTES = 2**22
_MAX_HEADER_BYTES = 10_000
_VERSIONS: dict[tuple[int, int], tuple[struct.Struct, Callable[[Any], Any]]] = {
    (1, 0): (struct.Struct("<H"), np.lib.format.read_array_header_1_0),
    (2, 0): (struct.Struct("<I"), np.lib.format.read_array_header_2_0),
}
"""Of the format: how it writes the length of its header, and who parses both."""
_BEYOND_NETWORK = 1.01
"""Differences of min-max scaled coordinates lie within -1 and 1, to rounding."""

_QUIET = np.errstate(over="ignore", invalid="ignore")
"""Wide floats overflow and some NaNs warn when they are converted; both are refused, with their row."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Header:
    """What an array says of itself: dtype, shape as (N, T, columns), and whether it is one sketch, (T, columns)."""

    dtype: np.dtype[Any]
    shape: tuple[int, int, int]
    fortran: bool
    one: bool

    @property
    def row_bytes(self) -> int:
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    @property
    def at_once(self) -> int:
        """Rows of a block."""
        return max(1, _BLOCK_BYTES // max(1, self.row_bytes))


def read_npy(
    source: str, input_format: InputFormat, reading: Reading, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read one array's sketches."""
    with reading_errors(source), open_source(source, opened) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        header = _read_header(source, file, size, strewn=_can_be_mapped(file))
        blocks = _mapped(file, file.tell(), header) if header.fortran else _blocks(source, file, header)
        reading.advance(file.tell())
        for row, block in blocks:
            input_format = _decide(source, header, block, input_format, reading)
            yield from _sketches(source, source, header, row, block, input_format, reading)
            reading.advance(block.nbytes)


def read_npz(
    source: str, input_format: InputFormat, reading: Reading, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read the sketches of all arrays, one array after the other; a sketch's index counts on."""
    first = 0
    try:
        with reading_errors(source), zipfile.ZipFile(opened or source) as archive:
            for member in archive.infolist():
                name = f"{source}: {printable(member.filename.removesuffix('.npy'))}"
                with _open_member(name, archive, member) as file:
                    header = _read_header(name, file, member.file_size, strewn=False)
                    format_ = input_format
                    for row, block in _blocks(name, file, header):
                        format_ = _decide(name, header, block, format_, reading)
                        for sketch in _sketches(source, name, header, row, block, format_, reading):
                            yield Sketch(source, first + sketch.index, sketch.strokes, None, sketch.aspect)
                first += header.shape[0]
                reading.advance(member.compress_size)
    except InputError:
        raise
    # What a damaged archive raises besides BadZipFile, an unknown compression and a password among it.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, LookupError) as error:
        raise InputError(f"{source}: not a whole .npz file ({error}); write it again") from error


def _open_member(name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    # numpy writes no other, and further decoders take as much memory as the file bids.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{name}: expected it stored or deflated; write it again with np.savez_compressed")
    return archive.open(member)


def _read_header(name: str, file: Any, size: int, strewn: bool = True) -> _Header:
    """Read what stands before the numbers, and check that they are strokes and all there.

    Not np.load, which would also unpickle, and no memory map, which ends the process when the file shrinks meanwhile.
    """
    try:
        shape, fortran, dtype = _parse_header(file)
        n_values = math.prod(np.array(shape, np.uint64).tolist())  # raises for what is no length
    except Exception as error:  # a damaged header is parsed as Python and raises whatever it triggers
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{name}: not a whole .npy array ({printable(reason, 200)}); write it again") from error
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
    # Without numbers there is no order, and nothing to map.
    header = _Header(dtype, (n, points, columns), fortran and n_values > 0, len(shape) == 2)
    if size - file.tell() < n_values * dtype.itemsize:
        raise InputError(f"{name}: not a whole .npy array (its {size} bytes are too few for {shape}); write it again")
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


def _blocks(name: str, file: Any, header: _Header) -> Iterator[tuple[int, Array]]:
    """Read an array in C order: the number of a block's first row, and the block (n, T, columns)."""
    n, *sketch_shape = header.shape
    for start in range(0, n, header.at_once):
        rows = min(header.at_once, n - start)
        content = file.read(rows * header.row_bytes)
        if len(content) < rows * header.row_bytes:
            raise InputError(f"{name}: not a whole .npy array (cut off at row {start} or later); write it again")
        yield start, np.frombuffer(content, header.dtype).reshape(rows, *sketch_shape)


def _can_be_mapped(file: BinaryIO) -> bool:
    """Tell a file of this machine from a stream of an object store."""
    try:
        file.fileno()
    except OSError:
        return False
    return True


def _mapped(file: BinaryIO, offset: int, header: _Header) -> Iterator[tuple[int, Array]]:
    """Read an array in Fortran order, whose rows are strewn over the file; each block has a map of its own."""
    n, *sketch_shape = header.shape
    for start in range(0, n, header.at_once):
        shape = tuple(sketch_shape) if header.one else header.shape
        mapped = np.memmap(file, header.dtype, "r", offset, shape, order="F")
        yield start, np.array(mapped[None] if header.one else mapped[start : start + header.at_once])


@_QUIET
def _decide(name: str, header: _Header, block: Array, input_format: InputFormat, reading: Reading) -> InputFormat:
    """Return what an array's rows are, which its first block decides for all, and refuse columns that contradict it."""
    columns = header.shape[2]
    if (columns == STROKE_5) != (input_format == "stroke-5") and (input_format, columns) != ("auto", INPUT_SIZE):
        if input_format == "auto":
            return "stroke-5"
        raise InputError(f"{name}: expected rows that fit --input-format {input_format}, found {columns} columns")
    if input_format != "auto":
        return input_format
    # NaN and infinity are for the network's reader, which refuses them.
    largest = np.abs(block[..., :2].astype(np.float64)).max(initial=0.0)
    if not _BEYOND_NETWORK < largest < np.inf:
        return "network"
    reading.note(
        f"{name}: differences go up to {largest:.4g}, so it is read as unscaled stroke-3 and scaled; "
        "--input-format network takes it as it is"
    )
    return "stroke-3"


def _sketches(
    source: str, name: str, header: _Header, first: int, block: Array, input_format: InputFormat, reading: Reading
) -> Iterator[Sketch]:
    """Prepare a block, all at once where that works, else row by row to learn which one does not."""
    try:
        prepared = _prepare(block, input_format, first, header.one)
    except InputError as error:
        if input_format == "network" and not reading.skips:
            reading.bad(InputError(f"{name}: {error}"))  # names all the block's bad rows
    else:
        for row, (strokes, aspect) in enumerate(prepared, start=first):
            yield Sketch(source, row, strokes, None, aspect)
        return
    for row in range(len(block)):
        try:
            ((strokes, aspect),) = _prepare(block[row : row + 1], input_format, 0, one=True)
        except InputError as error:
            reading.bad(InputError(f"{name}: {error}" if header.one else f"{name}: row {first + row}: {error}"))
        else:
            yield Sketch(source, first + row, strokes, None, aspect)


@_QUIET
def _prepare(block: Array, input_format: InputFormat, first: int, one: bool) -> list[tuple[FloatArray, float]]:
    """Return strokes, float32 (T, 3), and width / height of each row; messages of one sketch name points."""
    if input_format == "network":
        strokes = as_strokes(block[0] if one else block, first_row=first)
        return [(sketch, 1.0) for sketch in (strokes[None] if one else strokes)]
    if input_format == "stroke-5":
        return stroke_3_to_sketches([stroke_5_to_stroke_3(rows) for rows in block])
    return stroke_3_to_sketches(list(block))
