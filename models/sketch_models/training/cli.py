"""The command `sketch-train`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import torch

from sketch_infer.cli.console import Command
from sketch_infer.model.labels import read_labels
from sketch_models.checkpoint import load_checkpoint, save_checkpoint
from sketch_models.sketch_rnn import SketchRNN, SketchRNNConfig
from sketch_models.training.accuracy import measure_accuracy
from sketch_models.training.augment import Augmentation
from sketch_models.training.fast_path import FastSketchRNN, head_knots
from sketch_models.training.files import (
    TrainingData,
    check_writable,
    fingerprint,
    read_state,
    read_training_data,
    save_state,
    write_log,
)
from sketch_models.training.learning_curve import plot_learning_curve
from sketch_models.training.recipe import Phase, Recipe, initialise
from sketch_models.training.trainer import Trainer

_FOLDER = click.Path(path_type=Path)
_POSITIVE = click.IntRange(min=1)


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("data", nargs=-1, required=True, type=_FOLDER)
@click.option("-o", "--output", required=True, type=_FOLDER, help="Checkpoint to write, FILE.safetensors (float16).")
@click.option(
    "--dense", multiple=True, type=_FOLDER, help="Folder of drawings as a pen samples them; they get simplified."
)
@click.option("--val", type=_FOLDER, help="Folder to judge by. Without it, a share of DATA, chosen by key_id.")
@click.option("--val-share", default=0.1, type=click.FloatRange(0, 1, min_open=True, max_open=True), help="That share.")
@click.option("--classes", type=_FOLDER, help="Text file of the classes, one a line. By default DATA's file names.")
@click.option("--pretrain", type=_FOLDER, help="Folder of further classes to learn from, too.")
@click.option("--pretrain-epochs", default=14, type=click.IntRange(min=0), help="Epochs over all, if --pretrain.")
@click.option("--epochs", default=30, type=_POSITIVE, help="Epochs over the classes (and --further-share).")
@click.option("--further-share", default=0.2, type=click.FloatRange(0, 1), help="Of --pretrain, read in these epochs.")
@click.option("--learning-rate", default=2e-3, type=click.FloatRange(0, min_open=True), help="Peak of the first phase.")
@click.option("--fine-learning-rate", default=1e-3, type=click.FloatRange(0, min_open=True), help="Peak after it.")
@click.option("--dropout", default=0.4, type=click.FloatRange(0, 1, max_open=True), help="Between LSTM and head.")
@click.option("--augment", default=1.0, type=click.FloatRange(0, 5), help="Strength of the varying of drawings.")
@click.option("--balance", default=0.0, type=click.FloatRange(0, 1), help="1 reads every class equally often.")
@click.option("--batch-size", default=256, type=_POSITIVE)
@click.option("--hidden-size", default=256, type=_POSITIVE, help="LSTM units per direction.")
@click.option("--sequence-length", default=196, type=click.IntRange(min=11), help="Points that the network reads.")
@click.option(
    "--patience", default=0, type=click.IntRange(min=0), help="Stop after so many epochs without gain; 0: never."
)
@click.option("--seed", default=0, type=click.IntRange(min=0))
@click.option("--workers", default=2, type=_POSITIVE, help="Threads; best is the number of cores.")
@click.option("--plot", type=_FOLDER, help="Picture of the learning curve (.png, .svg, .pdf); needs matplotlib.")
@click.option("--provenance", default="", help="Where the drawings come from, for the checkpoint.")
@click.option("--resume", is_flag=True, help="Go on from OUTPUT.state, after the last finished epoch.")
def main(**options: Any) -> None:
    """Train a SketchRNN on folders DATA of Quick, Draw! drawings (CLASS.ndjson or CLASS.ndjson.gz).

    The best epoch on val is written to OUTPUT, the log to OUTPUT.jsonl, what --resume needs to OUTPUT.state.
    """
    output: Path = options["output"]
    log, state_file = (output.with_name(output.name + suffix) for suffix in (".jsonl", ".state"))
    for path in (output, log, state_file, *([options["plot"]] if options["plot"] else [])):
        check_writable(path)
    if output.suffix != ".safetensors":
        raise click.UsageError(f"expected --output as FILE.safetensors, found {output}")
    classes = read_labels(options["classes"]) if options["classes"] else None
    click.echo("reading drawings ...", err=True)
    data = read_training_data(
        options["data"], options["dense"], options["val"], options["pretrain"], classes, options["val_share"]
    )
    _report(data)
    recipe = _recipe(options)
    sizes = SketchRNNConfig(3, options["hidden_size"], len(data.targets), sequence_length=options["sequence_length"])
    settings = {"recipe": asdict(recipe), "sizes": sizes.to_dict(), "drawings": fingerprint(data)}
    torch.manual_seed(recipe.seed)
    core = SketchRNN.from_config(sizes)
    initialise(core)
    net = FastSketchRNN(core, len(data.train.classes))
    trainer = Trainer(net, data.train, len(data.targets), recipe)
    if options["resume"]:
        trainer.load_state(read_state(state_file, settings))
    _run(trainer, data, options, settings, log, state_file)
    best = max(trainer.progress.history, key=lambda entry: float(entry["val_top1"]))
    click.echo(f"{output}: val top-1 {best['val_top1']:.2%}, top-5 {best['val_top5']:.2%}")


def _run(
    trainer: Trainer, data: TrainingData, options: dict[str, Any], settings: dict[str, Any], log: Path, state_file: Path
) -> None:
    output, history = options["output"], trainer.progress.history
    scores = [float(entry["val_top1"]) for entry in history]
    best = max(scores, default=-1.0)
    stale = len(scores) - 1 - scores.index(best) if scores else 0
    live = sys.stderr.isatty()
    knots = head_knots(trainer.net.core.config.time_steps)

    def show(figures: dict[str, float]) -> None:
        if live:
            bar = "#" * round(20 * figures["part"])
            judged = f", best val {best:.2%}" if best >= 0 else ""
            line = f"[{bar:20}] {_figures(figures)}{judged}, {_clock(figures['eta'])} left "
            click.echo(f"\r{line}", nl=False, err=True)

    for result in trainer.run(show):
        # What is judged is what is saved: the weights as float16 restores them.
        last = output.with_name(f".{output.stem}-last.safetensors")
        save_checkpoint(last, trainer.averaged(), data.targets, dtype=torch.float16, head_knots=knots)
        model = load_checkpoint(last).model
        last.unlink()
        accuracy = measure_accuracy(model, data.val, trainer.recipe.workers)
        result |= {"val_loss": accuracy.loss, "val_top1": accuracy.top1, "val_top5": accuracy.top5}
        if accuracy.top1 > best:
            best, stale = accuracy.top1, 0
            save_checkpoint(output, model, data.targets, _metadata(options, data, result), torch.float16, knots)
        else:
            stale += 1
        write_log(log, history)
        save_state(state_file, {**trainer.state(), "settings": settings})
        line = f"{result['phase']} {result['epoch']}: {_figures(result)}"
        click.echo(f"{chr(13) if live else ''}{line}, val {accuracy.top1:.2%} (best {best:.2%})", err=True)
        if options["plot"]:
            plot_learning_curve(history, options["plot"])
        if options["patience"] and stale >= options["patience"]:
            click.echo(f"stopped: no gain on val for {stale} epochs", err=True)
            break


def _recipe(options: dict[str, Any]) -> Recipe:
    strength = options["augment"]
    varied = Augmentation(
        rotation=8 * strength,
        shear=0.1 * strength,
        warp=0.03 * strength,
        jitter=0.006 * strength,
        mirror=0.5 if strength else 0.0,
        drop_points=min(0.12 * strength, 0.5),
        drop_strokes=0.04 * strength,
        reverse_strokes=0.08 * strength,
        reorder=min(0.1 * strength, 1.0),
    )
    first, fine = options["learning_rate"], options["fine_learning_rate"]
    phases = [Phase("train", options["epochs"], first, first / 200, 0.0, options["dropout"], 1.0, 0.0, varied)]
    if options["pretrain"]:
        share, dropout = options["further_share"], options["dropout"]
        phases = [Phase("fine", options["epochs"], fine, fine / 200, share, dropout, 0.3, 1.0, varied)]
        if options["pretrain_epochs"]:
            # Little dropout: five times the drawings, read a few times each.
            before = Phase("pretrain", options["pretrain_epochs"], first, first / 20, 1.0, 0.25, 1.0, 0.3, varied)
            phases = [before, *phases]
    return Recipe(
        tuple(phases),
        batch_size=options["batch_size"],
        seed=options["seed"],
        balance=options["balance"],
        workers=options["workers"],
    )


def _report(data: TrainingData) -> None:
    for folder, report in data.reports.items():
        if report.bad_lines:
            shown = "; ".join(report.bad_lines[:3]) + (" ..." if len(report.bad_lines) > 3 else "")
            click.echo(f"{folder}: {len(report.bad_lines)} bad lines left out: {shown}", err=True)
        if report.unrecognized:
            click.echo(f"{folder}: {report.unrecognized} drawings left out that the game did not recognize", err=True)
    n_further = len(data.train.classes) - len(data.targets)
    further = f" and {n_further} further classes" if n_further else ""
    click.echo(f"{len(data.train)} drawings of {len(data.targets)} classes{further}; {len(data.val)} for val", err=True)


def _metadata(options: dict[str, Any], data: TrainingData, result: dict[str, Any]) -> dict[str, str]:
    folders = [*options["data"], *options["dense"], *([options["pretrain"]] if options["pretrain"] else [])]
    unsaid = ("data", "dense", "output", "plot", "resume", "provenance")
    arguments = [folder.name for folder in options["data"]] + [f"--dense {folder.name}" for folder in options["dense"]]
    arguments += [
        f"--{name.replace('_', '-')} {value.name if isinstance(value, Path) else value}"
        for name, value in options.items()
        if name not in unsaid and value is not None
    ]
    return {
        "provenance": options["provenance"] or ", ".join(folder.name for folder in folders),
        "training": f"sketch-train {' '.join(arguments)}",
        "drawings": f"{len(data.train)} to train on, {len(data.val)} for val",
        "seed": str(options["seed"]),
        "metrics": ", ".join(f"{name} {result[name]:.4f}" for name in ("val_top1", "val_top5", "val_loss")),
        "epoch": f"{result['phase']} {result['epoch']}",
    }


def _figures(figures: dict[str, Any]) -> str:
    return f"loss {figures['loss']:.3f}, accuracy {figures['accuracy']:.2%}, {figures['rate']:.0f} drawings/s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
