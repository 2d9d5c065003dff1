"""Which options of `sketch-infer` go together: the one place that knows."""

from collections.abc import Callable, Mapping

import click
from click.core import ParameterSource

from sketch_infer.cli.options import Options
from sketch_infer.inference.installed import MODEL_NAMES
from sketch_infer.readers.files import STDIN
from sketch_infer.writers.choose import FILE_FORMATS, format_of

_SELF_CHECK = "it runs the sketches that the model file carries, and prints its verdict"
_EVALUATE_ALONE = "the evaluation is printed as a table or as json"
_RAY_FORMAT = "Ray writes a folder of parquet shards"

_OF_CLASSIFYING = (
    "STROKES",
    "--labels",
    "--reject",
    "--input-format",
    "--on-error",
    "--output",
    "--top-k",
    "--resume",
    "--evaluate",
    "--compare-eager",
    "--batch-size",
    "--threads",
)

CONFLICTS: Mapping[tuple[str, str], str] = {
    ("--model FILE", "--precision"): "--precision chooses between the files of an installed model",
    ("--quiet", "--verbose"): "one prints less, the other more",
    ("--output -", "--output"): "- names no file; leave --output out to write to standard output",
    **{
        (f"--output FILE.{suffix}", "--format"): f"a .{suffix} file has one format; leave one of the two out"
        for suffix in FILE_FORMATS
    },
    **{("--self-check", other): _SELF_CHECK for other in _OF_CLASSIFYING},
    **{
        ("--list-labels", other): "it prints the model's labels, one per line, and classifies nothing"
        for other in (*_OF_CLASSIFYING, "--self-check", "--format", "--provider")
    },
    ("--self-check", "--format csv"): "the self-check is printed as a table or as json",
    ("--self-check", "--format jsonl"): "the self-check is printed as a table or as json",
    ("--evaluate without --output", "--format csv"): _EVALUATE_ALONE,
    ("--evaluate without --output", "--format jsonl"): _EVALUATE_ALONE,
    ("--evaluate without --output", "--top-k"): "predictions are written only with --output",
    ("--reject", "--labels"): "the threshold below which a drawing is none of the classes is for all of them",
    ("--reject", "--evaluate"): "the evaluation is of all answers",
    ("--labels", "--compare-eager"): "the comparison is of all classes",
    ("--resume", "STROKES -"): "standard input cannot be read a second time",
    ("--resume", "--evaluate"): "the evaluation needs the predictions of the whole input",
    ("--resume", "--compare-eager"): "the comparison needs the predictions of the whole input",
    ("--engine ray", "STROKES -"): "Ray's workers open the files, and cannot read this process's standard input",
    ("--engine ray", "--format"): _RAY_FORMAT,
    ("--engine ray", "--resume"): "Ray retries what fails, and leaves the whole output folder or none",
    ("--engine ray", "--evaluate"): "write predictions with Ray, and count them afterwards",
    ("--engine ray", "--threads"): "each of its --actors has one thread",
    ("--engine ray", "--compare-eager"): "Ray's workers have no PyTorch",
    ("--engine ray", "--self-check"): "the self-check is about one machine; run it on each",
    ("--engine ray", "--report"): "--report belongs to --self-check",
    ("--engine ray", "--list-labels"): "the model is read on this machine",
    ("--engine ray", "--verify-key"): "verify the file before, with --self-check",
}
"""Pairs that do not go together, and why."""

NEEDS: Mapping[str, str] = {
    "--report": "--self-check",
    "--attest": "--self-check",
    "--sign-key": "--attest",
    "--resume": "--output FILE.jsonl",
    "--engine ray": "--output",
    "--ray-address": "--engine ray",
    "--actors": "--engine ray",
    "--overwrite": "--engine ray",
    "--in-order": "--engine ray",
    "--logits": "--engine ray",
}
"""What goes only with something else."""


def _writes(suffix: str) -> Callable[[Options], bool]:
    return lambda options: format_of(options.output) == suffix


_CONDITIONS: Mapping[str, Callable[[Options], bool]] = {
    "--model FILE": lambda options: options.model is not None and options.model not in MODEL_NAMES,
    "STROKES": lambda options: bool(options.strokes),
    "STROKES -": lambda options: STDIN in options.strokes,
    "--output -": lambda options: str(options.output) == "-",
    **{f"--output FILE.{suffix}": _writes(suffix) for suffix in FILE_FORMATS},
    "--output FILE.jsonl": lambda options: (
        options.output is not None and (options.format_ or format_of(options.output)) == "jsonl"
    ),
    "--format csv": lambda options: options.format_ == "csv",
    "--format jsonl": lambda options: options.format_ == "jsonl",
    "--evaluate without --output": lambda options: options.evaluate and not options.output,
    "--engine ray": lambda options: options.engine == "ray",
}
"""When a name of the tables holds, where it says more than that an option was given."""


def check_combination(context: click.Context, options: Options) -> None:
    """Refuse options that do not go together, so that none is silently ignored.

    Raises:
        click.UsageError: for the first pair of `CONFLICTS` or missing partner of `NEEDS`.
    """
    names = {option: parameter.name for parameter in context.command.params for option in parameter.opts}

    def holds(condition: str) -> bool:
        if condition in _CONDITIONS:
            return _CONDITIONS[condition](options)
        # Given by the user: a default, or RAY_ADDRESS in the environment, takes no side.
        return context.get_parameter_source(names[condition] or "") is ParameterSource.COMMANDLINE

    for (one, other), why in CONFLICTS.items():
        if holds(one) and holds(other):
            pair = one if one.startswith(f"{other} ") else f"{one} with {other}"
            raise click.UsageError(f"{pair}: {why}")
    for one, other in NEEDS.items():
        if holds(one) and not holds(other):
            raise click.UsageError(f"{one} needs {other}")
    if not options.strokes and not (options.self_check or options.list_labels):
        raise click.UsageError("expected STROKES (files to classify) or --self-check")
    if options.strokes.count(STDIN) > 1:
        raise click.UsageError("standard input, -, can be read only once")
