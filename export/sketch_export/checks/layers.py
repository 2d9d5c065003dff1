"""Where does a model file start to differ from eager PyTorch? Its tensors one by one, in the order of the data's way.

In the plain graph every tensor has its like in eager PyTorch. The fast and int8 graphs share fewer: the LSTM's output,
as far as the graph takes its steps, and the logits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from sketch_export.pen_points.compose import INSIDE
from sketch_infer.array_types import Array, FloatArray
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE
from sketch_infer.checks.report import Check, Table
from sketch_infer.inference.providers import ProviderChoice, start_session
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import STROKES
from sketch_infer.model.model_file import ModelFile
from sketch_infer.strokes.pen_points import network_input
from sketch_models import CONVOLUTIONS, SketchRNN, run_eager

_LSTM_LAYER = re.compile(r"lstm_1\.directions_l(\d+)(?:\.units)?")
_LSTM_DIRECTION = re.compile(r"lstm_1\.(forward|reverse)\.Y(?:\.units)?")
_STEPS = {"forward": "forward.steps", "reverse": "drawn_steps"}
"""Tensors of the graph, (batch,), that say how many steps a direction takes; what lies beyond is not compared."""

INT8_STEP = 1 / 127
"""What rounding to int8 may do to the largest entry; the noise of many such steps is to be no larger on average."""


@dataclass(frozen=True)
class LayerParity:
    """One tensor of the graph beside eager PyTorch's; true when it is within the tolerance.

    Attributes:
        tensor: its name in the graph.
        shape: of the graph's tensor.
        compared: how many of its entries were compared.
        max_abs, mean_abs: of ONNX - eager; NaN when the shapes differ.
        cosine: of the angle between the two, 1 for the same direction.
        tolerance: the bound in fp32 on max_abs, FP32_TOLERANCE, and in int8 on mean_abs, INT8_STEP, each times
            max(1, largest |entry| of eager's).
        in_int8: which of the two.
    """

    tensor: str
    shape: tuple[int, ...]
    compared: int
    max_abs: float
    mean_abs: float
    cosine: float
    tolerance: float
    in_int8: bool

    def __bool__(self) -> bool:
        return (self.mean_abs if self.in_int8 else self.max_abs) <= self.tolerance


def compare_layers(path: Path | ModelFile, model: SketchRNN, provider: ProviderChoice = "cpu") -> list[LayerParity]:
    """Run a model file's probes with all tensors as outputs, and compare those that eager PyTorch has too.

    Args:
        path: of the file, or the file read already.
        model: the network that it must be.
        provider: where to run the file.

    Returns:
        the comparisons in the order of the graph's nodes.

    Raises:
        ModelFileError: if the file cannot be used.
        ProviderError: if CUDA was asked for and did not start.
    """
    file = ModelFile.read(path)
    opened = Session(file, provider)
    strokes = network_input(opened.metadata.probes.sketches, opened.metadata.sequence_length)
    graph = onnx.load_model_from_string(file.content)
    tensors = _run_with_all_outputs(graph, opened)
    eager = _eager_tensors(model, strokes)
    in_int8 = opened.metadata.precision == "int8"
    # Of a file that reads pen points, the strokes are a tensor, too: what numpy makes of the points.
    references: dict[str, Array] = dict.fromkeys((STROKES, INSIDE.format(STROKES)), strokes)
    comparisons = []
    for node in graph.graph.node:
        for name in node.output:
            if name not in tensors:
                continue
            reference = references.get(name)
            if reference is None:
                reference = _reference(node, name, references, eager, tensors[name].shape)
            if reference is None:
                continue
            references[name] = reference
            comparisons.append(_compare(name, tensors[name], reference, _steps_taken(name, tensors), in_int8))
    return comparisons


def layers_table(title: str, comparisons: list[LayerParity]) -> Table:
    """Lay the comparisons out, the first divergence marked."""
    first = next((number for number, layer in enumerate(comparisons) if not layer), None)
    rows = [
        (
            layer.tensor,
            str(layer.shape),
            f"{layer.max_abs:.1e}",
            f"{layer.mean_abs:.1e}",
            f"{layer.cosine:.9f}",
            f"{layer.tolerance:.1e}",
            "ok" if layer else "first divergence" if number == first else "differs",
        )
        for number, layer in enumerate(comparisons)
    ]
    header = ("tensor", "shape", "max abs", "mean abs", "cosine", "tolerance", "verdict")
    return Table(title, header, tuple(rows), frozenset() if first is None else frozenset({first}))


def _run_with_all_outputs(graph: onnx.ModelProto, opened: Session) -> dict[str, Array]:
    extended = onnx.ModelProto()
    extended.CopyFrom(graph)
    names = [name for node in extended.graph.node for name in node.output if name]
    declared = {output.name for output in extended.graph.output}
    extended.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in declared)
    provider: ProviderChoice = "cuda" if opened.provider.startswith("CUDA") else "cpu"
    session, _ = start_session(extended.SerializeToString(), provider)
    probes = opened.metadata.probes
    inputs = {**probes.feeds(), **opened.zero_state(len(probes.names))}
    return dict(zip(names, session.run(names, inputs), strict=True))


def _eager_tensors(model: SketchRNN, strokes: FloatArray) -> dict[str, Array]:
    """Return the outputs of the convolutions, of each LSTM layer and of the network, by name."""
    seen: dict[str, Array] = {}

    def see(name: str) -> Any:
        return lambda _module, _inputs, output: seen.update({name: output.numpy()})

    convolutions = [f"conv1d_{number}" for number in range(1, len(CONVOLUTIONS) + 1)]
    hooks = [model.get_submodule(name).register_forward_hook(see(name)) for name in convolutions]
    try:
        seen |= run_eager(model, strokes)
    finally:
        for hook in hooks:
            hook.remove()
    x = torch.from_numpy(seen[convolutions[-1]]).transpose(1, 2)
    for layer in range(model.config.n_layers):
        with torch.inference_mode():
            seen[f"lstm_1.l{layer}"] = _first_layers(model.lstm_1, layer + 1)(x)[0].numpy()
    return seen


def _first_layers(lstm: nn.LSTM, count: int) -> nn.LSTM:
    """Return an LSTM of the first layers of another one: hooks see the last layer's output alone."""
    part = nn.LSTM(lstm.input_size, lstm.hidden_size, count, batch_first=True, bidirectional=True)
    weights = lstm.state_dict()
    part.load_state_dict({name: weights[name] for name in part.state_dict()})
    return part.eval()


def _reference(
    node: onnx.NodeProto,
    name: str,
    references: Mapping[str, Array],
    eager: Mapping[str, Array],
    shape: tuple[int, ...],
) -> Array | None:
    """Return what eager PyTorch has for a tensor of the graph, in the graph's layout; None for nothing."""
    if name in eager:
        return eager[name]
    last = max(key for key in eager if key.startswith("lstm_1.l"))
    if match := _LSTM_LAYER.fullmatch(name):
        return _by_direction(eager[f"lstm_1.l{match[1]}"])
    if match := _LSTM_DIRECTION.fullmatch(name):
        position = ("forward", "reverse").index(match[1])
        return _by_direction(eager[last])[:, position : position + 1]
    if node.op_type == "Transpose" and node.input[0] in references:
        (order,) = [list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"]
        return references[node.input[0]].transpose(order)
    if node.op_type == "Reshape" and node.input[0] in references:
        known = references[node.input[0]]
        return known.reshape(shape) if known.size == np.prod(shape) else None
    return None


def _by_direction(output: Array) -> Array:
    """PyTorch's (batch, time, 2 * hidden) as ONNX's (time, 2, batch, hidden)."""
    batch, time, features = output.shape
    return output.reshape(batch, time, 2, features // 2).transpose(1, 2, 0, 3)


def _steps_taken(name: str, tensors: Mapping[str, Array]) -> Array | None:
    match = _LSTM_DIRECTION.fullmatch(name)
    return tensors.get(_STEPS[match[1]]) if match else None


def _compare(name: str, found: Array, expected: Array, steps: Array | None, in_int8: bool) -> LayerParity:
    if found.shape != expected.shape:
        nan = float("nan")
        return LayerParity(name, found.shape, 0, nan, nan, nan, nan, in_int8)
    if steps is not None:
        taken = np.arange(len(found))[:, None] < steps  # (time, batch)
        found_entries, expected_entries = (values.transpose(0, 2, 1, 3)[taken] for values in (found, expected))
    else:
        found_entries, expected_entries = found, expected
    a, b = found_entries.astype(np.float64).ravel(), expected_entries.astype(np.float64).ravel()
    difference = np.abs(a - b)
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return LayerParity(
        tensor=name,
        shape=found.shape,
        compared=a.size,
        max_abs=float(difference.max(initial=0.0)),
        mean_abs=float(difference.mean()) if a.size else 0.0,
        cosine=float(a @ b / norms) if norms else 1.0,
        tolerance=(INT8_STEP if in_int8 else FP32_TOLERANCE) * max(1.0, float(np.abs(b).max(initial=0.0))),
        in_int8=in_int8,
    )


def layers_check(model: str, comparisons: list[LayerParity]) -> Check:
    """Return whether all layers hold, naming the first that does not."""
    for layer in comparisons:
        if not layer:
            by = f"{layer.max_abs:.1e} at most and {layer.mean_abs:.1e} on average (tolerance {layer.tolerance:.0e})"
            return Check(f"{model}: layers", False, f"{layer.tensor} is the first to differ, by {by}")
    return Check(f"{model}: layers", bool(comparisons), f"{len(comparisons)} tensors are eager PyTorch's")
