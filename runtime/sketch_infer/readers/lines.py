"""Quick, Draw! drawings as text: a JSON object a line."""

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from sketch_infer.errors import InputError, reading_errors
from sketch_infer.readers.drawings import MAX_BYTES, DrawingFormat, Row, blocks_of, prepare_drawings
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.live_lines import LiveLines
from sketch_infer.readers.sketch import Sketch, open_source
from sketch_infer.untrusted import printable

_MAX_SKIPPED = 2**26
"""Bytes of a line that is too long which are read to find its end: a device or an archive may have none."""

_QUOTED = 40
"""Bytes of a line that a message shows."""


def read_ndjson(
    source: str, input_format: DrawingFormat, listener: ReadListener, opened: BinaryIO | None = None
) -> Iterator[Sketch]:
    """Read `.ndjson` or `.ndjson.gz`."""
    with reading_errors(source), open_source(source, opened) as file:
        rows = read_rows(source, file)
        yield from prepare_drawings(source, blocks_of(source, rows, listener, file), input_format, listener)


def read_stdin(file: BinaryIO, input_format: DrawingFormat, listener: ReadListener) -> Iterator[Sketch]:
    """Read lines of standard input, whose source is `-`, as they come."""
    called, lines = "standard input", LiveLines(file)
    blocks = blocks_of(called, read_rows(called, lines), listener, pauses=lines.pause)
    yield from prepare_drawings("-", blocks, input_format, listener, pauses=lines.pause)


def read_rows(source: str, file: BinaryIO | LiveLines) -> Iterator[tuple[Row, int]]:
    """Read lines.

    Args:
        source: what messages call the file; gzipped if it ends in `.gz`.
        file: at its start.

    Yields:
        where a line stands and its record, an object with a "drawing", or the InputError that it is none; its bytes.
        What ends the reading is the last row, so that those before it are not lost.
    """
    try:
        if source.lower().endswith(".gz"):
            with gzip.GzipFile(fileobj=cast(BinaryIO, file)) as lines:
                yield from _rows(source, lines)
        else:
            yield from _rows(source, file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield (source, InputError(f"not a complete gzip file ({error})")), 0
    except OSError as error:
        yield (source, InputError(f"cannot be read: {error.strerror or error}")), 0


def _rows(source: str, lines: BinaryIO | gzip.GzipFile | LiveLines) -> Iterator[tuple[Row, int]]:
    number = 0
    while line := lines.readline(MAX_BYTES + 1):
        number += 1
        where = f"{source}:{number}"
        if number == 1 and (line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or line[:2].count(0) == 1):
            yield (source, InputError("expected UTF-8 text, found UTF-16; save it as UTF-8")), 0
            return
        if len(line) > MAX_BYTES:
            # Told first, since a run that stops here need not look for the line's end.
            yield (where, InputError(f"expected a line of at most {MAX_BYTES} bytes, found a longer one")), MAX_BYTES
            skipped = 0
            while line and not line.endswith(b"\n"):
                line = lines.readline(MAX_BYTES)
                skipped += len(line)
                if skipped > _MAX_SKIPPED:
                    yield (source, InputError(f"no line end within {_MAX_SKIPPED} bytes; the rest is not read")), 0
                    return
        elif line.strip():
            yield (where, _record(line)), len(line)


def _record(line: bytes) -> dict[str, Any] | InputError:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:  # ValueError covers JSON and UTF-8 errors
        return InputError(f"expected a JSON object, found {line[:_QUOTED]!r} ({_reason(line, error)})")
    if isinstance(record, list):
        return InputError("expected a JSON object, found an array; write one object a line")
    if not isinstance(record, dict) or "drawing" not in record:
        found = f"the keys {printable(', '.join(record))}" if isinstance(record, dict) and record else "none"
        return InputError(f'expected a JSON object with a "drawing", found {found}')
    return record


def _reason(line: bytes, error: Exception) -> str:
    if line.lstrip().startswith(b"["):
        return "an array; write one object a line"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else "not UTF-8"
