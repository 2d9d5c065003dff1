"""`sketch-infer`: classify sketches from files."""

import os
from pathlib import Path
from typing import Any

import click

from sketch_infer._version import __version__
from sketch_infer.cli.combinations import check_combination
from sketch_infer.cli.console import (
    Command,
    provider_option,
    report_option,
    say,
    sign_key_option,
)
from sketch_infer.cli.modes import classify, open_model, run_self_check
from sketch_infer.cli.options import Options
from sketch_infer.errors import ModelFileError
from sketch_infer.inference.classifier import Classifier
from sketch_infer.inference.installed import find_model, installed_models
from sketch_infer.model.contract.metadata import PRECISIONS
from sketch_infer.readers.sketch import INPUT_FORMATS, ON_ERROR
from sketch_infer.tables import format_table
from sketch_infer.writers.choose import TEXT_FORMATS

EXAMPLES = """\b
Examples:
  sketch-infer strokes.npy                                 # a table, or JSON lines in a pipe
  sketch-infer drawings/ --top-k 3 --output out.csv        # all files below a folder
  cat pen.ndjson | sketch-infer - --input-format raw --format json
  sketch-infer big.npy --precision int8 --output out.jsonl --on-error skip --resume
  sketch-infer big.npy --batch-size 32 --threads 2 --output out.parquet --quiet
  sketch-infer test/ --evaluate --output gallery.html --verbose
  sketch-infer strokes.npy --model mine.onnx --provider cuda
  sketch-infer drawings/ --model quickdraw-345 --labels cat,dog,tree
  sketch-infer drawings/ --reject --output known.csv
  sketch-infer --engine ray drawings/ --output answers/ --actors 4 --in-order --logits
  sketch-infer --engine ray /shared/drawings --output /shared/answers --overwrite --ray-address auto
  sketch-infer strokes.npy --model mine.onnx --compare-eager mine.pt
  sketch-infer --self-check --report check.html
  sketch-infer --self-check --attest receipt.json --sign-key device.pem
  sketch-infer strokes.npy --model mine.onnx --verify-key public.pem
  sketch-infer --list-labels                               # what the model can recognize
  sketch-infer --models; sketch-infer --version; sketch-infer --help
"""


def _print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    click.echo(f"sketch-infer, version {__version__}")
    from sketch_infer.checks.environment import describe_runtime  # late, as few ask for it

    click.echo(describe_runtime())
    context.exit()


