"""Classify pen strokes with a SketchRNN that was exported to ONNX: strokes in, labels out, no torch."""

from .classifier import Classifier, TruncationWarning, default_model
from .errors import (
    ClassifierStateError,
    DependencyError,
    InputError,
    ModelFileError,
    OutputError,
    ParityError,
    ProviderError,
    SketchError,
)
from .parity import ParityReport, compare_outputs
from .predictions import Predictions
from .readers import Sketch, read_sketches
from .strokes import as_strokes, drawing_to_sketch, to_batch

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "ClassifierStateError",
    "DependencyError",
    "InputError",
    "ModelFileError",
    "OutputError",
    "ParityError",
    "ParityReport",
    "Predictions",
    "ProviderError",
    "Sketch",
    "SketchError",
    "TruncationWarning",
    "as_strokes",
    "compare_outputs",
    "default_model",
    "drawing_to_sketch",
    "read_sketches",
    "to_batch",
]
