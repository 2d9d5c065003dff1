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
from sketch_infer.model.labels import check_labels
from sketch_models.training.data.dataset import Drawings, read_drawings
from sketch_models.training.data.folders import classes_of
from sketch_models.training.data.report import ReadingReport


@dataclass(frozen=True)
class TrainingData:
    """Drawings to train on and to judge by.

    Attributes:
        train: of all classes, the targets first.
        val: of the target classes.
        targets: the classes that the network shall name.
        reports: per folder, what was left out.
        left_out: drawings to train on that were left out because they are among those to judge by.
    """

    train: Drawings
    val: Drawings
    targets: tuple[str, ...]
    reports: Mapping[Path, ReadingReport]
    left_out: int = 0


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

    A drawing that is among those to judge by, by its key_id or its points, is left out of what is trained on, whatever
    its folder.

    Args:
        train: folders of simplified drawings.
        dense: folders of drawings as the pen sampled them, to be simplified.
        val: folder to judge by; without one, `val_share` of the drawings of `train`, chosen by key_id.
        further: folder of further classes for pre-training.
        targets: the classes that the network shall name, in its order; by default the file names of `train`.
        val_share: in (0, 1).
        unrecognized: train on drawings that the game did not recognize, too; a folder to judge by keeps them anyway.

    Raises:
        InputError: if a folder or a class name cannot be used, a folder is named twice, or a class has no drawings to
            train on or, in all, to judge by.
    """
    folders = [*train, *dense, *([further] if further else [])]
    if doubled := [
        one for at, one in enumerate(folders) if one.resolve() in [other.resolve() for other in folders[:at]]
    ]:
        raise InputError(f"{doubled[0]}: expected each folder once, found it twice; name it once")
    names = _usable(sorted({name for folder in train for name in classes_of(folder)}) if targets is None else targets)
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
    drawings = Drawings.join([part.without(held) for part in parts])
    left_out = sum(map(len, parts)) - len(drawings)
    _require_all_classes(drawings, len(names), left_out, reports)
    if not len(held):
        raise InputError("expected drawings to judge by, found none; give more drawings or a val folder")
    return TrainingData(drawings, Drawings(**{**vars(held), "classes": names}), names, reports, left_out)


def _usable(targets: Sequence[str]) -> tuple[str, ...]:
    """Return the target classes if a checkpoint can name them."""
    if len(targets) < 2:
        raise InputError(f"expected at least 2 classes, found {', '.join(targets) or 'none'}")
    try:
        return check_labels(list(targets), len(targets))
    except InputError as error:
        raise InputError(f"{error}; mend the name of the file, or the line of --classes") from error


def _require_all_classes(
    drawings: Drawings, n_targets: int, left_out: int, reports: Mapping[Path, ReadingReport]
) -> None:
    """Refuse to train on a class without drawings, and say what was left out."""
    counts = np.bincount(drawings.labels, minlength=len(drawings.classes))
    if left_out and not counts[:n_targets].any():
        raise InputError(
            f"expected drawings to train on beside those to judge by, found the same {left_out}; leave out --val, so "
            "that a share of them is held back, or give a val folder of other drawings"
        )
    if empty := [name for name, count in zip(drawings.classes, counts, strict=True) if not count]:
        bad = [line for report in reports.values() for line in report.bad_lines]
        why = f"; {left_out} drawings were left out that are among those to judge by" if left_out else ""
        why += f"; {len(bad)} bad lines were left out: {'; '.join(bad[:3])}" if bad else ""
        raise InputError(f"expected drawings of every class to train on, found none of {', '.join(empty)}{why}")


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
