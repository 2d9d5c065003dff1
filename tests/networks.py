"""Small networks for the tests of the exporter and of the network."""

import numpy as np
import numpy.typing as npt
import torch

from sketch_models import HashLayer, SketchHash, SketchRNN, SketchRNNConfig

TINY = SketchRNNConfig(input_size=3, hidden_size=6, output_size=5, sequence_length=24)
"""Small enough to export in seconds; long enough for every kernel."""


def make_model(config: SketchRNNConfig = TINY, seed: int = 0) -> SketchRNN:
    torch.manual_seed(seed)
    return SketchRNN.from_config(config).eval()


def float64_weights(model: SketchRNN) -> dict[str, npt.NDArray[np.float64]]:
    return {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}


def make_hash(config: SketchRNNConfig = TINY, code_bits: int = 16, seed: int = 0, contrast: float = 1) -> SketchHash:
    """A network with random codes; its class outputs are `make_model`'s.

    Its probabilities are all about the same, and so are its codes, unless `contrast` is high.
    """
    model = make_model(config, seed)
    layer = HashLayer(config.output_size, code_bits)
    with torch.no_grad():
        weight = layer.fc_1.weight.mul_(contrast)
        layer.fc_1.bias.sub_(weight.sum(dim=1) / config.output_size**0.5)
        layer.fc_2.bias.zero_()
    return SketchHash.of(model, layer)


def make_tiny_hash() -> SketchHash:
    """The network of `tests.tiny.WITH_CODES`."""
    return make_hash(contrast=30)
