"""Classify pen strokes with an exported SketchRNN."""

__version__ = "0.1.0"
