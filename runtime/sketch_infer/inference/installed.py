"""The models that come with this installation, by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from sketch_infer.errors import ModelFileError
from sketch_infer.model.contract.metadata import ModelMetadata, Precision
from sketch_infer.model.model_file import ModelFile

DEFAULT = "quickdraw-40"

_FILES = {
    ("quickdraw-40", "fp32"): "default.onnx",
    ("quickdraw-40", "int8"): "default_int8.onnx",
    ("quickdraw-345", "fp32"): "quickdraw-345.onnx",
    ("quickdraw-345", "int8"): "quickdraw-345_int8.onnx",
}
"""Files inside this package; `make export` writes them and the wheel carries them."""

MODEL_NAMES = tuple(dict.fromkeys(name for name, _ in _FILES))


@dataclass(frozen=True)
class InstalledModel:
    """A model of this installation.

    Attributes:
        name: its name for `--model` and `Classifier`.
        precision: "fp32" or "int8".
        path: its file.
        metadata: the file's metadata.
    """

    name: str
    precision: Precision
    path: Path
    metadata: ModelMetadata


def installed_model(name: str = DEFAULT, precision: Precision = "fp32") -> Path:
    """Return the path of a model that comes with this installation.

    Args:
        name: "quickdraw-40", the default, or "quickdraw-345".
        precision: "fp32", or "int8" for the smaller and faster version.

    Raises:
        ModelFileError: if it is not installed.
    """
    if (name, precision) not in _FILES:
        raise ModelFileError(f"expected a model named {' or '.join(MODEL_NAMES)}, found {name!r}")
    path = _path(name, precision)
    if not path.is_file():
        what = f"default {precision} model" if name == DEFAULT else f"{precision} model {name}"
        raise ModelFileError(f"this installation has no {what}; run `make export` or name a model file")
    return path


def default_model(precision: Precision = "fp32") -> Path:
    """Return the path of the default model.

    Args:
        precision: "fp32", or "int8" for the smaller and faster version.

    Raises:
        ModelFileError: if it is not installed.
    """
    return installed_model(DEFAULT, precision)


def find_model(model: str | Path | None, precision: Precision = "fp32") -> Path:
    """Return the file that is meant: the default model's for None, an installed model's for its name, else a path.

    Args:
        model: "quickdraw-345" is a name, whether there is such a file or not; "./quickdraw-345" and a Path are paths.
        precision: of an installed model.

    Raises:
        ModelFileError: if an installed model is meant that is not there.
    """
    if model is None or (isinstance(model, str) and model in MODEL_NAMES):
        return installed_model(model or DEFAULT, precision)
    return Path(model)


def installed_models() -> Iterator[InstalledModel]:
    """Yield the installed models.

    Raises:
        ModelFileError: if a model file is damaged.
    """
    for name in MODEL_NAMES:
        for precision in get_args(Precision):
            path = _path(name, precision)
            if path.is_file():
                yield InstalledModel(name, precision, path, ModelFile.read(path).check().metadata)


def _path(name: str, precision: str) -> Path:
    return Path(__file__).parents[1] / _FILES[name, precision]
