"""Pictures by matplotlib, which only they need."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sketch_infer.atomic import write_atomically
from sketch_infer.errors import DependencyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SUFFIXES = (".png", ".svg", ".pdf")


def check_picture(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse, as an option's callback, a file whose ending names no kind of picture that `save_figure` writes."""
    if path and path.suffix.lower() not in _SUFFIXES:
        raise click.BadParameter(f"expected a file that ends in {', '.join(_SUFFIXES)}, found {path}")
    return path


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of this size in inches, which no window shows.

    Raises:
        DependencyError: if matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DependencyError("pictures need matplotlib; install it with: pip install matplotlib") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure, whole or not at all; the suffix of `path` (.png, .svg, .pdf) chooses the format.

    Raises:
        OutputError: if the picture cannot be written.
    """
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lstrip(".") or "png", dpi=120)
