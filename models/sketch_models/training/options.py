"""What `sketch-train` was asked for: whether it can be done, as a recipe, and as the checkpoint records it."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

import click

from sketch_infer.cli.console import refuse_overwriting
from sketch_infer.untrusted import as_unicode
from sketch_models.included import find_checkpoint
from sketch_models.training.data.augment import Augmentation
from sketch_models.training.data.files import TrainingData, check_writable
from sketch_models.training.recipe import Phase, Recipe


class Options(TypedDict):
    """The command's arguments and options, by their names in `sketch_models.training.cli`."""

    data: tuple[Path, ...]
    output: Path
    dense: tuple[Path, ...]
    val: Path | None
    val_share: float
    unrecognized: bool
    classes: Path | None
    pretrain: Path | None
    pretrain_epochs: int
    from_checkpoints: tuple[Path, ...]
    teacher: tuple[Path, ...]
    codes: str | None
    epochs: int
    further_share: float
    learning_rate: float
    fine_learning_rate: float
    dropout: float
    label_smoothing: float
    augment: float
    balance: float
    batch_size: int
    hidden_size: int
    sequence_length: int
    patience: int
    seed: int
    workers: int
    plot: Path | None
    provenance: str
    resume: bool


def check_options(options: Options, written: Sequence[Path]) -> None:
    """Refuse, before anything is read, what would fail after it.

    Args:
        options: all of them.
        written: files that the run will write.

    Raises:
        click.UsageError: if options do not go together, or an output has a name that it cannot have.
        ModelFileError: if an included model is meant that is not there.
        OutputError: if an output cannot be written.
    """
    output, plot = options["output"], options["plot"]
    if output.suffix != ".safetensors":
        raise click.UsageError(f"expected --output as FILE.safetensors, found {output}")
    for path in written:
        check_writable(path)
    if plot and not find_spec("matplotlib"):
        raise click.UsageError("--plot needs matplotlib, which is not installed")
    if not options["codes"]:  # a hash layer may be added in place
        checkpoints = map(find_checkpoint, options["from_checkpoints"] + options["teacher"])
        refuse_overwriting(output, [*checkpoints, options["classes"]])
    if not options["epochs"] and not options["from_checkpoints"]:
        raise click.UsageError("expected --from with --epochs 0, which trains nothing")
    if not options["epochs"] and not options["pretrain"] and options["teacher"]:
        raise click.UsageError("expected --teacher without --epochs 0, which trains nothing")


def recipe_of(options: Options, n_drawings: int) -> Recipe:
    """Return the recipe for this many training drawings."""
    strength = options["augment"]
    varied = Augmentation(
        rotation=8 * strength,
        shear=0.1 * strength,
        warp=0.03 * strength,
        jitter=0.006 * strength,
        mirror=min(0.5 * strength, 0.5),
        drop_points=min(0.12 * strength, 0.5),
        drop_strokes=0.04 * strength,
        reverse_strokes=0.08 * strength,
        reorder=min(0.1 * strength, 1.0),
        unfinished=0.1 if strength else 0.0,
    )
    first, fine = options["learning_rate"], options["fine_learning_rate"]
    phases = [Phase("train", options["epochs"], first, first / 200, 0.0, options["dropout"], 1.0, 0.0, varied)]
    if options["pretrain"]:
        share, dropout = options["further_share"], options["dropout"]
        phases = [Phase("fine", options["epochs"], fine, fine / 200, share, dropout, 0.3, 1.0, varied, outliers=0.5)]
        # Little dropout: five times the drawings, read a few times each.
        before = Phase("pretrain", options["pretrain_epochs"], first, first / 20, 1.0, 0.25, 1.0, 0.3, varied)
        phases = [before, *phases]
    return Recipe(
        tuple(phase for phase in phases if phase.epochs),
        # A few hundred drawings would be a step or two per epoch.
        batch_size=min(options["batch_size"], max(n_drawings // _STEPS_PER_EPOCH, _SMALLEST_BATCH)),
        seed=options["seed"],
        label_smoothing=options["label_smoothing"],
        balance=options["balance"],
        workers=options["workers"],
    )


_STEPS_PER_EPOCH = 10
_SMALLEST_BATCH = 32


def metadata_of(options: Options, data: TrainingData) -> dict[str, str]:
    """Return what the checkpoint says of its making: provenance, the command, the drawings and the seed."""
    folders = [*options["data"], *options["dense"], *([options["pretrain"]] if options["pretrain"] else [])]
    unsaid = {"data", "dense", "output", "plot", "resume", "provenance", "from_checkpoints", "teacher", "codes"}
    if options["from_checkpoints"]:  # which has sizes of its own
        unsaid |= {"hidden_size", "sequence_length"}
    arguments = [folder.name for folder in options["data"]] + [f"--dense {folder.name}" for folder in options["dense"]]
    arguments += [f"--from {path.name}" for path in options["from_checkpoints"]]
    arguments += [f"--teacher {path.name}" for path in options["teacher"]]
    arguments += [
        f"--{name.replace('_', '-')}"
        + ("" if value is True else f" {value.name if isinstance(value, Path) else value}")
        for name, value in options.items()
        if name not in unsaid and value is not None and value is not False
    ]
    recorded = {
        "provenance": options["provenance"] or ", ".join(folder.name for folder in folders),
        "training": f"sketch-train {' '.join(arguments)}",
        "drawings": f"{len(data.train)} to train on, {len(data.val)} for val",
        "seed": str(options["seed"]),
    }
    return {name: as_unicode(value) for name, value in recorded.items()}
