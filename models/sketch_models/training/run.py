"""A training run from its start to its files: what `sketch-train` does once it has its drawings."""

import hashlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import torch

from sketch_infer.checks.evaluation import evaluate
from sketch_infer.cli.console import note, say
from sketch_infer.errors import InputError
from sketch_models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from sketch_models.included import find_checkpoint
from sketch_models.sketch_hash import SketchHash
from sketch_models.sketch_rnn import SketchRNN, SketchRNNConfig
from sketch_models.training.data.files import TrainingData, fingerprint, read_state, save_state, write_log
from sketch_models.training.judging.calibration import without_biases
from sketch_models.training.judging.learning_curve import plot_learning_curve
from sketch_models.training.judging.summary import finish, load_trained
from sketch_models.training.network.fast_path import FastSketchRNN
from sketch_models.training.network.memory import keep_freed_memory
from sketch_models.training.network.smooth_head import SMOOTH, head_error, head_knots, require_smooth_head
from sketch_models.training.options import Options, metadata_of, recipe_of
from sketch_models.training.recipe import initialize
from sketch_models.training.trainer import Trainer

_MEASURED = 10  # seconds after which the speed tells how long a run will take


def load_start(paths: Sequence[Path]) -> Checkpoint:
    """Load the checkpoint that a run starts from, a file or an included model's name.

    Of several the mean of their weights is taken, which is better than each where one was trained from the other
    (Wortsman et al., "Model soups", 2022).

    Raises:
        ModelFileError: if one cannot be loaded.
        InputError: if a network is not of the kind that is trained, or differs in size or classes from the first.
    """
    checkpoints = [without_biases(load_checkpoint(find_checkpoint(path))) for path in paths]
    first = checkpoints[0]
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        config = checkpoint.model.config
        if config.n_layers != 1 or config.input_size != 3:
            found = f"n_layers {config.n_layers}, input_size {config.input_size}"
            raise InputError(
                f"{path}: expected a SketchRNN with n_layers 1 and input_size 3 to start from, found {found}"
            )
        if config != first.model.config or checkpoint.labels != first.labels:
            raise InputError(f"{path}: expected the sizes and classes of {paths[0]}, to start from their mean")
    if len(paths) == 1:
        return first
    states = [checkpoint.model.state_dict() for checkpoint in checkpoints]
    model = SketchRNN.from_config(first.model.config)
    model.load_state_dict({name: torch.stack([state[name] for state in states]).mean(0) for name in model.state_dict()})
    return replace(first, model=model)


def load_teacher(path: Path, classes: Sequence[str], sequence_length: int) -> FastSketchRNN:
    """Load a network whose answers are learned.

    Args:
        path: its checkpoint, a file or an included model's name.
        classes: those that it has to know, in the order in which it shall answer.
        sequence_length: points that it has to read.

    Raises:
        ModelFileError: if it cannot be loaded.
        InputError: if it does not know the classes, reads another number of points, or has a head that sketch-train
            did not make.
    """
    checkpoint = load_start([path])
    sizes = checkpoint.model.config
    if sizes.sequence_length != sequence_length:
        raise InputError(f"{path}: expected a teacher of {sequence_length} points, found {sizes.sequence_length}")
    if missing := sorted(set(classes) - set(checkpoint.labels or ())):
        raise InputError(f"{path}: expected a teacher that knows all classes; it does not know {missing[0]}")
    require_smooth_head(checkpoint.model, str(path))
    teacher = FastSketchRNN(SketchRNN.from_config(replace(sizes, output_size=1)), len(classes))
    teacher.start_from(checkpoint.model, checkpoint.labels or (), classes)
    return teacher


