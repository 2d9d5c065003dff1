"""The picture of a training run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sketch_models.training.judging.figures import new_figure, save_figure


def plot_learning_curve(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw loss and accuracy over the epochs of a run.

    Args:
        history: entries with phase, loss, accuracy, val_loss and val_top1.
        path: the picture; its suffix chooses the format.

    Raises:
        DependencyError: if matplotlib is not installed.
        OutputError: if the picture cannot be written.
    """
    figure = new_figure(9, 4)
    epochs = range(1, len(history) + 1)
    phases = [entry["phase"] for entry in history]
    panels = figure.subplots(1, 2)
    for panel, (title, train, val) in zip(
        panels, (("loss", "loss", "val_loss"), ("top-1 accuracy", "accuracy", "val_top1")), strict=True
    ):
        panel.plot(epochs, [entry[train] for entry in history], label="train (varied, with dropout)")
        panel.plot(epochs, [entry[val] for entry in history], label="val")
        for number in range(1, len(phases)):
            if phases[number] != phases[number - 1]:
                panel.axvline(number + 0.5, color="grey", linewidth=0.8)
        panel.set(xlabel="epoch", title=title)
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.3)
        panel.legend()
    save_figure(figure, path)
