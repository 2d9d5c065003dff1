"""Pen points in, label out: the preparation of `sketch_infer.strokes` as ONNX operators, before the network."""
