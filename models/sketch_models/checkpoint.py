"""Reading and writing SketchRNN checkpoints.

Two kinds are read: what PyTorch's training scripts save, a state dict of any class with SketchRNN's attribute names
(see `state_dict`), and safetensors, which is also what this project writes, with config and labels in its metadata.

A head that was trained as linear between a few time steps, its knots, is stored by the weights at these steps: the
tensor `fc_mu1.knots` in place of `fc_mu1.weight`, and the steps in the metadata as `head_knots`. The head of many
classes is stored in 8 bits: `fc_mu1.knots` are integers then, and `fc_mu1.scales` what they count, by class and knot.

Tensors of a hash layer, `hash_layer.*`, make the network a SketchHash.
"""

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save

from sketch_infer.atomic import write_atomically
from sketch_infer.errors import ModelFileError, require_file
from sketch_infer.model.labels import check_labels
from sketch_models.head_knots import HEAD_AT_KNOTS, SCALES, count_head, interpolate_head, scale_head, take_knots
from sketch_models.sketch_hash import HASH_LAYER, HashLayer, SketchHash, take_hash_layer
from sketch_models.sketch_rnn import SketchRNN, SketchRNNConfig
from sketch_models.state_dict import (
    HEAD,
    FoundTensors,
    StateDict,
    check_head_size,
    check_tensors,
    config_from_state_dict,
    find_tensors,
)

_TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".tar", ".bin")
_SAVE_IT_SO = "load it in your own code and save it with torch.save(model.state_dict(), FILE)"


