"""The network's tensors in what training scripts save, and the sizes that they have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sketch_models.sketch_rnn import CONVOLUTIONS, SketchRNN, SketchRNNConfig

StateDict = dict[str, Tensor]

HEAD = "fc_mu1.weight"

_FIRST = "conv1d_1.weight"
"""By this name a network is found, whatever stands before it."""

_DEEPEST = 3
_MAX_HEAD_BYTES = 2**31
"""What protobuf, and so an ONNX file, holds at most."""


@dataclass(frozen=True)
class FoundTensors:
    """The tensors of a network, found in what was saved.

    Attributes:
        place: keys that lead to them, and the prefix of their names: "state_dict: model.", for example.
        tensors: by name, without the prefix.
        others: names of tensors that stand beside them.
    """

    place: str
    tensors: StateDict
    others: tuple[str, ...]


def find_tensors(saved: Any) -> FoundTensors:
    """Find the one SketchRNN in a state dict or a training checkpoint.

    Frameworks put prefixes before the names (``module.``, ``_orig_mod.``, ``model.``), and the state dict below a key
    (``state_dict``, ``model_state_dict``), beside the state of the optimizer.

    Args:
        saved: what was loaded from the file.

    Raises:
        ValueError: if it holds no such tensors, or those of several networks.
    """
    found = list(_search(saved, ()))
    if len(found) > 1:
        places = " and ".join(one.place or "the file itself" for one in found)
        raise ValueError(
            f"expected the weights of one network, found them at {places}; save the state dict of the one you mean"
        )
    if found:
        return found[0]
    names = ", ".join(sorted(map(str, saved))[:4]) if isinstance(saved, Mapping) else ""
    holds = f"a dict with {names or 'nothing'}" if isinstance(saved, Mapping) else type(saved).__name__
    raise ValueError(f"expected a state dict with {_FIRST}, found {holds}")


def _search(value: Any, keys: tuple[str, ...]) -> Iterator[FoundTensors]:
    if not isinstance(value, Mapping) or len(keys) > _DEEPEST:
        return
    tensors = {name: tensor for name, tensor in value.items() if isinstance(name, str) and isinstance(tensor, Tensor)}
    prefixes = [name.removesuffix(_FIRST) for name in tensors if name == _FIRST or name.endswith(f".{_FIRST}")]
    for prefix in prefixes:
        own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        others = tuple(name for name in tensors if not name.startswith(prefix) and name != "n_averaged")
        yield FoundTensors(": ".join((*keys, prefix) if prefix else keys), own, others)
    for key, inner in value.items():
        yield from _search(inner, (*keys, str(key)))


def config_from_state_dict(state: Mapping[str, Tensor]) -> SketchRNNConfig:
    """Read the sizes of a SketchRNN off the shapes of its tensors.

    The dropout cannot be read back; it has no part in inference and keeps its default.

    Raises:
        ValueError: if a tensor is missing or its shape fits no SketchRNN.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    expected_ranks = {_FIRST: 3, "lstm_1.weight_hh_l0": 2, HEAD: 2}
    for name, rank in expected_ranks.items():
        if len(shapes.get(name, ())) != rank:
            found = shapes.get(name, f"only {', '.join(sorted(shapes)[:4]) or 'nothing'} ...")
            raise ValueError(f"expected {name} of rank {rank}, found {found}")
        if 0 in shapes[name]:
            raise ValueError(f"expected {name} with values, found shape {shapes[name]}")
    hidden_size = shapes["lstm_1.weight_hh_l0"][1]
    output_size, features = shapes[HEAD]
    time_steps, rest = divmod(features, 2 * hidden_size)
    if rest:
        raise ValueError(
            f"expected {HEAD} to read both directions of every time step, a multiple of {2 * hidden_size} features, "
            f"found {features}"
        )
    if time_steps == 1:
        raise ValueError(
            f"expected {HEAD} to read every time step, found the {features} features of one: a head that reads the "
            "mean or the last state belongs to another network"
        )
    return SketchRNNConfig(
        input_size=shapes[_FIRST][1],
        hidden_size=hidden_size,
        output_size=output_size,
        n_layers=count_layers(state),
        sequence_length=time_steps + sum(kernel - 1 for _, kernel in CONVOLUTIONS),
    )


def count_layers(state: Mapping[str, Tensor]) -> int:
    """Return how many LSTM layers there are tensors of."""
    return sum(name.startswith("lstm_1.weight_hh_l") and not name.endswith("_reverse") for name in state)


def check_tensors(state: Mapping[str, Tensor], config: SketchRNNConfig) -> None:
    """Check that there are the tensors of a network of these sizes, and no others, before it is built.

    Raises:
        ValueError: if one is missing, of another shape or dtype, or none of a SketchRNN's.
    """
    if config.n_layers != (found := count_layers(state)):
        raise ValueError(f"expected {config.n_layers} LSTM layers, as its config says, found the tensors of {found}")
    check_head_size(config)
    with torch.device("meta"):  # shapes without memory
        expected = {name: tuple(tensor.shape) for name, tensor in SketchRNN.from_config(config).state_dict().items()}
    if missing := [name for name in expected if name not in state]:
        raise ValueError(f"expected the tensors {', '.join(missing[:4])}, found none; {_why_missing(missing)}")
    if extra := [name for name in state if name not in expected]:
        raise ValueError(f"expected no tensors {', '.join(extra[:4])}: {_why_extra(extra)}")
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise ValueError(f"expected {name} of shape {shape}, found {tuple(state[name].shape)}")
    if odd := [f"{state[name].dtype} in {name}" for name in expected if not state[name].is_floating_point()]:
        raise ValueError(f"expected weights of a float dtype, found {', '.join(odd)}")


def check_head_size(config: SketchRNNConfig) -> None:
    """Check that a head of these sizes fits into an ONNX file, before memory is asked for.

    Raises:
        ValueError: if it does not.
    """
    n_bytes = 4 * config.output_size * 2 * config.hidden_size * config.time_steps
    if n_bytes >= _MAX_HEAD_BYTES:
        raise ValueError(f"expected a head of less than {_MAX_HEAD_BYTES} bytes, found one of {n_bytes}")


def _why_missing(names: list[str]) -> str:
    if all(name.endswith("_reverse") for name in names):
        return "the LSTM has to be bidirectional"
    if all("bias" in name for name in names):
        return "layers made with bias=False are of another network"
    return "is it another network?"


def _why_extra(names: list[str]) -> str:
    if any(name.startswith("fc_") for name in names):
        return "the network has one head, fc_mu1"
    return "the network has three convolutions, a bidirectional LSTM and a head"
