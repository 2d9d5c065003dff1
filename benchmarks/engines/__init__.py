"""`make engines`: the exported files in ONNX Runtime and in engines that they were not made for."""
