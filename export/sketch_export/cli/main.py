"""`sketch-export`: from a checkpoint to a proven model file."""

import click

from sketch_export.cli.evaluate import evaluate
from sketch_export.cli.onnx import onnx
from sketch_export.cli.receipts import receipts
from sketch_export.cli.shapes import shapes
from sketch_export.cli.verify import verify
from sketch_infer import __version__
from sketch_infer.cli.console import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Export a SketchRNN from PyTorch to ONNX, and prove that the file computes the same network.

    CHECKPOINT is a PyTorch state dict (.pt, .pth) or a .safetensors file. The network's sizes are read from it.

    Exit codes: 0 success; 1 a proof failed; 2 wrong usage or an unusable file.
    """


for command in (onnx, verify, shapes, evaluate, receipts):
    main.add_command(command)
