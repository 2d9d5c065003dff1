"""A network's weights: that they are numbers, and which ones."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from sketch_infer.errors import InputError
from sketch_models import SketchRNN


def check_weights(title: str, state: Mapping[str, Tensor]) -> None:
    """Check that weights are there, and finite as float32.

    Args:
        title: what messages call the network.
        state: its tensors by name.

    Raises:
        InputError: if one is on the meta device, or holds NaN or infinity.
    """
    if empty := [name for name, tensor in state.items() if tensor.is_meta]:
        raise InputError(
            f"{title}: expected weights, found none in {', '.join(empty[:4])}: the module is on the meta device; load "
            "its weights first"
        )
    if broken := [name for name, tensor in state.items() if not tensor.to(torch.float32).isfinite().all()]:
        raise InputError(f"{title}: expected finite weights, found NaN or infinity in {', '.join(broken[:4])}")


def weights_sha256(model: SketchRNN) -> str:
    """Hash a network's parameters: names, shapes and float32 values, in the order of their names.

    The same weights give the same hash from whichever file they were loaded.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} float32\n".encode())
        digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()
