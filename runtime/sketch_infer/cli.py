"""`sketch-infer`: classify sketches from files."""

import io
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from . import __version__
from .atomic import write_atomically
from .classifier import Classifier, default_model
from .console import Command, provider_option, refuse_overwriting
from .engine import DEFAULT_BATCH_SIZE
from .errors import OutputError, ParityError
from .formats import CsvWriter, JsonLinesWriter, JsonWriter, NpzWriter, TableWriter, Writer
from .model_file import PRECISIONS, Precision
from .providers import CPU, ProviderChoice
from .readers import STDIN, read_sketches
from .strokes import to_batch

if TYPE_CHECKING:
    from .compare import EagerComparison

SKETCHES_AT_ONCE = 512
"""Read, sorted by length and classified together: bounds the memory, and gives every worker some batches."""

TEXT_FORMATS = ("table", "json", "jsonl", "csv")


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("strokes", nargs=-1, required=True)
@click.option("--model", type=click.Path(path_type=Path), help="Model file; by default the one `make export` wrote.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Which of the two models of `make export`: fp32, the default, is exact; int8 is smaller and faster.",
)
@provider_option
@click.option("--top-k", type=click.IntRange(min=1), default=5, show_default=True, help="Classes to name per sketch.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(TEXT_FORMATS),
    help="Output format; by default --output's suffix, else a table on a terminal and jsonl in a pipe.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write instead of stdout; .npz gives log_probs, logits and labels as arrays.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, 65536),
    default=DEFAULT_BATCH_SIZE,
    show_default=True,
    help="Sketches per call into ONNX Runtime.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, os.cpu_count() or 1),
    help="Batches that run at a time; by default one a core.",
)
@click.option(
    "--compare-eager",
    metavar="CHECKPOINT",
    type=click.Path(path_type=Path),
    help="Also run this checkpoint in eager PyTorch on the same strokes and compare (needs torch).",
)
@click.version_option(__version__)
def main(
    strokes: tuple[str, ...],
    model: Path | None,
    precision: Precision | None,
    provider: ProviderChoice,
    top_k: int,
    format_: str | None,
    output: Path | None,
    batch_size: int,
    threads: int | None,
    compare_eager: Path | None,
) -> None:
    """Classify the sketches in STROKES.

    STROKES are .npy arrays, one sketch (T, 3) or many (N, T, 3) of rows (dx, dy, pen); or Quick, Draw! drawings, one
    JSON object a line, as .ndjson, .ndjson.gz, or - for standard input.

    Exit codes: 0 done; 1 CUDA did not start, or eager PyTorch differs; 2 wrong usage or unusable input.
    """
    format_ = _choose_format(format_, output)
    if strokes.count(STDIN) > 1:
        raise click.UsageError("standard input, -, can be read once")
    if model and precision:
        raise click.UsageError("--precision chooses between the models of `make export`; leave it out with --model")
    model = model or default_model(precision or "fp32")
    refuse_overwriting(output, [*strokes, model, compare_eager])
    comparison = _eager_comparison(compare_eager) if compare_eager else None
    sketches = itertools.chain.from_iterable([read_sketches(source) for source in strokes])
    classifier = Classifier(model, provider, batch_size, threads)
    # Before anything is written, so that an unusable first file leaves no output at all.
    first = list(itertools.islice(sketches, SKETCHES_AT_ONCE))
    sketches = itertools.chain(first, sketches)
    _tell_about_model(classifier, provider)
    sequence_length = classifier.metadata.sequence_length
    n_cut = n_sketches = 0
    with _open_writer(format_, output, top_k, classifier.metadata.labels, strokes) as writer:
        while chunk := list(itertools.islice(sketches, SKETCHES_AT_ONCE)):
            batch, cut = to_batch([sketch.strokes for sketch in chunk], sequence_length)
            predictions = classifier.predict(batch)
            writer.write(chunk, predictions)
            if comparison:
                comparison.add(batch, predictions)
            n_sketches += len(chunk)
            n_cut += cut
        if comparison:
            report = comparison.report()
            _note(str(report))
            if not report:  # inside the block, so that --output is not written: the answers are not to be trusted
                raise ParityError(f"the model differs from eager PyTorch with {compare_eager}; see the report above")
        writer.finish()
    if n_cut:
        _note(f"warning: cut {n_cut} of {n_sketches} sketches to the network's {sequence_length} points")


def _eager_comparison(checkpoint: Path) -> "EagerComparison":
    from .compare import EagerComparison  # late, as few ask for it

    return EagerComparison(checkpoint)


def _choose_format(format_: str | None, output: Path | None) -> str:
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


def _tell_about_model(classifier: Classifier, provider: ProviderChoice) -> None:
    if provider == "auto":
        reason = f"; no CUDA: {classifier.cuda_missing}" if classifier.provider == CPU else ""
        _note(f"running on {classifier.provider}{reason}")
    if classifier.metadata.random_weights:
        _note("warning: this model's weights are random, it was never trained: its labels mean nothing")


@contextmanager
def _open_writer(
    format_: str, output: Path | None, top_k: int, classes: tuple[str, ...], sources: tuple[str, ...]
) -> Iterator[Writer]:
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


def _note(text: str) -> None:
    """Print to stderr, so that stdout carries results alone."""
    click.echo(text, err=True)
