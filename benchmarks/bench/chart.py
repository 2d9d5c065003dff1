"""The chart of the README: one sketch at a time, and bulk."""

from collections.abc import Sequence
from pathlib import Path

from sketch_infer.atomic import write_atomically
from sketch_models.training.judging.figures import new_figure

from .candidates import COLUMNS, OURS_FP32, OURS_INT8
from .results import Row

NAMES = {
    "ours": "sketch-infer",
    "ours int8": "sketch-infer int8",
    "eager": "PyTorch eager",
    "compile": "torch.compile",
    "traced": "TorchScript",
    "ORT": "ONNX Runtime, plain export",
    "ORT 1t": "ONNX Runtime, 1 thread",
    "OpenVINO": "OpenVINO fp32",
    "OV bf16": "OpenVINO bf16",
}

ACCENT, OTHERS, TEXT = "#d1495b", "#a9b4c2", "#24292f"


def draw_chart(panels: Sequence[tuple[Row, str]], path: Path, caption: str) -> None:
    """Draw rows as horizontal bars, a panel each, and write the picture; equal rows give equal bytes.

    Args:
        panels: rows with their titles.
        path: .svg or .png file.
        caption: what stands below.

    Raises:
        DependencyError: if matplotlib is not installed.
        OutputError: if the picture cannot be written.
    """
    figure = new_figure(10, 4.2)
    import matplotlib as mpl

    # Its element ids are hashes with a salt that is random unless set; its text stays text.
    with mpl.rc_context({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.family": "sans-serif"}):
        columns = [name for name in COLUMNS if any(name in row.values for row, _ in panels)]
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (row, title) in zip(axes, panels, strict=True):
            values = [row.values.get(name, 0.0) for name in columns]
            colors = [ACCENT if name in (OURS_FP32, OURS_INT8) else OTHERS for name in columns]
            bars = axis.barh([NAMES[name] for name in columns], values, color=colors, height=0.72)
            labels = [_label(row.values[name], row.unit) if name in row.values else "" for name in columns]
            axis.bar_label(bars, labels, padding=4, color=TEXT, fontsize=10)
            axis.set_xlim(0, 1.25 * max(values, default=1.0))
            axis.set_title(title, loc="left", color=TEXT, fontsize=12, fontweight="bold", pad=10)
            axis.set_xticks([])
            axis.tick_params(axis="y", length=0, labelsize=11, labelcolor=TEXT)
            axis.spines[["top", "right", "bottom"]].set_visible(False)
            axis.spines["left"].set_color(OTHERS)
        axes[0].invert_yaxis()
        figure.set_layout_engine("constrained", h_pad=0.12, wspace=0.08)
        figure.supxlabel(caption, fontsize=9, color=TEXT)
        with write_atomically(path) as temporary:
            kind = path.suffix.lstrip(".")
            metadata = {"Date": None} if kind == "svg" else None
            figure.savefig(temporary, format=kind, dpi=120, facecolor="white", metadata=metadata)


def _label(value: float, unit: str) -> str:
    return f"{value:,.0f}{unit}" if unit == "/s" else f"{value:.2f} {unit}"
