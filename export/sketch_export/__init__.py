"""SketchRNN from PyTorch to ONNX, with proof."""

from .exporter import NotProvenError, export_onnx
from .proof import prove
from .shapes import LayerShape, layer_shapes

__all__ = ["LayerShape", "NotProvenError", "export_onnx", "layer_shapes", "prove"]
