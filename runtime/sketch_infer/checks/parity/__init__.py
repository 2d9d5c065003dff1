"""Parity: do two runs of a network, such as eager PyTorch's and ONNX Runtime's, give the same outputs?"""
