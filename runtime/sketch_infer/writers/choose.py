"""Where results go: the format that the user means, and the writer that has it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from sketch_infer.atomic import write_atomically
from sketch_infer.errors import OutputError
from sketch_infer.writers.text import CsvWriter, JsonLinesWriter, JsonWriter, TableWriter, Writer

TEXT_FORMATS = ("table", "json", "jsonl", "csv")
FILE_FORMATS = ("npz", "parquet", "html")
"""What only a file can hold, by its suffix."""

_SPOOLED = 2**24
"""Characters of a JSON array for standard output that are held in memory, and not in a temporary file."""


def format_of(output: Path | None) -> str:
    """Return what a file's suffix says of its format, known or not; empty without a file."""
    return output.suffix.removeprefix(".").lower() if output else ""


def choose_format(format_: str | None, output: Path | None) -> str:
    """Return the output format: as asked for, by the file's suffix, or by where standard output goes.

    Raises:
        click.UsageError: if the suffix names no format.
    """
    if format_:
        return format_
    if not output:
        return "table" if sys.stdout and sys.stdout.isatty() else "jsonl"
    suffix = format_of(output)
    if suffix not in (*TEXT_FORMATS, *FILE_FORMATS):
        suffixes = ", ".join(f".{known}" for known in [*TEXT_FORMATS, *FILE_FORMATS])
        raise click.UsageError(f"expected --output to end in one of {suffixes}, found {output}; or name the --format")
    return suffix


@contextmanager
def open_writer(
    format_: str, output: Path | None, top_k: int, classes: tuple[str, ...], sources: tuple[str, ...]
) -> Iterator[Writer]:
    """Open the writer of a format; a file appears when the block ends well.

    Args:
        format_: one of TEXT_FORMATS or FILE_FORMATS.
        output: the file, or None for standard output.
        top_k: classes to name a sketch.
        classes: all class names, for the columns' widths and the arrays.
        sources: names of the inputs.

    Raises:
        OutputError: if there is no standard output, or the file cannot be written.
        DependencyError: if the format needs a package that is not installed.
    """
    if output is None:
        if sys.stdout is None:
            raise OutputError("standard output is closed; name a file with --output")
        if format_ != "json":
            yield _text_writer(format_, sys.stdout, top_k, classes, sources)
            return
        import shutil  # late, as few need them
        import tempfile

        # An array that breaks off after an error in the input would not be JSON.
        with tempfile.SpooledTemporaryFile(_SPOOLED, "w+", encoding="utf-8") as spool:
            yield JsonWriter(spool, top_k)
            spool.seek(0)
            shutil.copyfileobj(spool, sys.stdout)
        return
    with write_atomically(output) as temporary:
        if format_ in ("npz", "parquet"):
            from sketch_infer.writers.arrays import NpzWriter, ParquetWriter  # late, as few need them

            with NpzWriter(temporary, classes) if format_ == "npz" else ParquetWriter(temporary, top_k) as writer:
                yield writer
        else:
            with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
                yield _text_writer(format_, stream, top_k, classes, sources)


def _text_writer(
    format_: str, stream: TextIO, top_k: int, classes: tuple[str, ...], sources: tuple[str, ...]
) -> Writer:
    match format_:
        case "json":
            return JsonWriter(stream, top_k)
        case "csv":
            return CsvWriter(stream, top_k, classes)
        case "table":
            import shutil  # late, as a pipe does without it

            width = shutil.get_terminal_size().columns if stream.isatty() else None
            return TableWriter(stream, top_k, classes, sources, width)
        case "html":
            from sketch_infer.writers.gallery import GalleryWriter  # late, as few need it

            return GalleryWriter(stream, top_k, classes)
    return JsonLinesWriter(stream, top_k)
