"""Reading and writing SketchRNN checkpoints.

Two kinds are read: a bare PyTorch state dict (`.pt`, `.pth`) of any class with SketchRNN's attribute names, and
safetensors, which is also what this project writes, with config and labels in its metadata.

A head that was trained as linear between a few time steps, its knots, is stored by the weights at these steps: the
tensor `fc_mu1.knots` in place of `fc_mu1.weight`, and the steps in the metadata as `head_knots`. The head of many
classes is stored in 8 bits: `fc_mu1.knots` are integers then, and `fc_mu1.scales` what they count, by class and knot.
"""

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from sketch_infer.atomic import write_atomically
from sketch_infer.errors import ModelFileError, require_file
from sketch_infer.model.labels import check_labels
from sketch_models.sketch_rnn import CONVOLUTIONS, SketchRNN, SketchRNNConfig

StateDict = dict[str, Tensor]

_HEAD, _HEAD_AT_KNOTS, _SCALES = "fc_mu1.weight", "fc_mu1.knots", "fc_mu1.scales"


@dataclass(frozen=True)
class Checkpoint:
    """A network with what its file says of it.

    Attributes:
        model: the network, float32, in eval mode.
        labels: class names in the order of the outputs; None if the file has none.
        metadata: what else a safetensors file records (provenance, metrics ...), text by name.
    """

    model: SketchRNN
    labels: tuple[str, ...] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Load a SketchRNN from a state dict (`.pt`, `.pth`) or a `.safetensors` file.

    Weights of any float dtype are restored to float32. Sizes come from the file's config if it has one, else
    from the shapes of its tensors.

    Raises:
        ModelFileError: if the file is missing, of another kind, unreadable, or not a SketchRNN.
    """
    path = Path(path)
    require_file(path, "a checkpoint file")
    readers = {".safetensors": _read_safetensors, ".pt": _read_state_dict, ".pth": _read_state_dict}
    if path.suffix not in readers:
        raise ModelFileError(
            f"{path}: expected a .pt, .pth or .safetensors checkpoint, found {path.suffix or 'no'} suffix"
        )
    state, metadata = readers[path.suffix](path)
    if (scales := state.pop(_SCALES, None)) is not None:
        _scale_head(path, state, scales)
    if odd := [f"{tensor.dtype} in {name}" for name, tensor in state.items() if not tensor.is_floating_point()]:
        raise ModelFileError(f"{path}: expected weights of a float dtype, found {', '.join(odd)}")
    try:
        config_text = metadata.pop("config", None)
        config = SketchRNNConfig.from_dict(json.loads(config_text)) if config_text else config_from_state_dict(state)
        knots_text = metadata.pop("head_knots", None)
        if knots_text:
            state[_HEAD] = _interpolate_head(state.pop(_HEAD_AT_KNOTS, None), json.loads(knots_text), config)
        model = SketchRNN.from_config(config)
        model.load_state_dict(state, strict=True)
        labels_text = metadata.pop("labels", None)
        labels = check_labels(json.loads(labels_text), config.output_size) if labels_text else None
    except (ValueError, RuntimeError) as error:
        raise ModelFileError(f"{path}: not a SketchRNN checkpoint: {' '.join(str(error).split())}") from error
    if broken := [name for name, tensor in model.state_dict().items() if not tensor.isfinite().all()]:
        raise ModelFileError(f"{path}: expected finite weights, found NaN or infinity in {', '.join(broken)}")
    return Checkpoint(model.eval(), labels, metadata)


def save_checkpoint(
    path: str | Path,
    model: SketchRNN,
    labels: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    dtype: torch.dtype = torch.float32,
    head_knots: Sequence[int] | None = None,
    head_in_8_bits: bool = False,
) -> None:
    """Write a `.safetensors` checkpoint, whole or not at all.

    Args:
        path: the file; an existing one is replaced.
        model: the network.
        labels: class names in the order of the outputs.
        metadata: further text by name; "config" and "labels" are this function's own.
        dtype: storage of the weights; float16 halves the file, and what it restores to are then the weights.
        head_knots: time steps, from the first to the last, between which the head is linear; it is then stored at
            these steps only.
        head_in_8_bits: store the weights at the knots in 8 bits, with a scale by class and knot; what they restore to
            are then the weights.

    Raises:
        InputError: if the labels do not fit the network.
        OutputError: if the file cannot be written.
        ValueError: if the head is not linear between the knots, to the precision of `dtype`.
    """
    texts = {**(metadata or {}), "config": json.dumps(model.config.to_dict())}
    if labels is not None:
        texts["labels"] = json.dumps(check_labels(labels, model.config.output_size), ensure_ascii=False)
    state = {name: tensor.detach().to(dtype).contiguous() for name, tensor in model.state_dict().items()}
    if head_knots is not None:
        texts["head_knots"] = json.dumps(list(head_knots))
        state[_HEAD_AT_KNOTS] = _take_knots(state.pop(_HEAD), head_knots, model.config)
        if head_in_8_bits:
            state[_HEAD_AT_KNOTS], state[_SCALES] = _count_head(model, head_knots)
    with write_atomically(path) as temporary:
        temporary.write_bytes(save(state, metadata=texts))


def config_from_state_dict(state: Mapping[str, Tensor]) -> SketchRNNConfig:
    """Read the sizes of a SketchRNN off the shapes of its tensors.

    The dropout cannot be read back; it has no part in inference and keeps its default.

    Raises:
        ValueError: if a tensor is missing or its shape fits no SketchRNN.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    expected_ranks = {"conv1d_1.weight": 3, "lstm_1.weight_hh_l0": 2, "fc_mu1.weight": 2}
    for name, rank in expected_ranks.items():
        if len(shapes.get(name, ())) != rank:
            found = shapes.get(name, f"only {', '.join(sorted(shapes)[:4]) or 'nothing'} ...")
            raise ValueError(f"expected {name} of rank {rank}, found {found}")
        if 0 in shapes[name]:
            raise ValueError(f"expected {name} with values, found shape {shapes[name]}")
    hidden_size = shapes["lstm_1.weight_hh_l0"][1]
    output_size, features = shapes["fc_mu1.weight"]
    time_steps, rest = divmod(features, 2 * hidden_size)
    if rest:
        raise ValueError(f"expected fc_mu1.weight to read a multiple of {2 * hidden_size} features, found {features}")
    return SketchRNNConfig(
        input_size=shapes["conv1d_1.weight"][1],
        hidden_size=hidden_size,
        output_size=output_size,
        n_layers=sum(name.startswith("lstm_1.weight_hh_l") and not name.endswith("_reverse") for name in shapes),
        sequence_length=time_steps + sum(kernel - 1 for _, kernel in CONVOLUTIONS),
    )


