"""Export a SketchRNN from PyTorch to ONNX, and prove that the file computes the same network."""

from .exporter import NotProvenError, export_onnx
from .proof import prove
from .shapes import LayerShape, layer_shapes

__all__ = ["LayerShape", "NotProvenError", "export_onnx", "layer_shapes", "prove"]
