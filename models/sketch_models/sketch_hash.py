"""SketchHash: a SketchRNN that also tells how similar sketches are, by a vector and by the binary code of its signs.

The codes follow "SketchMate: Deep Hashing for Million-Scale Human Sketch Retrieval" (Xu et al., CVPR 2018). There the
hash layer stands between features and classes. Here it reads the probabilities of a trained network, whose answers stay
exactly as they were.
"""

from collections.abc import MutableMapping
from typing import Self

import torch
from torch import Tensor, nn

from sketch_infer.model.codes import BITS_IN_BYTE
from sketch_models.sketch_rnn import SketchRNN

CODE_BITS = 64
"""Bits of a code, unless said otherwise."""

_UNITS = 256

SMALLEST_NORM = 1e-12
"""What the values are divided by at least, so that an embedding is never NaN."""

HASH_LAYER = "hash_layer."
"""What the names of its tensors begin with."""


class HashLayer(nn.Module):
    """Two linear layers that bring the square roots of probabilities to one value a bit.

    The product of two sketches' square roots is the Bhattacharyya coefficient, which compares them far better than
    logits do: what is unlikely does not count, however unlikely it is.

    Args:
        n_classes: number of classes.
        code_bits: bits of the code.

    Raises:
        ValueError: if `code_bits` is not a multiple of 8.
    """

    def __init__(self, n_classes: int, code_bits: int = CODE_BITS) -> None:
        super().__init__()
        if code_bits < 1 or code_bits % BITS_IN_BYTE:
            raise ValueError(f"expected code_bits as a multiple of {BITS_IN_BYTE}, found {code_bits}")
        self.fc_1 = nn.Linear(n_classes, _UNITS)
        self.fc_2 = nn.Linear(_UNITS, code_bits)

    @property
    def code_bits(self) -> int:
        """Bits of the code."""
        return self.fc_2.out_features

    def forward(self, log_probs: Tensor) -> Tensor:
        """Return the values whose signs are the bits, (batch, code_bits), given log_probs (batch, n_classes)."""
        values: Tensor = self.fc_2(torch.relu(self.fc_1(torch.exp(log_probs / 2))))
        return values


class SketchHash(SketchRNN):
    """A SketchRNN with a hash layer behind its answers; `forward` is SketchRNN's own.

    The arguments are SketchRNN's, and `code_bits`, the bits of the code.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        dropout: float = 0.1,
        n_layers: int = 1,
        sequence_length: int = 196,
        code_bits: int = CODE_BITS,
    ) -> None:
        super().__init__(input_size, hidden_size, output_size, dropout, n_layers, sequence_length)
        self.hash_layer = HashLayer(output_size, code_bits)

    @classmethod
    def of(cls, model: SketchRNN, layer: HashLayer) -> Self:
        """Put a hash layer behind a network; both are copied."""
        with torch.device("meta"):
            hashing = cls.from_config(model.config)
            hashing.hash_layer = HashLayer(model.config.output_size, layer.code_bits)
        network = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        added = {HASH_LAYER + name: tensor.clone() for name, tensor in layer.state_dict().items()}
        hashing.load_state_dict(network | added, assign=True)
        return hashing.train(model.training)

    def encode(self, log_probs: Tensor) -> tuple[Tensor, Tensor]:
        """Return embedding and code of sketches, given their log_probs (batch, output_size).

        Returns:
            embedding (batch, code_bits), each row of length 1, and code, uint8 (batch, code_bits / 8), as
            `numpy.packbits(embedding > 0, axis=1)` has it.
        """
        values = self.hash_layer(log_probs)
        embedding = nn.functional.normalize(values, dim=1, eps=SMALLEST_NORM)
        bits = (embedding > 0).to(torch.uint8).reshape(-1, self.hash_layer.code_bits // BITS_IN_BYTE, BITS_IN_BYTE)
        weights = 2 ** torch.arange(BITS_IN_BYTE - 1, -1, -1, dtype=torch.uint8)
        return embedding, (bits * weights).sum(dim=2, dtype=torch.uint8)


def take_hash_layer(state: MutableMapping[str, Tensor], n_classes: int) -> HashLayer | None:
    """Take the hash layer's tensors out of a state dict, which is then a SketchRNN's; None if it has none.

    Raises:
        ValueError: if one is missing or of another shape or dtype.
    """
    tensors = {name.removeprefix(HASH_LAYER): state.pop(name) for name in list(state) if name.startswith(HASH_LAYER)}
    if not tensors:
        return None
    bias = tensors.get("fc_2.bias")
    with torch.device("meta"):  # shapes without memory
        layer = HashLayer(n_classes, len(bias) if bias is not None and bias.ndim == 1 else 0)
    expected = {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != expected or not all(tensor.is_floating_point() for tensor in tensors.values()):
        raise ValueError(f"expected float tensors {HASH_LAYER}* of shapes {expected}, found {found}")
    layer.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    return layer
