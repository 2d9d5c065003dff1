"""The shape of every layer, determined in three ways: by formula, in eager PyTorch, in the ONNX graph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import torch
from torch import nn

from sketch_export.plain_graph import lstm_nodes, make_plain
from sketch_export.trace import trace
from sketch_infer.inference.providers import import_onnxruntime
from sketch_infer.model.contract.tensors import STROKES
from sketch_infer.tables import format_table
from sketch_models import CONVOLUTIONS, SketchRNN, SketchRNNConfig

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerShape:
    """The output shape of one layer; true when all three agree."""

    layer: str
    formula: Shape
    eager: Shape
    onnx: Shape

    def __bool__(self) -> bool:
        return self.formula == self.eager == self.onnx


def layer_shapes(model: SketchRNN, batch: int) -> list[LayerShape]:
    """Determine every layer's output shape at a batch size.

    Args:
        model: the network.
        batch: rows of the input that eager PyTorch and ONNX Runtime run.

    Returns:
        one entry per layer, from input to output; h_n and c_n are the LSTM's final states. Dropout leaves no ONNX node:
        its ONNX shape is that of the tensor that the next layer reads.
    """
    formula = formula_shapes(model.config, batch)
    strokes = torch.zeros(batch, model.config.sequence_length, model.config.input_size)
    eager = _eager_shapes(model, strokes)
    onnx = _onnx_shapes(model, strokes.numpy())
    return [LayerShape(layer, shape, eager[layer], onnx[layer]) for layer, shape in formula.items()]


def formula_shapes(config: SketchRNNConfig, batch: int) -> dict[str, Shape]:
    """Return every layer's output shape by formula: a convolution of kernel k shortens time by k - 1."""
    time = config.sequence_length
    shapes: dict[str, Shape] = {
        "input": (batch, time, config.input_size),
        "transpose_1": (batch, config.input_size, time),
    }
    for number, (channels, kernel) in enumerate(CONVOLUTIONS, start=1):
        time -= kernel - 1
        shapes[f"conv1d_{number}"] = shapes[f"dropout_{number}"] = (batch, channels, time)
    state = (config.n_layers * 2, batch, config.hidden_size)
    return shapes | {
        "transpose_2": (batch, time, CONVOLUTIONS[-1][0]),
        "lstm_1": (batch, time, config.hidden_size * 2),
        "h_n": state,
        "c_n": state,
        "flatten": (batch, time * config.hidden_size * 2),
        "fc_mu1": (batch, config.output_size),
        "log_softmax": (batch, config.output_size),
    }


def _eager_shapes(model: SketchRNN, strokes: torch.Tensor) -> dict[str, Shape]:
    """Run the network with hooks on its modules; what lies between modules is seen as the next one's input."""
    seen: dict[str, Shape] = {}

    def see(*names: str) -> Callable[..., None]:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            before, *after = names
            if before:
                seen[before] = tuple(inputs[0].shape)
            seen.update(zip(after, (tuple(tensor.shape) for tensor in _flat(output)), strict=False))

        return hook

    between = {"conv1d_1": "transpose_1", "lstm_1": "transpose_2", "fc_mu1": "flatten"}
    hooks = [model.register_forward_hook(see("input", "log_softmax"))]
    for name, module in model.named_children():
        outputs = ("lstm_1", "h_n", "c_n") if name == "lstm_1" else (name,)
        hooks.append(module.register_forward_hook(see(between.get(name, ""), *outputs)))
    try:
        with torch.inference_mode():
            model(strokes)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _flat(output: Any) -> list[torch.Tensor]:
    """Return the tensors of nested tuples in order."""
    return [output] if isinstance(output, torch.Tensor) else [tensor for part in output for tensor in _flat(part)]


_TENSORS = {
    **{name: name for name in ("transpose_1", "conv1d_1", "conv1d_2", "conv1d_3", "transpose_2", "lstm_1", "flatten")},
    # Dropout is the identity in inference: what the next layer reads is the convolution's own tensor.
    **{f"dropout_{number}": f"conv1d_{number}" for number in range(1, len(CONVOLUTIONS) + 1)},
    "fc_mu1": "logits",
    "log_softmax": "log_probs",
}
"""Layer to the tensor of the plain graph that is its output."""


def _onnx_shapes(model: SketchRNN, strokes: npt.NDArray[np.float32]) -> dict[str, Shape]:
    """Run the plain graph with every layer's tensor as a further output."""
    plain = trace(model)
    make_plain(plain)
    states = _expose_final_states(plain)
    tensors = [value for node in plain.graph for value in node.outputs if value.name in _TENSORS.values()]
    plain.graph.outputs.extend(value for value in [*tensors, *states] if value not in plain.graph.outputs)
    session = import_onnxruntime().InferenceSession(
        ir.to_proto(plain).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    shapes = {name: array.shape for name, array in zip(names, session.run(names, {STROKES: strokes}), strict=True)}
    return {
        "input": strokes.shape,
        **{layer: shapes[tensor] for layer, tensor in _TENSORS.items()},
        **{state: _stacked([shapes[name] for name in names if name.startswith(state)]) for state in ("h_n", "c_n")},
    }


def _expose_final_states(model: ir.Model) -> list[ir.Value]:
    """Give each LSTM node its further outputs Y_h and Y_c, named h_n_l0, c_n_l0 ..., and return them."""
    states = []
    for layer, node in enumerate(lstm_nodes(model)):
        node.resize_outputs(3)
        for name, value in zip(("h_n", "c_n"), node.outputs[1:], strict=True):
            value.name, value.dtype = f"{name}_l{layer}", ir.DataType.FLOAT
            states.append(value)
    return states


def _stacked(shapes: list[Shape]) -> Shape:
    """Return the shape of arrays joined along their first axis, as PyTorch joins the states of the layers."""
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def describe_forward(config: SketchRNNConfig) -> str:
    """Return the forward pass that is taken for granted, in one line: weights do not say it."""
    channels = (config.input_size, *(width for width, _ in CONVOLUTIONS))
    convolutions = [
        f"Conv1d({read}, {width}, {kernel})" for read, (width, kernel) in zip(channels, CONVOLUTIONS, strict=False)
    ]
    layers = "" if config.n_layers == 1 else f", {config.n_layers} layers"
    return (
        f"assumed: {', '.join(convolutions)} with no activation and no padding, LSTM({channels[-1]}, "
        f"{config.hidden_size}{layers}) in both directions, all {config.time_steps} time steps into "
        f"Linear({2 * config.hidden_size * config.time_steps}, {config.output_size}), log_softmax"
    )


def format_shapes(rows: list[LayerShape], width: int | None = None) -> str:
    """Lay the shapes out as a table, in lines of at most `width` columns."""
    cells = [[row.layer, *map(str, (row.formula, row.eager, row.onnx)), "ok" if row else "DIFFERENT"] for row in rows]
    return format_table(["layer", "formula", "eager PyTorch", "ONNX Runtime", ""], cells, width)
