"""`sketch-search`: similar drawings, found by short binary codes."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sketch_infer._version import __version__
from sketch_infer.cli.console import Group, provider_option
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.readers.sketch import INPUT_FORMATS, ON_ERROR, InputFormat, OnError
from sketch_search import commands
from sketch_search.commands import Reading
from sketch_search.encode import DEFAULT_MODEL
from sketch_search.results import Format

EXAMPLES = """\b
Examples:
  sketch-search build drawings/ --output drawings.index
  sketch-search build more/ --output drawings.index --append --on-error skip
  sketch-search build drawings/ --output drawings.index --resume --threads 2
  sketch-search query cat.ndjson --index drawings.index -k 5 --html similar.html
  sketch-search duplicates drawings.index --format jsonl
  sketch-search suspects drawings.index --limit 100 --html suspects.html
  sketch-search info drawings.index
"""

Decorated = Callable[..., Any]


def _reading_options(command: Decorated) -> Decorated:
    """Add the options of commands that read and encode drawings; they arrive as one `Reading`."""

    @functools.wraps(command)
    def with_reading(
        strokes: tuple[str, ...],
        model: str,
        provider: ProviderChoice,
        input_format: InputFormat,
        on_error: OnError,
        quiet: bool,
        **others: Any,
    ) -> None:
        command(Reading(strokes, model, provider, input_format, on_error == "skip", quiet), **others)

    decorated: Decorated = with_reading
    options = (
        click.argument("strokes", nargs=-1, required=True),
        click.option(
            "--model",
            default=DEFAULT_MODEL,
            show_default=True,
            help="Model file with codes, or the name of an installed model. An index works with the model that it was "
            "built with.",
        ),
        provider_option,
        click.option(
            "--input-format",
            type=click.Choice(INPUT_FORMATS),
            default="auto",
            show_default=True,
            help="Override the detected format, as for sketch-infer.",
        ),
        click.option(
            "--on-error",
            type=click.Choice(ON_ERROR),
            default="stop",
            show_default=True,
            help="What to do about a drawing or file that cannot be used: stop, or skip it, report it, and exit with "
            "code 1 in the end.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print no notes and no progress bar."),
    )
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def _result_options(command: Decorated) -> Decorated:
    """Add the options of commands that print what they found."""
    command = click.option(
        "--html", type=click.Path(path_type=Path), help="Also write a page with the pictures to this file."
    )(command)
    return click.option(
        "--format",
        "format_",
        type=click.Choice(("table", "jsonl")),
        help="Output format. By default table on a terminal and jsonl in a pipe.",
    )(command)


def _index_argument(command: Decorated) -> Decorated:
    return click.argument("index", type=click.Path(path_type=Path))(command)


@click.group(cls=Group, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sketch-search")
def main() -> None:
    """Find similar drawings, by codes of 64 bits.

    Exit codes: 0 success; 1 drawings were skipped; 2 wrong usage or unusable input.
    """


@main.command()
@_reading_options
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The index to write.")
@click.option("--append", is_flag=True, help="Keep the drawings that the index already holds.")
@click.option("--resume", is_flag=True, help="Continue where an interrupted run of the same command stopped.")
@click.option("--threads", type=click.IntRange(min=1), help="Batches to run in parallel. Default: one per core.")
def build(reading: Reading, output: Path, append: bool, resume: bool, threads: int | None) -> None:
    """Build an index of the drawings in STROKES.

    STROKES are files, folders or - as for sketch-infer. A drawing's word is kept; where the file has none, the file's
    name is taken if it is one of the model's classes.
    """
    commands.build(reading, commands.Building(output, append, resume, threads))


@main.command()
@_reading_options
@click.option("--index", type=click.Path(path_type=Path), required=True, help="The index to search.")
@click.option("-k", "k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Neighbors per drawing.")
@_result_options
def query(reading: Reading, index: Path, k: int, format_: Format | None, html: Path | None) -> None:
    """Find the most similar drawings.

    For each drawing in STROKES, these are the drawings of the index whose codes differ in the fewest bits.
    """
    commands.query(reading, index, k, format_, html)


@main.command()
@_index_argument
@_result_options
def duplicates(index: Path, format_: Format | None, html: Path | None) -> None:
    """Find groups of drawings in INDEX that are the same drawing.

    Their lines are nowhere more than 4 units apart if the longer side is 255. A mirrored drawing is not the same.
    """
    commands.duplicates(index, format_, html)


@main.command()
@_index_argument
@click.option("--limit", type=click.IntRange(min=1), help="Print only this many, the most suspicious ones.")
@_result_options
def suspects(index: Path, limit: int | None, format_: Format | None, html: Path | None) -> None:
    """Find drawings that are probably mislabeled.

    More of their neighbors in INDEX have one other label than have theirs.
    """
    commands.suspects(index, limit, format_, html)


@main.command()
@_index_argument
def info(index: Path) -> None:
    """Print what INDEX holds, and check that it is not damaged."""
    commands.info(index)