def _count_head(model: SketchRNN, knots: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return a head's weights at the knots as int8 (classes, knots, 2 * hidden), and the scales (classes, knots)."""
    head = model.fc_mu1.weight.detach()
    at_knots = head.reshape(len(head), model.config.time_steps, -1)[:, list(knots)]
    scales = at_knots.abs().amax(dim=2) / 127
    counts = at_knots / scales.clamp(min=torch.finfo(scales.dtype).tiny)[..., None]
    return counts.round().to(torch.int8), scales


def _scale_head(path: Path, state: StateDict, scales: Tensor) -> None:
    """Bring the weights at the knots from integers to float64, in which they are exact."""
    counts = state.get(_HEAD_AT_KNOTS)
    if counts is None or counts.dtype != torch.int8 or counts.ndim != 3 or scales.shape != counts.shape[:2]:
        found = "none" if counts is None else f"{counts.dtype} {tuple(counts.shape)}"
        raise ModelFileError(
            f"{path}: expected {_HEAD_AT_KNOTS} of torch.int8 {(*scales.shape, '2 * hidden_size')}, found {found}"
        )
    state[_HEAD_AT_KNOTS] = counts.double() * scales.double()[..., None]


def _take_knots(head: Tensor, knots: Sequence[int], config: SketchRNNConfig) -> Tensor:
    """Take from a head (classes, time * 2 * hidden) its weights at the knots, (classes, knots, 2 * hidden)."""
    at_knots = head.reshape(len(head), config.time_steps, -1)[:, list(knots)].contiguous()
    error = (_interpolate_head(at_knots, knots, config) - head).abs().max()
    if not error <= 2 * torch.finfo(head.dtype).eps * head.abs().max():
        raise ValueError(f"expected a head that is linear between the knots {list(knots)}, found it {error:.1e} away")
    return at_knots


def _interpolate_head(at_knots: Tensor | None, knots: Any, config: SketchRNNConfig) -> Tensor:
    """Return a head's float32 weights (classes, time * 2 * hidden), given those at the knots.

    Raises:
        ValueError: if knots and weights do not fit each other and the network.
    """
    last = config.time_steps - 1
    if (
        not isinstance(knots, list | tuple)
        or not all(isinstance(knot, int) for knot in knots)
        or [*knots[:1], *knots[-1:]] != [0, last]
        or any(left >= right for left, right in pairwise(knots))
    ):
        raise ValueError(f"expected head_knots that rise from 0 to {last}, found {knots}")
    shape = (config.output_size, len(knots), 2 * config.hidden_size)
    found = None if at_knots is None else tuple(at_knots.shape)
    if at_knots is None or found != shape:
        raise ValueError(f"expected {_HEAD_AT_KNOTS} of shape {shape}, found {found}")
    values = at_knots.to(torch.float64).numpy()
    head = np.empty((shape[0], config.time_steps, shape[2]), np.float32)
    head[:, knots] = values
    for position, (left, right) in enumerate(pairwise(knots)):
        share = ((np.arange(left, right + 1) - left) / (right - left))[:, None]
        # Elementwise products: matrix products round differently from one processor to another.
        head[:, left : right + 1] = (1 - share) * values[:, [position]] + share * values[:, [position + 1]]
    return torch.from_numpy(head.reshape(len(head), -1))


def _read_safetensors(path: Path) -> tuple[StateDict, dict[str, str]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: not a readable safetensors file: {error}") from error


def _read_state_dict(path: Path) -> tuple[StateDict, dict[str, str]]:
    save_it_so = "save it with torch.save(model.state_dict(), FILE)"
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError) as error:
        # weights_only refuses whatever is not tensors in plain containers, so that no code of the file runs.
        raise ModelFileError(
            f"{path}: expected a state dict, found other pickled objects or no torch file; {save_it_so}"
        ) from error
    except Exception as error:  # on bytes that are no torch file the unpickler raises whatever they trigger
        raise ModelFileError(f"{path}: not a readable torch file; {save_it_so}") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
    ):
        found = (
            f"a dict with {', '.join(map(str, list(state)[:4]))}" if isinstance(state, dict) else type(state).__name__
        )
        raise ModelFileError(f"{path}: expected a state dict of tensors, found {found}; {save_it_so}")
    return dict(state), {}
