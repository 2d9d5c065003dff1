"""Classify pen strokes with a SketchRNN that was exported to ONNX: strokes in, labels out, no torch."""

from .bulk import classify_sketches
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
    SkippedError,
)
from .evaluation import Evaluation, Tally, evaluate
from .parity import ParityReport, compare_outputs
from .predictions import Predictions
from .readers import Reading, Sketch, expand_folders, read_sketches
from .simplify import simplify_drawing
from .strokes import as_strokes, drawing_to_sketch, to_batch

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "ClassifierStateError",
    "DependencyError",
    "Evaluation",
    "InputError",
    "ModelFileError",
    "OutputError",
    "ParityError",
    "ParityReport",
    "Predictions",
    "ProviderError",
    "Reading",
    "Sketch",
    "SketchError",
    "SkippedError",
    "Tally",
    "TruncationWarning",
    "as_strokes",
    "classify_sketches",
    "compare_outputs",
    "default_model",
    "drawing_to_sketch",
    "evaluate",
    "expand_folders",
    "read_sketches",
    "simplify_drawing",
    "to_batch",
]