def _print_models(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    rows = [
        [
            found.name,
            found.precision,
            str(len(found.metadata.labels)),
            f"{found.path.stat().st_size / 1e6:.1f} MB",
            str(found.path),
        ]
        for found in installed_models()
    ]
    if not rows:
        raise ModelFileError("this installation has no models; run `make export`")
    click.echo(format_table(["model", "precision", "classes", "size", "file"], rows))
    context.exit()


@click.command(cls=Command, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("strokes", nargs=-1)
@click.option(
    "--model",
    type=click.Path(),  # a Path would make the same of ./quickdraw-345, a file, and quickdraw-345, a name
    help="Model file, or the name of an installed model (see --models): quickdraw-40, the default, or quickdraw-345.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Which version of an installed model to use: fp32, the default, matches PyTorch to within 1e-5; int8 is "
    "smaller and faster.",
)
@click.option(
    "--labels",
    metavar="WORDS",
    help="Choose only among these of the model's classes: a list such as cat,dog,tree, or a text file with one per "
    "line. Their probabilities sum to 1.",
)
@click.option(
    "--reject",
    is_flag=True,
    help="Give no label (null, or 'none of these') to drawings that are probably none of the model's classes: those "
    "whose top probability is below that of 95% of its validation drawings. Not with --labels.",
)
@provider_option
@click.option(
    "--top-k", type=click.IntRange(min=1), default=5, show_default=True, help="Number of classes to list per sketch."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(TEXT_FORMATS),
    help="Output format. By default the suffix of --output decides; without --output it is table on a terminal and "
    "jsonl in a pipe.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write instead of standard output. Its suffix selects the format: those of --format, .npz (arrays of "
    "log_probs, logits and labels), .parquet (needs pyarrow), or .html (a page that shows the drawings).",
)
@click.option(
    "--input-format",
    type=click.Choice(INPUT_FORMATS),
    default="auto",
    show_default=True,
    help="Override the detected format: network, stroke-3 or stroke-5 for arrays, simplified or raw for drawings.",
)
@click.option(
    "--on-error",
    type=click.Choice(ON_ERROR),
    default="stop",
    show_default=True,
    help="What to do about a sketch or file that cannot be used: stop, or skip it, report it, and exit with code 1 "
    "in the end.",
)
@click.option(
    "--resume", is_flag=True, help="Continue where an interrupted run of the same command stopped (.jsonl output only)."
)
@click.option(
    "--evaluate",
    is_flag=True,
    help="Instead of predictions, print accuracy (overall and per class) and calibration. The true class is a "
    "drawing's word or, without one, the name of its file.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, 65536),
    help="Number of sketches per ONNX Runtime call; 16 by default, 6 in int8, 256 on CUDA.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, os.cpu_count() or 1),
    help="Number of batches to run in parallel. Default: one per core.",
)
@click.option(
    "--compare-eager",
    metavar="CHECKPOINT",
    type=click.Path(path_type=Path),
    help="Also run this checkpoint in eager PyTorch on the same strokes, and compare (needs torch).",
)
@click.option(
    "--self-check",
    is_flag=True,
    help="Instead of classifying, check that the model gives PyTorch's recorded answers on this device.",
)
@report_option
@click.option(
    "--attest",
    metavar="RECEIPT",
    type=click.Path(path_type=Path),
    help="With --self-check: also write a receipt, a small .json file with the result, whether the check passes or "
    "not. "
    "`sketch-export receipts` combines the receipts of many devices into one table.",
)
@sign_key_option("the receipt")
@click.option(
    "--verify-key",
    metavar="KEY",
    type=click.Path(path_type=Path),
    help="Refuse the model file unless the owner of this Ed25519 public key (PEM) signed it. The signature is read "
    "from FILE.sig (needs the package cryptography).",
)
@click.option("--list-labels", is_flag=True, help="Print the model's classes, one per line, and exit.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where the work runs: local is this process; ray is Ray Data, on this machine or a cluster. With ray, "
    "--output is a folder of Parquet shards (docs/ray.md; needs ray and pyarrow).",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    envvar="RAY_ADDRESS",
    help="With --engine ray: the cluster to use. By default a local Ray is started for this run.",
)
@click.option(
    "--actors",
    type=click.IntRange(min=1),
    help="With --engine ray: number of processes that classify. Default: one per core, or per GPU.",
)
@click.option("--overwrite", is_flag=True, help="With --engine ray: replace the output folder of an earlier run.")
@click.option("--in-order", is_flag=True, help="With --engine ray: write rows in the order of the input.")
@click.option("--logits", is_flag=True, help="With --engine ray: also write a column of logits.")
@click.option("-q", "--quiet", is_flag=True, help="Print only results, warnings and errors: no notes, no progress bar.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Also print which model runs, the number of sketches, and the speed."
)
@click.option(
    "--models",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_models,
    help="List the installed models and exit.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the versions of sketch-infer and ONNX Runtime, and the available providers, and exit.",
)
def main(**values: Any) -> None:
    """Classify the drawings in STROKES.

    STROKES are files, folders of files, or - for standard input. Supported formats are .npy and .npz arrays of rows
    (dx, dy, pen), one sketch (T, 3) or many (N, T, 3); drawings in Quick, Draw!'s format, as .ndjson or .ndjson.gz with
    one JSON object per line, or as .bin; and .parquet tables with a column named drawing.

    Exit codes: 0 success; 1 a check failed, CUDA or Ray did not start, a package is missing, sketches were skipped, or
    the run was interrupted; 2 wrong usage, or input or output that cannot be used.
    """
    options = Options(**values)
    check_combination(click.get_current_context(), options)
    model = find_model(options.model, options.precision or "fp32")
    if options.list_labels:
        say("\n".join(Classifier(open_model(model, options), "cpu").metadata.labels))
    elif options.self_check:
        run_self_check(options, model)
    elif options.engine == "ray" and options.output:
        from sketch_infer.cli.ray_job import run  # late: ray takes seconds, and need not be installed

        run(options, model, options.output)
    else:
        classify(options, model)
