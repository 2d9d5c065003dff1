"""The identity of a network's weights."""

import hashlib

import torch

from sketch_models import SketchRNN


def weights_sha256(model: SketchRNN) -> str:
    """Hash a network's parameters: names, shapes and float32 values, in the order of their names.

    The same weights give the same hash from whichever file they were loaded.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} float32\n".encode())
        digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()
