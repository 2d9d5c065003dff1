"""What a training run reads and writes: folders of drawings, its state, its log and the checkpoint."""

import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sketch_infer.atomic import write_atomically
from sketch_infer.errors import InputError, OutputError
from sketch_models.training.data.dataset import Drawings, ReadingReport, classes_of, read_drawings


@dataclass(frozen=True)
class TrainingData:
    """Drawings to train on and to judge by.

    Attributes:
        train: of all classes, the targets first.
        val: of the target classes.
        targets: the classes that the network shall name.
        reports: per folder, what was left out.
    """

    train: Drawings
    val: Drawings
    targets: tuple[str, ...]
    reports: Mapping[Path, ReadingReport]


def read_training_data(
    train: Sequence[Path],
    dense: Sequence[Path] = (),
    val: Path | None = None,
    further: Path | None = None,
    targets: Sequence[str] | None = None,
    val_share: float = 0.1,
    unrecognized: bool = False,
) -> TrainingData:
    """Read all folders of a run.

    Args:
        train: folders of simplified drawings.
        dense: folders of drawings as the pen sampled them, to be simplified.
        val: folder to judge by; without one, `val_share` of the drawings of `train`, chosen by key_id.
        further: folder of further classes for pre-training.
        targets: the classes that the network shall name, in its order; by default the file names of `train`.
        val_share: in (0, 1).
        unrecognized: train on drawings that the game did not recognize, too; a folder to judge by keeps them anyway.

    Raises:
        InputError: if a folder cannot be used, or a class has no drawings to train on or, in all, to judge by.
    """
    if targets is None:
        targets = sorted({name for folder in train for name in classes_of(folder)})
    names = tuple(targets)
    if len(names) < 2:
        raise InputError(f"expected at least 2 classes, found {', '.join(names) or 'none'}")
    others = tuple(name for name in classes_of(further) if name not in names) if further else ()
    reports: dict[Path, ReadingReport] = {}

    def read(folder: Path, classes: Sequence[str], simplify: bool = False, learn: bool = True) -> Drawings:
        drawings, reports[folder] = read_drawings(folder, classes, simplify, only_recognized=learn and not unrecognized)
        # Labels of the targets are the same among all classes, for the targets come first.
        return Drawings(**{**vars(drawings), "classes": names + others})

    parts = [read(folder, names) for folder in train]
    if val is None:
        halves = [part.split(val_share) for part in parts]
        parts, held = [kept for kept, _ in halves], Drawings.join([held for _, held in halves])
    else:
        held = read(val, names, learn=False)
    parts += [read(folder, names, simplify=True) for folder in dense]
    if further:
        parts.append(read(further, names + others))
    drawings = Drawings.join(parts)
    counts = np.bincount(drawings.labels, minlength=len(drawings.classes))
    if empty := [name for name, count in zip(drawings.classes, counts, strict=True) if not count]:
        bad = [line for report in reports.values() for line in report.bad_lines]
        left_out = f"; {len(bad)} bad lines were left out: {'; '.join(bad[:3])}" if bad else ""
        raise InputError(f"expected drawings of every class to train on, found none of {', '.join(empty)}{left_out}")
    if not len(held):
        raise InputError("expected drawings to judge by, found none; give more drawings or a val folder")
    return TrainingData(drawings, Drawings(**{**vars(held), "classes": names}), names, reports)


def fingerprint(data: TrainingData) -> str:
    """Return a hash of the drawings, by which a resumed run knows that it has the same."""
    digest = hashlib.sha256()
    for drawings in (data.train, data.val):
        for array in (drawings.xy, drawings.pen, drawings.starts, drawings.labels):
            digest.update(array.tobytes())
        digest.update("\n".join(drawings.classes).encode())
    return digest.hexdigest()


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a run's state, whole or not at all.

    Raises:
        OutputError: if it cannot be written.
    """
    with write_atomically(path) as temporary:
        torch.save(dict(state), temporary)


def read_state(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Read a run's state.

    Args:
        path: the file that `save_state` wrote.
        settings: of the run that goes on; they must be those of the state.

    Raises:
        InputError: if the file is missing, unreadable, or of a run with other settings.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        before = state["settings"]
    except FileNotFoundError as error:
        raise InputError(f"{path}: expected the state of a run to resume, found nothing; leave out --resume") from error
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: not the state of a training run; remove it and leave out --resume") from error
    if changed := sorted(name for name in {*before, *settings} if before.get(name) != settings.get(name)):
        raise InputError(f"{path}: expected the settings of the run to resume, found other: {', '.join(changed)}")
    return state


def write_log(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write the log, one JSON object per epoch and line; rewritten as a whole, so that a resumed run has no doubles.

    Raises:
        OutputError: if it cannot be written.
    """
    with write_atomically(path) as temporary:
        temporary.write_text("".join(json.dumps(entry) + "\n" for entry in history), encoding="utf-8")


def check_writable(path: Path) -> None:
    """Refuse an output before the hours of training that it would cost.

    Raises:
        OutputError: if the folder of `path` is missing or `path` is a folder.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"{path}: expected a file in an existing folder")