@dataclass(frozen=True)
class Checkpoint:
    """A network and what its file says about it.

    Attributes:
        model: the network, float32, in eval mode; a SketchHash if the file has a hash layer.
        labels: class names in the order of the outputs; None if the file has none.
        metadata: other text that a safetensors file records by name, such as provenance or metrics.
        has_config: whether the file states the network's sizes; otherwise they follow from its tensors' shapes.
        notes: what was taken from the file and what was not, if it holds more than a state dict.
    """

    model: SketchRNN
    labels: tuple[str, ...] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    has_config: bool = True
    notes: tuple[str, ...] = ()


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Load a SketchRNN from what a training script saved, or from a `.safetensors` file.

    A file from `torch.save` holds a state dict, or a training framework's checkpoint with one inside. Weights of any
    float dtype become float32. Sizes come from the file's config if it has one, otherwise from its tensors' shapes.

    Raises:
        ModelFileError: if the file is missing, unreadable, of another kind, or not a SketchRNN.
    """
    path = Path(path)
    require_file(path, "a checkpoint file")
    if path.suffix not in (*_TORCH_SUFFIXES, ".safetensors"):
        expected = f"{', '.join(_TORCH_SUFFIXES)} or .safetensors"
        raise ModelFileError(f"{path}: expected a {expected} checkpoint, found {path.suffix or 'no'} suffix")
    saved, metadata = _read_safetensors(path) if path.suffix == ".safetensors" else (_read_torch(path), {})
    try:
        found = find_tensors(saved)
        state = found.tensors
        config_text = metadata.pop("config", None)
        config = SketchRNNConfig.from_dict(json.loads(config_text)) if config_text else config_from_state_dict(state)
        knots_text = metadata.pop("head_knots", None)
        if knots_text:
            check_head_size(config)
            scale_head(state)
            state[HEAD] = interpolate_head(state.pop(HEAD_AT_KNOTS, None), json.loads(knots_text), config)
        layer = take_hash_layer(state, config.output_size)
        check_tensors(state, config)
        model = SketchRNN.from_config(config)
        model.load_state_dict(state, strict=True)
        if layer:
            model = SketchHash.of(model, layer)
        labels_text = metadata.pop("labels", None)
        labels = check_labels(json.loads(labels_text), config.output_size) if labels_text else None
    except (ValueError, RuntimeError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a SketchRNN checkpoint: {' '.join(str(error).split())}") from error
    if broken := [name for name, tensor in model.state_dict().items() if not tensor.isfinite().all()]:
        raise ModelFileError(f"{path}: expected finite weights, found NaN or infinity in {', '.join(broken)}")
    return Checkpoint(model.eval(), labels, metadata, bool(config_text), _notes(found))


def _notes(found: FoundTensors) -> tuple[str, ...]:
    notes = [f"the weights were found at {found.place}"] if found.place else []
    if found.others:
        notes.append(f"tensors that are no part of the network were left out: {', '.join(found.others[:4])}")
    return tuple(notes)


def save_checkpoint(
    path: str | Path,
    model: SketchRNN,
    labels: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    dtype: torch.dtype = torch.float32,
    head_knots: Sequence[int] | None = None,
    head_in_8_bits: bool = False,
) -> None:
    """Write a `.safetensors` checkpoint, completely or not at all.

    Args:
        path: the file; an existing one is replaced.
        model: the network.
        labels: class names in the order of the outputs.
        metadata: more text by name; "config" and "labels" are reserved.
        dtype: storage type of the weights. float16 halves the file; the weights are then what it restores to.
        head_knots: time steps, from the first to the last, between which the head is linear; only the weights at these
            steps are stored.
        head_in_8_bits: store the weights at the knots in 8 bits, with one scale per class and knot; the weights are
            then what they restore to.

    Raises:
        InputError: if the labels do not match the network.
        OutputError: if the file cannot be written.
        ValueError: if the head is not linear between the knots, to the precision of `dtype`.
    """
    texts = {**(metadata or {}), "config": json.dumps(model.config.to_dict())}
    if labels is not None:
        texts["labels"] = json.dumps(check_labels(labels, model.config.output_size), ensure_ascii=False)
    state = {name: tensor.detach().to(dtype).contiguous() for name, tensor in model.state_dict().items()}
    if head_knots is not None:
        texts["head_knots"] = json.dumps(list(head_knots))
        state[HEAD_AT_KNOTS] = take_knots(state.pop(HEAD), head_knots, model.config)
        if head_in_8_bits:
            state[HEAD_AT_KNOTS], state[SCALES] = count_head(model, head_knots)
    with write_atomically(path) as temporary:
        temporary.write_bytes(save(state, metadata=texts))


def add_hash_layer(path: Path, source: Path, layer: HashLayer, metadata: Mapping[str, str]) -> None:
    """Write a copy of a `.safetensors` checkpoint with a hash layer as float16; what it has else stays bit for bit.

    Args:
        path: the file to write; an existing one is replaced.
        source: the checkpoint; a hash layer that it has is replaced.
        layer: the hash layer.
        metadata: more text by name.

    Raises:
        ModelFileError: if the source cannot be read.
        OutputError: if the file cannot be written.
    """
    state, texts = _read_safetensors(source)
    state |= {f"{HASH_LAYER}{name}": tensor.half().contiguous() for name, tensor in layer.state_dict().items()}
    with write_atomically(path) as temporary:
        temporary.write_bytes(save(state, metadata={**texts, **metadata}))


def _read_safetensors(path: Path) -> tuple[StateDict, dict[str, str]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: not a readable safetensors file: {error}") from error


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError) as error:
        # weights_only refuses whatever is not tensors in plain containers, so that no code of the file runs.
        raise ModelFileError(
            f"{path}: expected a state dict, found other pickled objects or no torch file; {_SAVE_IT_SO}"
        ) from error
    except Exception as error:  # on bytes that are no torch file the unpickler raises whatever they trigger
        if "TorchScript" in str(error):
            raise ModelFileError(
                f"{path}: expected a state dict, found a TorchScript archive; save its weights with "
                "torch.save(torch.jit.load(FILE).state_dict(), NEW_FILE)"
            ) from error
        raise ModelFileError(f"{path}: not a readable torch file; {_SAVE_IT_SO}") from error
