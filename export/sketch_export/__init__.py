"""SketchRNN from PyTorch to ONNX, with proof."""
