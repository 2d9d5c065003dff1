"""Checks of model files beside PyTorch: proof, layers, shapes, recorded answers, labels and accuracy on drawings."""
