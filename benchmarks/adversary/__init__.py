"""`make adversary`: a search for the sketches on which ONNX Runtime and eager PyTorch are furthest from float64."""
