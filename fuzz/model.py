"""`python -m fuzz.model STROKES_FILE POINTS_FILE`: the smallest model files."""

import sys
from pathlib import Path

import torch

from sketch_export import export_onnx
from sketch_models import SketchRNN, SketchRNNConfig

if __name__ == "__main__":
    torch.manual_seed(0)
    config = SketchRNNConfig(input_size=3, hidden_size=2, output_size=3, sequence_length=12, n_layers=1)
    network = SketchRNN.from_config(config).eval()
    export_onnx(network, Path(sys.argv[1]), ("ant", "bee", "cat"))
    export_onnx(network, Path(sys.argv[2]), ("ant", "bee", "cat"), input_form="points")
