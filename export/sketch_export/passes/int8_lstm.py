"""Every LSTM in int8, with answers that do not depend on the other sketches of a batch.

ONNX Runtime's DynamicQuantizeLSTM scales what it reads, and its h at each step, by their range over the whole batch.
Here that range is -1 to 1 whatever the batch: h lies within, what is read is brought there (by `bounded_points`), and
two more inputs and two more units stand at 1 and -1 in every row at every step.
"""

import numpy as np
import onnx_ir as ir

from sketch_export.passes.tools.editor import GraphEditor, constant_array, producer
from sketch_export.passes.tools.int8_weights import DOMAIN, quantize
from sketch_infer.array_types import Array
from sketch_infer.errors import SketchError

QUANTIZED_LSTM = "DynamicQuantizeLSTM"

_PIN_VALUES = np.array([1, -1], np.float32)
PINS = len(_PIN_VALUES)
"""Inputs and units more than the network has."""

_SHUT = 30.0
"""A gate with this bias is 0 or, with the other sign, 1, to the last digit of float32."""

_KEPT_CELL = 20.0
"""tanh of it is 1 to the last digit of float32."""


def quantize_lstms(model: ir.Model) -> None:
    """Replace each LSTM by one in int8 with the same outputs. What they read must lie within -1 and 1."""
    pinned: dict[str | None, ir.Value] = {}
    for node in list(ir.traversal.RecursiveGraphIterator(model.graph)):
        if node.op_type == "LSTM":
            _quantize(GraphEditor(model.graph), node, pinned)
    model.opset_imports[DOMAIN] = 1


def _quantize(editor: GraphEditor, lstm: ir.Node, pinned: dict[str | None, ir.Value]) -> None:
    x, weight, recurrent, bias, lengths, h, c = [*lstm.inputs, *[None] * 7][:7]
    if x is None or weight is None or recurrent is None or lstm.graph is None:
        raise SketchError(f"expected {lstm.name} to be an LSTM of a graph")
    if x.name not in pinned:
        always = _expand(editor, _PIN_VALUES, x, 0, f"{x.name}.pins")
        pinned[x.name] = editor.op("Concat", x, always, name=f"{x.name}.pinned", axis=2)
    hidden = lstm.attributes.get_int("hidden_size", 0)
    weights, scales = [], []
    for value in (weight, recurrent):
        integers, scale = quantize(_with_pins(constant_array(value)))
        weights.append(editor.constant(f"{value.name}.int8", np.ascontiguousarray(integers.transpose(0, 2, 1))))
        scales.append(editor.constant(f"{value.name}.scale", scale))
        scales.append(editor.constant(f"{value.name}.zero_point", np.zeros(scale.shape, np.int8)))
    starts = []
    for letter, state, pins in (("h", h, _PIN_VALUES), ("c", c, _KEPT_CELL * _PIN_VALUES)):
        name = f"{lstm.outputs[0].name}.{letter}"
        if state is None:
            starts.append(_expand(editor, np.pad(pins, (hidden, 0)), x, len(scale), f"{name}.start"))
        else:
            own = _expand(editor, pins, x, len(scale), f"{name}.pins")
            starts.append(editor.op("Concat", state, own, name=f"{name}.start", axis=2))
    y = editor.op(
        QUANTIZED_LSTM,
        pinned[x.name],
        *weights,
        editor.constant(f"{weight.name}.B.pinned", _bias_with_pins(constant_array(bias))),
        lengths,
        *starts,
        None,  # no peepholes
        *scales,
        name=f"{lstm.outputs[0].name}.int8",
        domain=DOMAIN,
        direction=lstm.attributes.get_string("direction", "forward"),
        hidden_size=hidden + PINS,
    )
    node = producer(y, QUANTIZED_LSTM)
    node.resize_outputs(len(lstm.outputs))
    span = [editor.constant(f"unit_{unit}", [unit]) for unit in (0, hidden)]
    for old, new in zip(lstm.outputs, node.outputs, strict=True):
        new.name = f"{old.name}.int8"
        own = editor.op("Slice", new, *span, editor.constant("last_axis", [-1]), name=f"{old.name}.units")
        ir.convenience.replace_all_uses_with(old, own, replace_graph_outputs=True)
    editor.insert_before(lstm)
    lstm.graph.remove(lstm, safe=True)


def _expand(editor: GraphEditor, row: Array, x: ir.Value, first: int, name: str) -> ir.Value:
    """Repeat a row over x's batch, (first, batch, len(row)); over its time too if `first` is 0."""
    axes = editor.op("Shape", x, name=f"{name}.axes", start=1 if first else 0, end=2)
    one, lead = editor.constant("one", [1]), [editor.constant(f"rows_{first}", [first])] if first else []
    shape = editor.op("Concat", *lead, axes, one, name=f"{name}.shape", axis=0)
    return editor.op("Expand", editor.constant(f"{name}.row", row[None, None].astype(np.float32)), shape, name=name)


def _with_pins(weight: Array) -> Array:
    """Add to weights (directions, 4 * hidden, inputs) the pins: inputs that no gate reads, units that read nothing."""
    by_gate = weight.reshape(len(weight), 4, -1, weight.shape[2])
    return np.pad(by_gate, ((0, 0), (0, 0), (0, PINS), (0, PINS))).reshape(len(weight), -1, weight.shape[2] + PINS)


def _bias_with_pins(bias: Array) -> Array:
    """Add to biases (directions, 8 * hidden) those of units that keep the state that they start with."""
    by_gate = bias.reshape(len(bias), 8, -1)
    keep = np.zeros((len(bias), 8, PINS), np.float32)
    keep[:, :3] = np.array([-_SHUT, _SHUT, _SHUT])[:, None]  # gates i, o, f
    return np.concatenate([by_gate, keep], axis=2).reshape(len(bias), -1)
