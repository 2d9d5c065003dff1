"""Pictures of how networks do on labeled drawings."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sketch_infer.checks.evaluation import N_BINS, Evaluation
from sketch_models.training.judging.figures import new_figure, save_figure

_MOST_SHOWN = 60  # classes that a picture has room for


def plot_confusions(evaluations: Mapping[Path, Evaluation], path: Path) -> None:
    """Draw each network's confusion matrix: rows are labels, columns answers, numbers percentages of the row.

    Of many classes, those that the first network confuses most are shown.

    Raises:
        DependencyError: if matplotlib is not installed.
        OutputError: if the picture cannot be written.
    """
    first = next(iter(evaluations.values()))
    off_diagonal = first.confusion - np.diag(np.diag(first.confusion))
    confused = np.argsort(-(off_diagonal.sum(axis=0) + off_diagonal.sum(axis=1)), kind="stable")[:_MOST_SHOWN]
    shown = np.sort(confused)
    names = [first.classes[row] for row in shown]
    size = 3 + 0.25 * len(shown)
    figure = new_figure((size + 1) * len(evaluations), size + 0.8)
    for panel, (name, one) in zip(
        figure.subplots(1, len(evaluations), squeeze=False)[0], evaluations.items(), strict=True
    ):
        counts = one.confusion.sum(axis=1, keepdims=True)
        shares = (one.confusion / counts.clip(min=1))[np.ix_(shown, shown)]
        image = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(shares >= 0.005), strict=True):
            color = "white" if shares[row, column] > 0.5 else "black"
            percent = f"{100 * shares[row, column]:.0f}"
            panel.text(column, row, percent, ha="center", va="center", fontsize=6, color=color)
        panel.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
        panel.set_yticks(range(len(names)), names, fontsize=8)
        some = f", {len(names)} most confused of {len(one.classes)} classes" if len(names) < len(one.classes) else ""
        panel.set(xlabel="answer", ylabel="label", title=f"{name}: top-1 {one.top1:.1%}{some}")
        figure.colorbar(image, ax=panel, shrink=0.6, format="{x:.0%}", label="share of the label's drawings")
    save_figure(figure, path)


def plot_reliability(evaluations: Mapping[Path, Evaluation], path: Path) -> None:
    """Draw each network's reliability diagram: how often it is right by how sure it is, and how many drawings that is.

    Guo et al., "On Calibration of Modern Neural Networks" (2017), figure 1.

    Raises:
        DependencyError: if matplotlib is not installed.
        OutputError: if the picture cannot be written.
    """
    figure = new_figure(4.2 * len(evaluations), 5.2)
    panels = figure.subplots(2, len(evaluations), squeeze=False, sharex=True, height_ratios=(3, 1))
    edges = np.linspace(0, 1, N_BINS + 1)
    for (above, below), (name, one) in zip(panels.T, evaluations.items(), strict=True):
        counts, confidences, hits = one.calibration.T
        filled = counts > 0
        left, width = edges[:-1][filled], 1 / N_BINS
        confidence, accuracy = confidences[filled] / counts[filled], hits[filled] / counts[filled]
        above.bar(left, accuracy, width, align="edge", edgecolor="white", color="#3465a4", label="accuracy")
        above.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="perfectly calibrated")
        above.plot(confidence, accuracy, "o", color="black", markersize=3, label="mean confidence of a bin")
        above.set(ylabel="share that is right", ylim=(0, 1))
        name_that_fits = "/".join(name.parts[-2:])
        above.set_title(f"{name_that_fits}\ncalibration error {one.calibration_error:.1%}", fontsize=10)
        above.legend(fontsize=8, loc="upper left")
        below.bar(left, counts[filled] / len(one), width, align="edge", edgecolor="white", color="#888a85")
        below.set(xlabel="probability of the most likely class", ylabel="share of drawings", xlim=(0, 1))
    save_figure(figure, path)
