"""`sketch-infer`: classify sketches from files."""

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import __version__
from .classifier import Classifier, default_model
from .console import Command, provider_option, refuse_overwriting, report_option
from .engine import DEFAULT_BATCH_SIZE
from .errors import ParityError
from .model_file import PRECISIONS, Precision
from .output import TEXT_FORMATS, choose_format, open_writer
from .providers import CPU, ProviderChoice
from .readers import STDIN, read_sketches
from .strokes import to_batch

if TYPE_CHECKING:
    from .compare import EagerComparison

SKETCHES_AT_ONCE = 512
"""Read, sorted by length and classified together: bounds the memory, and gives every worker some batches."""


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("strokes", nargs=-1)
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
@click.option(
    "--self-check",
    is_flag=True,
    help="Instead of classifying, prove the model on this device against eager PyTorch's recorded answers.",
)
@report_option
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
    self_check: bool,
    report: Path | None,
) -> None:
    """Classify the sketches in STROKES.

    STROKES are .npy arrays, one sketch (T, 3) or many (N, T, 3) of rows (dx, dy, pen); or Quick, Draw! drawings, one
    JSON object a line, as .ndjson, .ndjson.gz, or - for standard input.

    Exit codes: 0 done; 1 CUDA did not start, eager PyTorch differs, or a self-check failed; 2 wrong usage or unusable
    input.
    """
    if model and precision:
        raise click.UsageError("--precision chooses between the models of `make export`; leave it out with --model")
    if self_check:
        _run_self_check(model or default_model(precision or "fp32"), provider, strokes, format_, report)
        return
    if report:
        raise click.UsageError("--report goes with --self-check")
    if not strokes:
        raise click.UsageError("expected STROKES, files to classify; or --self-check")
    format_ = choose_format(format_, output)
    if strokes.count(STDIN) > 1:
        raise click.UsageError("standard input, -, can be read once")
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
    with open_writer(format_, output, top_k, classifier.metadata.labels, strokes) as writer:
        while chunk := list(itertools.islice(sketches, SKETCHES_AT_ONCE)):
            batch, cut = to_batch([sketch.strokes for sketch in chunk], sequence_length)
            predictions = classifier.predict(batch)
            writer.write(chunk, predictions)
            if comparison:
                comparison.add(batch, predictions)
            n_sketches += len(chunk)
            n_cut += cut
        if comparison:
            parity = comparison.report()
            _note(str(parity))
            if not parity:  # inside the block, so that --output is not written: the answers are not to be trusted
                raise ParityError(f"the model differs from eager PyTorch with {compare_eager}; see the report above")
        writer.finish()
    if n_cut:
        _note(f"warning: cut {n_cut} of {n_sketches} sketches to the network's {sequence_length} points")


def _run_self_check(
    model: Path, provider: ProviderChoice, strokes: tuple[str, ...], format_: str | None, report: Path | None
) -> None:
    from .report import write_report  # late, as few ask for it
    from .self_check import self_check

    if strokes:
        raise click.UsageError("--self-check takes no STROKES: it runs the sketches that the model file carries")
    if format_ not in (None, "table", "json"):
        raise click.UsageError(f"expected --format table or json with --self-check, found {format_}")
    refuse_overwriting(report, [model], "--report")
    found = self_check(model, provider)
    if report:
        write_report(found, report)
    click.echo(found.to_json() if format_ == "json" else str(found))
    if not found:
        raise ParityError(f"the self-check of {model} failed; see above")


def _eager_comparison(checkpoint: Path) -> "EagerComparison":
    from .compare import EagerComparison  # late, as few ask for it

    return EagerComparison(checkpoint)


def _tell_about_model(classifier: Classifier, provider: ProviderChoice) -> None:
    if provider == "auto":
        reason = f"; no CUDA: {classifier.cuda_missing}" if classifier.provider == CPU else ""
        _note(f"running on {classifier.provider}{reason}")
    if classifier.metadata.random_weights:
        _note("warning: this model's weights are random, it was never trained: its labels mean nothing")


def _note(text: str) -> None:
    """Print to stderr, so that stdout carries results alone."""
    click.echo(text, err=True)
