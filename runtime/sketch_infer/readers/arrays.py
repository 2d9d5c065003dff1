"""Stroke arrays: `.npy`, and `.npz` without pickles."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO

from sketch_infer.array_types import Array
from sketch_infer.errors import InputError, reading_errors
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.npy_format import Header, can_seek, read_blocks, read_header
from sketch_infer.readers.sketch import Sketch, open_source
from sketch_infer.strokes.each import prepare_each
from sketch_infer.strokes.rows import RowForm, RowFormat, prepare, recognize
from sketch_infer.untrusted import printable


def read_npy(
    source: str, input_format: RowFormat, listener: ReadListener, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read one array's sketches."""
    with reading_errors(source), open_source(source, opened) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        header = read_header(source, file, size, strewn=can_seek(file))
        listener.advance(file.tell())
        yield from _ArrayReader(source, source, 0, header, input_format, listener, 1.0).sketches(file)


def read_npz(
    source: str, input_format: RowFormat, listener: ReadListener, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read the sketches of all arrays, one array after the other; a sketch's index counts on."""
    first = 0
    try:
        with reading_errors(source), zipfile.ZipFile(opened or source) as archive:
            for member in archive.infolist():
                name = f"{source}: {printable(member.filename.removesuffix('.npy'))}"
                n_rows = 0
                try:
                    with _open_member(name, archive, member) as file:
                        header = read_header(name, file, member.file_size, strewn=False)
                        n_rows, share = header.shape[0], member.compress_size / max(1, member.file_size)
                        reader = _ArrayReader(source, name, first, header, input_format, listener, share)
                        yield from reader.sketches(file)
                except InputError as error:
                    listener.bad(error)  # an array of labels, say, beside those of strokes
                first += n_rows
    except InputError:
        raise
    # What a damaged archive raises besides BadZipFile, an unknown compression and a password among it.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, LookupError) as error:
        raise InputError(f"{source}: not a complete .npz file ({error}); write it again") from error


def _open_member(name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    # numpy writes no other, and further decoders take as much memory as the file bids.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{name}: expected it stored or deflated; write it again with np.savez_compressed")
    return archive.open(member)


class _ArrayReader:
    """Brings an array's rows to sketches; its first block decides what all its rows are.

    Args:
        source: the file.
        name: what messages call the array.
        first: the index of its first sketch.
        header: what the array says of itself.
        input_format: what the user says of it.
        listener: hears of what cannot be used.
        share: bytes of the file for each of the array.
    """

    def __init__(
        self,
        source: str,
        name: str,
        first: int,
        header: Header,
        input_format: RowFormat,
        listener: ReadListener,
        share: float,
    ) -> None:
        self._source, self._name, self._first, self._header = source, name, first, header
        self._input_format, self._listener, self._share = input_format, listener, share

    def sketches(self, file: IO[bytes]) -> Iterator[Sketch]:
        """Read the array behind its header."""
        form = None
        for row, block in read_blocks(self._name, file, self._header):
            form = form or self._recognize(block)
            yield from self._prepare(row, block, form)
            self._listener.advance(round(block.nbytes * self._share))

    def _recognize(self, block: Array) -> RowForm:
        try:
            form = recognize(list(block), self._input_format)
        except InputError as error:
            raise InputError(f"{self._name}: {error}") from error
        if form.note:
            self._listener.note(f"{self._name}: {form.note}")
        return form

    def _prepare(self, first: int, block: Array, form: RowForm) -> Iterator[Sketch]:
        for row, outcome in enumerate(prepare_each(list(block), lambda rows: prepare(rows, form)), start=first):
            index = self._first + row
            if isinstance(outcome, InputError):
                where = self._name if self._header.one else f"{self._name}: row {row}"
                self._listener.bad(InputError(f"{where}: {outcome}"), index)
            else:
                strokes, aspect = outcome
                yield Sketch(self._source, index, strokes, None, aspect)
