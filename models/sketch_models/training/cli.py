"""The command `sketch-train`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import click
from click.core import ParameterSource

from sketch_infer._version import __version__
from sketch_infer.cli.console import Command, note
from sketch_infer.errors import InputError
from sketch_infer.model.labels import read_labels
from sketch_models.checkpoint import Checkpoint
from sketch_models.included import find_checkpoint
from sketch_models.training.data.files import TrainingData, read_training_data
from sketch_models.training.hashing.codes import CODE_LENGTHS, train_codes
from sketch_models.training.judging.figures import check_picture
from sketch_models.training.judging.summary import warn_of_imbalance
from sketch_models.training.options import Options, check_options
from sketch_models.training.run import load_start, train

_FOLDER = click.Path(path_type=Path)
_POSITIVE = click.IntRange(min=1)


class _FiniteRange(click.FloatRange):
    """A range of numbers; NaN would pass both bounds of click's own."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is no finite number.", param, ctx)
        return float(number)


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="sketch-train")
@click.argument("data", nargs=-1, required=True, type=_FOLDER)
@click.option("-o", "--output", required=True, type=_FOLDER, help="Checkpoint to write, FILE.safetensors (float16).")
@click.option(
    "--dense", multiple=True, type=_FOLDER, help="Folder of drawings as a pen samples them; they are simplified first."
)
@click.option(
    "--val",
    type=_FOLDER,
    help="Folder of drawings to choose the best epoch by. Default: a share of DATA, chosen by key_id.",
)
@click.option(
    "--val-share", default=0.1, type=_FiniteRange(0, 1, min_open=True, max_open=True), help="Size of that share."
)
@click.option(
    "--unrecognized",
    is_flag=True,
    help='Also train on drawings with "recognized": false. Use it if the drawings to be classified will be as rough.',
)
@click.option("--classes", type=_FOLDER, help="Text file with one class per line. Default: DATA's file names.")
@click.option("--pretrain", type=_FOLDER, help="Folder of drawings of other classes, to pretrain on.")
@click.option(
    "--pretrain-epochs", default=14, type=click.IntRange(min=0), help="Epochs over all classes, with --pretrain."
)
@click.option(
    "--from",
    "from_checkpoints",
    multiple=True,
    type=_FOLDER,
    help="Checkpoint to start from: a file, quickdraw-345 or quickdraw-40. Classes with the same name keep their "
    "weights. If given several times, the weights are averaged.",
)
@click.option(
    "--teacher",
    multiple=True,
    type=_FOLDER,
    help="Checkpoint of the same classes, whose answers are learned as well as the labels (distillation). If given "
    "several times, the probabilities are averaged.",
)
@click.option(
    "--codes",
    type=click.Choice(CODE_LENGTHS),
    help="Instead of training classes, add a hash layer for codes of this many bits to the checkpoint of --from.",
)
@click.option(
    "--epochs",
    default=30,
    type=click.IntRange(min=0),
    help="Epochs over DATA's classes (and --further-share). 0 only evaluates and calibrates the checkpoint of --from.",
)
@click.option(
    "--further-share", default=0.2, type=_FiniteRange(0, 1), help="Share of --pretrain to include in --epochs."
)
@click.option(
    "--learning-rate",
    default=2e-3,
    type=_FiniteRange(0, min_open=True),
    help="Peak learning rate; with --pretrain, of the pretraining.",
)
@click.option(
    "--fine-learning-rate",
    default=1e-3,
    type=_FiniteRange(0, min_open=True),
    help="Peak learning rate after the pretraining.",
)
@click.option("--dropout", default=0.4, type=_FiniteRange(0, 1, max_open=True), help="Dropout between LSTM and head.")
@click.option(
    "--label-smoothing",
    default=0.05,
    type=_FiniteRange(0, 1, max_open=True),
    help="Share of a label that is spread over all classes.",
)
@click.option("--augment", default=1.0, type=_FiniteRange(0, 5), help="Strength of augmentation; 0 turns it off.")
@click.option(
    "--balance",
    default=0.7,
    type=_FiniteRange(0, 1),
    help="1: every class is used equally often; 0: every drawing is.",
)
@click.option(
    "--batch-size", default=256, type=_POSITIVE, help="Largest batch size; small data sets use smaller batches."
)
@click.option("--hidden-size", default=256, type=click.IntRange(1, 8192), help="LSTM units per direction.")
@click.option(
    "--sequence-length", default=196, type=click.IntRange(11, 10_000), help="Points that the network reads per sketch."
)
@click.option(
    "--patience",
    default=0,
    type=click.IntRange(min=0),
    help="Stop after this many epochs without improvement; 0: never.",
)
@click.option("--seed", default=0, type=click.IntRange(0, 2**32 - 1))
@click.option("--workers", default=2, type=_POSITIVE, help="Number of threads; one per core is best.")
@click.option(
    "--plot",
    type=_FOLDER,
    callback=check_picture,
    help="Picture of the learning curve (.png, .svg, .pdf). Default: OUTPUT with .png, if matplotlib is installed.",
)
@click.option("--provenance", default="", help="Origin of the drawings, recorded in the checkpoint.")
@click.option("--resume", is_flag=True, help="Continue from OUTPUT.state, after the last finished epoch.")
def main(**options: Unpack[Options]) -> None:
    """Train a SketchRNN on DATA, folders of drawings in Quick, Draw!'s format (CLASS.ndjson or CLASS.ndjson.gz).

    The best epoch, judged on the validation drawings, is written to OUTPUT, the log to OUTPUT.jsonl, and what --resume
    needs to OUTPUT.state. At the end probabilities are calibrated, and the weakest classes are listed.
    """
    output, context = options["output"], click.get_current_context()
    if options["codes"]:
        _check_options_of_codes(context)
    log, state_file = (output.with_name(output.name + suffix) for suffix in (".jsonl", ".state"))
    check_options(options, [output, log, state_file, *([options["plot"]] if options["plot"] else [])])
    start = load_start(options["from_checkpoints"]) if options["from_checkpoints"] else None
    for name in ("hidden_size", "sequence_length"):
        if start and context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"expected --from without --{name.replace('_', '-')}: the checkpoint has its own")
    classes = _classes(options, start)
    click.echo("reading drawings ...", err=True)
    data = read_training_data(
        options["data"],
        options["dense"],
        options["val"],
        options["pretrain"],
        classes,
        options["val_share"],
        options["unrecognized"],
    )
    _report(data, options)
    if options["codes"]:
        train_codes(
            data, find_checkpoint(options["from_checkpoints"][0]), output, int(options["codes"]), options["seed"]
        )
        return
    if warning := warn_of_imbalance(data, options["balance"]):
        note(warning)
    train(options, data, start, log, state_file)


