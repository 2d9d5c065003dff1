"""`make compat`: the exported files under several releases of ONNX Runtime."""
