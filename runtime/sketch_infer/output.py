"""Where results go: the format that the user means, and the writer that has it."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from .atomic import write_atomically
from .errors import OutputError
from .formats import CsvWriter, JsonLinesWriter, JsonWriter, NpzWriter, TableWriter, Writer

TEXT_FORMATS = ("table", "json", "jsonl", "csv")


def choose_format(format_: str | None, output: Path | None) -> str:
    """Return the output format: as asked for, by the file's suffix, or by where standard output goes.

    Raises:
        click.UsageError: if the two contradict each other or say nothing.
    """
    suffix = output.suffix.removeprefix(".").lower() if output else ""
    if output and str(output) == "-":
        raise click.UsageError("--output - names no file; leave it out to write to standard output")
    if suffix == "npz":
        if format_:
            raise click.UsageError(f"--format {format_} cannot go into an .npz file; leave one of the two out")
        return suffix
    if format_:
        return format_
    if not output:
        return "table" if sys.stdout and sys.stdout.isatty() else "jsonl"
    if suffix not in TEXT_FORMATS:
        raise click.UsageError(
            f"expected --output to end in .json, .jsonl, .csv, .npz or .table, found {output}; or name the --format"
        )
    return suffix


@contextmanager
def open_writer(
    format_: str, output: Path | None, top_k: int, classes: tuple[str, ...], sources: tuple[str, ...]
) -> Iterator[Writer]:
    """Open the writer of a format; a file appears when the block ends well.

    Args:
        format_: one of TEXT_FORMATS, or "npz".
        output: the file, or None for standard output.
        top_k: classes to name a sketch.
        classes: all class names, for the columns' widths and the arrays.
        sources: names of the inputs.

    Raises:
        OutputError: if there is no standard output, or the file cannot be written.
    """
    if output is None:
        if sys.stdout is None:
            raise OutputError("standard output is closed; name a file with --output")
        if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter shows its number
            sys.stdout.reconfigure(errors="backslashreplace")
        yield _text_writer(format_, sys.stdout, top_k, classes, sources)
        return
    with write_atomically(output) as temporary:
        if format_ == "npz":
            yield NpzWriter(temporary, classes)
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
            return TableWriter(stream, top_k, classes, sources)
    return JsonLinesWriter(stream, top_k)