def train(options: Options, data: TrainingData, start: Checkpoint | None, log: Path, state_file: Path) -> None:
    """Train, and write after every epoch the log, the state, the learning curve and, if it is the best, the checkpoint.

    Raises:
        InputError: if there is no state to resume, or it or the checkpoint beside it is another run's.
        OutputError: if a file cannot be written.
    """
    keep_freed_memory()
    recipe = recipe_of(options, len(data.train))
    if start:
        sizes = replace(start.model.config, output_size=len(data.targets))
    else:
        length = options["sequence_length"]
        sizes = SketchRNNConfig(3, options["hidden_size"], len(data.targets), sequence_length=length)
    settings = {"recipe": asdict(recipe), "sizes": sizes.to_dict(), "drawings": fingerprint(data)}
    torch.manual_seed(recipe.seed)
    core = SketchRNN.from_config(replace(sizes, output_size=1))  # the head that is trained is the smooth one
    initialize(core)
    net = FastSketchRNN(core, len(data.train.classes))
    if start:
        paths = options["from_checkpoints"]
        settings["from"] = _digests(paths)
        known = net.start_from(start.model, start.labels or (), data.train.classes)
        note(f"{' and '.join(map(str, paths))}: knows {known} of the {len(data.train.classes)} classes")
        if not recipe.phases and known < len(data.train.classes):
            raise InputError(f"{paths[0]}: expected a network of all classes, as --epochs 0 trains none")
        if not recipe.phases:
            require_smooth_head(start.model, str(paths[0]))
        elif (lost := head_error(start.model)) > SMOOTH:
            note(f"{paths[0]}: its head is replaced by the nearest smooth one, which lacks {lost:.0%} of it")
        if isinstance(start.model, SketchHash):
            note(f"{paths[0]}: its codes are left out; add them to the result with --codes")
    teachers = [load_teacher(path, data.train.classes, sizes.sequence_length) for path in options["teacher"]]
    if teachers:
        settings["teachers"] = _digests(options["teacher"])
    trainer = Trainer(net, data.train, len(data.targets), recipe, teachers)
    if options["resume"]:
        trainer.load_state(read_state(state_file, settings))
        if trainer.progress.history:
            load_trained(options["output"], data.targets)  # before the hours of training that would end in an error
    _run(trainer, options, data, log, lambda: save_state(state_file, {**trainer.state(), "settings": settings}))
    note(f"{options['output']}: judging it on {len(data.val)} drawings ...")
    say(finish(options["output"], data, recipe.workers))


def _digests(checkpoints: Sequence[Path]) -> list[str]:
    return [hashlib.sha256(find_checkpoint(path).read_bytes()).hexdigest() for path in checkpoints]


def _run(trainer: Trainer, options: Options, data: TrainingData, log: Path, keep_state: Callable[[], None]) -> None:
    output, history = options["output"], trainer.progress.history
    plot = options["plot"] or (output.with_suffix(".png") if find_spec("matplotlib") else None)
    metadata = metadata_of(options, data)
    knots = head_knots(trainer.net.core.config.time_steps)
    scores = [_score(entry) for entry in history]
    best = max(scores, default=(-1.0, 0.0))
    stale = len(scores) - 1 - scores.index(best) if scores else 0
    if not trainer.recipe.phases:
        save_checkpoint(output, trainer.averaged(), data.targets, metadata, torch.float16, knots)
        return
    show = _Progress()
    for result in trainer.run(show):
        model = trainer.averaged()
        if not all(tensor.abs().max() <= torch.finfo(torch.float16).max for tensor in model.state_dict().values()):
            raise InputError(f"training diverged in epoch {result['epoch']}; start again with a lower --learning-rate")
        accuracy = evaluate(trainer.classify(data.val), data.val.labels, data.targets)
        result |= {"val_loss": accuracy.loss, "val_top1": accuracy.top1, "val_top5": accuracy.top5}
        if _score(result) > best:
            best, stale = _score(result), 0
            epoch = {"epoch": f"{result['phase']} {result['epoch']}"}
            save_checkpoint(output, model, data.targets, metadata | epoch, torch.float16, knots)
        else:
            stale += 1
        write_log(log, history)
        keep_state()
        judged = f"val {accuracy.top1:.2%} (best {best[0]:.2%})"
        show.finish(f"{result['phase']} {result['epoch']}: {_figures(result)}, {judged}")
        if plot:
            plot_learning_curve(history, plot)
        if options["patience"] and stale >= options["patience"]:
            click.echo(f"stopped: no gain on val for {stale} epochs", err=True)
            break
    if plot:
        note(f"{plot}: the learning curve")


class _Progress:
    """Says once how long the run will take, and shows a bar where somebody watches."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._started = time.monotonic()
        self._said = False

    def __call__(self, figures: Mapping[str, float]) -> None:
        if not self._said and (time.monotonic() - self._started > _MEASURED or figures["part"] == 1):
            self._said = True
            click.echo(f"{figures['rate']:.0f} drawings/s: the run will take about {_clock(figures['eta'])}", err=True)
        if self._live:
            bar = "#" * round(20 * figures["part"])
            click.echo(f"\r[{bar:20}] {_figures(figures)}, {_clock(figures['eta'])} left ", nl=False, err=True)

    def finish(self, line: str) -> None:
        """Put an epoch's line in the place of the bar."""
        click.echo(f"{chr(13) if self._live else ''}{line}", err=True)


def _score(result: Mapping[str, Any]) -> tuple[float, float]:
    """Return what the best epoch has most of: accuracy on val, then, as few drawings tie, a low loss."""
    return float(result["val_top1"]), -float(result["val_loss"])


def _figures(figures: Mapping[str, Any]) -> str:
    return f"loss {figures['loss']:.3f}, accuracy {figures['accuracy']:.2%}, {figures['rate']:.0f} drawings/s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
