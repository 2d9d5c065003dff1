"""Classify pen strokes with a SketchRNN exported to ONNX: strokes in, labels out, without PyTorch."""

import importlib
import os
from typing import TYPE_CHECKING, Any

# Nothing leaves the device: from 1.29 on ONNX Runtime's Linux wheels report to Microsoft unless this is set before they
# are imported. Set it to 0 to let them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from sketch_infer._version import __version__
from sketch_infer.errors import (
    ClassifierStateError,
    DependencyError,
    EngineError,
    InputError,
    ModelFileError,
    OutputError,
    ParityError,
    ProviderError,
    SignatureError,
    SketchError,
    SkippedError,
)
from sketch_infer.inference.classifier import Classifier, ConversionWarning, TruncationWarning
from sketch_infer.inference.installed import InstalledModel, default_model, installed_model, installed_models
from sketch_infer.inference.predictions import Predictions
from sketch_infer.inference.stream import classify_sketches
from sketch_infer.model.contract.metadata import ModelMetadata
from sketch_infer.readers.files import expand_folders, read_sketches
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.sketch import InputFormat, Sketch
from sketch_infer.strokes.preprocess import as_strokes, drawing_to_sketch, to_batch
from sketch_infer.strokes.simplify import simplify_drawing

if TYPE_CHECKING:
    from sketch_infer.checks.evaluation import Confusion, Evaluation, Tally, evaluate
    from sketch_infer.checks.parity.compare import compare_outputs
    from sketch_infer.checks.parity.report import OutputParity, ParityReport

_LATE = {
    **dict.fromkeys(("Confusion", "Evaluation", "Tally", "evaluate"), "sketch_infer.checks.evaluation"),
    "compare_outputs": "sketch_infer.checks.parity.compare",
    **dict.fromkeys(("OutputParity", "ParityReport"), "sketch_infer.checks.parity.report"),
}
"""Names of modules that few need: they are imported when they are asked for, which keeps the start short."""

__all__ = [
    "Classifier",
    "ClassifierStateError",
    "Confusion",
    "ConversionWarning",
    "DependencyError",
    "EngineError",
    "Evaluation",
    "InputError",
    "InputFormat",
    "InstalledModel",
    "ModelFileError",
    "ModelMetadata",
    "OutputError",
    "OutputParity",
    "ParityError",
    "ParityReport",
    "Predictions",
    "ProviderError",
    "ReadListener",
    "SignatureError",
    "Sketch",
    "SketchError",
    "SkippedError",
    "Tally",
    "TruncationWarning",
    "__version__",
    "as_strokes",
    "classify_sketches",
    "compare_outputs",
    "default_model",
    "drawing_to_sketch",
    "evaluate",
    "expand_folders",
    "installed_model",
    "installed_models",
    "read_sketches",
    "simplify_drawing",
    "to_batch",
]


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
