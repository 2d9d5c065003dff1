"""Five tiny model files, committed so that the runtime is tested without PyTorch; from `python -m tests.tiny`."""

from pathlib import Path

FOLDER = Path(__file__).parent
MODEL = FOLDER / "tiny.onnx"
WITH_STATE = FOLDER / "tiny_state.onnx"
OF_POINTS = FOLDER / "tiny_points.onnx"
WITH_CODES = FOLDER / "tiny_codes.onnx"
OTHER = FOLDER / "tiny_other.onnx"
"""Other weights, said to be random, and labels that not every terminal can show."""

LABELS = ("ant", "bee", "cat", "dog", "eel")
OTHER_LABELS = ("Å\u00e4", "鸟", "🐱", "dog", "eel")
LENGTH = 24
