"""`sketch-export shapes`."""

from pathlib import Path

import click

from sketch_export.checks.shapes import format_shapes, layer_shapes
from sketch_export.cli.options import checkpoint_path, example_network
from sketch_infer.cli.console import say, terminal_width
from sketch_infer.errors import ParityError
from sketch_models import load_checkpoint


@click.command()
@click.option(
    "--batch", type=click.IntRange(min=1), default=512, show_default=True, help="Number of rows in the input."
)
@click.option("--checkpoint", type=checkpoint_path, help="Network to inspect. Default: SketchRNN(3, 256, 40).")
def shapes(batch: int, checkpoint: Path | None) -> None:
    """Print every layer's shape, determined in three ways.

    The columns are the shape by formula, in eager PyTorch, and in the plain graph in ONNX Runtime.
    """
    network = load_checkpoint(checkpoint).model if checkpoint else example_network()
    rows = layer_shapes(network, batch)
    say(format_shapes(rows, terminal_width()))
    if different := [row.layer for row in rows if not row]:
        raise ParityError(f"shapes differ in {', '.join(different)}")
