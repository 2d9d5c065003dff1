"""Export a SketchRNN from PyTorch to ONNX, and prove that the file computes the same network."""

from sketch_export.checks.proof import prove
from sketch_export.checks.shapes import LayerShape, layer_shapes
from sketch_export.exporter import NotProvenError, export_onnx

__all__ = ["LayerShape", "NotProvenError", "export_onnx", "layer_shapes", "prove"]
