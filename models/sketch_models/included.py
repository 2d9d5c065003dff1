"""The checkpoints that come with the project, by name."""

from pathlib import Path

from sketch_infer.errors import ModelFileError
from sketch_infer.inference.installed import MODEL_NAMES

_FOLDER = Path(__file__).parents[1]


def find_checkpoint(checkpoint: Path) -> Path:
    """Return the file that is meant: an included model's checkpoint for its name, else the path itself.

    Raises:
        ModelFileError: if an included model is meant that is not there, as in an installation without a clone.
    """
    if str(checkpoint) not in MODEL_NAMES:
        return checkpoint
    path = _FOLDER / checkpoint / "model.safetensors"
    if not path.is_file():
        raise ModelFileError(f"{checkpoint}: expected this model's checkpoint at {path}, found nothing; name a file")
    return path