def _classes(options: Options, start: Checkpoint | None) -> Sequence[str] | None:
    """Return the classes that the user means, None for DATA's file names."""
    if options["codes"] and start:
        if not start.labels:
            raise InputError(f"{options['from_checkpoints'][0]}: expected a network whose classes have names")
        return start.labels
    return read_labels(options["classes"]) if options["classes"] else None


def _check_options_of_codes(context: click.Context) -> None:
    """Refuse what has no meaning with --codes."""
    sources = context.params["from_checkpoints"]
    if len(sources) != 1 or find_checkpoint(sources[0]).suffix != ".safetensors":
        raise click.UsageError("expected --codes with --from FILE.safetensors, the network that gets codes")
    used = ("data", "dense", "val", "val_share", "from_checkpoints", "codes", "seed", "provenance", "output")
    for name in context.params:
        if name not in used and context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(
                f"expected --codes without --{name.replace('_', '-')}, which is for training classes"
            )


def _report(data: TrainingData, options: Options) -> None:
    for folder, report in data.reports.items():
        simplified = "give the folder with --dense" if folder in options["data"] else "simplify them before"
        for line in report.notes(folder, simplified):
            note(line)
    if data.left_out:
        note(f"{data.left_out} drawings left out of training that are among those for val, by key_id or points")
    n_further = len(data.train.classes) - len(data.targets)
    further = f" and {n_further} further classes" if n_further else ""
    click.echo(f"{len(data.train)} drawings of {len(data.targets)} classes{further}; {len(data.val)} for val", err=True)
