"""Checks of a model file: parity with eager PyTorch, independent rows, accuracy, and the self-check on a device."""
