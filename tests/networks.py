"""Small networks for the tests of the exporter and of the network."""

import numpy as np
import numpy.typing as npt
import torch

from sketch_models import SketchRNN, SketchRNNConfig

TINY = SketchRNNConfig(input_size=3, hidden_size=6, output_size=5, sequence_length=24)
"""Small enough to export in seconds; long enough for every kernel."""


def make_model(config: SketchRNNConfig = TINY, seed: int = 0) -> SketchRNN:
    torch.manual_seed(seed)
    return SketchRNN.from_config(config).eval()


def float64_weights(model: SketchRNN) -> dict[str, npt.NDArray[np.float64]]:
    return {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
