"""Pen strokes as the network reads them: checking, simplifying, scaling and padding."""
