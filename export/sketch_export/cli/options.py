"""What several commands share."""

import tempfile
from pathlib import Path

import click
import torch

from sketch_infer.atomic import replaceable
from sketch_infer.errors import writing_errors
from sketch_models import SketchRNN

PUBLISHED_LENGTH = 196
"""Points per sketch of the published network."""

EXAMPLE_SIZES = (3, 256, 40)
"""input_size, hidden_size and output_size of the published example network."""

checkpoint_path = click.Path(path_type=Path)

expected_option = click.option(
    "--expected",
    type=click.Path(path_type=Path),
    help="An .npz file of strokes and your own network's logits or log_probs for them: exit 1 if SketchRNN's differ.",
)


def check_writable(path: Path | None) -> None:
    """Refuse an output before the work, so that no other one is written in vain.

    Raises:
        OutputError: if `path` is a folder or a device, or no file can be made beside it.
    """
    if path:
        target = replaceable(path)
        with writing_errors(path):
            tempfile.TemporaryFile(dir=target.parent).close()


def example_network() -> SketchRNN:
    """Return the published example network with random weights, the same ones each time."""
    torch.manual_seed(0)
    return SketchRNN(*EXAMPLE_SIZES).eval()
