"""The plain graph: PyTorch's own operations, one for one, with constant weights and readable names.

torch.onnx spells out at run time what is known at export: it slices and concatenates the LSTM's weights, computes
shapes from shapes and expands an initial state of zeros. These passes leave

    Transpose Conv Conv Conv Transpose {Transpose LSTM Transpose Reshape} Transpose Reshape Gemm LogSoftmax

(braces once a layer), with the layer outputs named as in the PyTorch module.
"""

import math
from typing import Any

import onnx_ir as ir
import onnx_ir.passes.common as passes
from onnxscript import optimizer
from onnxscript.rewriter import pattern

from sketch_infer import __version__
from sketch_infer.errors import SketchError
from sketch_models import CONVOLUTIONS

_NO_LIMIT = 2**62

_PLAIN_OPERATIONS = {"Transpose", "Conv", "LSTM", "Reshape", "Gemm", "LogSoftmax", "Slice"}
"""Slice only takes a layer's part of h_0 and c_0."""


def make_plain(model: ir.Model) -> None:
    """Bring a traced SketchRNN to the plain graph, in place.

    Raises:
        SketchError: if the trace does not have a SketchRNN's operations, as another version of torch might have it.
    """
    # Without a limit, because the LSTM's weights are among the constants.
    optimizer.fold_constants(model, input_size_limit=_NO_LIMIT, output_size_limit=_NO_LIMIT)
    _drop_zero_states(model)
    _STATIC_SHAPES.apply_to_model(model)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    passes.RemoveUnusedNodesPass()(model)
    passes.DeduplicateInitializersPass()(model)
    passes.ShapeInferencePass()(model)
    _check_plain(model)
    _strip_provenance(model)
    _name_values(model)


def _check_plain(model: ir.Model) -> None:
    odd = sorted({node.op_type for node in model.graph} - _PLAIN_OPERATIONS)
    weights = [value for node in lstm_nodes(model) for value in node.inputs[1:4]]
    computed = [str(value and value.name) for value in weights if value is None or not value.is_initializer()]
    if odd or computed:
        raise SketchError(
            "expected a SketchRNN's operations and constant LSTM weights from torch.onnx, found also "
            f"{', '.join([*odd, *computed])}; use the torch version of constraints.txt"
        )


def lstm_nodes(model: ir.Model) -> list[ir.Node]:
    """Return the LSTM nodes, first layer first."""
    return [node for node in model.graph if node.op_type == "LSTM"]


def _drop_zero_states(model: ir.Model) -> None:
    """Leave out initial states that are zeros expanded to the batch: zeros are the LSTM operator's default."""
    for node in lstm_nodes(model):
        for position in (5, 6):  # initial_h, initial_c
            value = node.inputs[position] if position < len(node.inputs) else None
            while value is not None and (producer := value.producer()) is not None:
                if producer.op_type not in ("Slice", "Expand"):
                    break
                value = producer.inputs[0]
            constant = ir.convenience.get_const_tensor(value) if value is not None else None
            if constant is not None and not constant.numpy().any():
                node.replace_input_with(position, None)


def _merge_directions(
    op: Any,
    y: Any,
    start0: Any,
    end0: Any,
    start1: Any,
    end1: Any,
    start2: Any,
    end2: Any,
    start3: Any,
    end3: Any,
    rest: Any,
) -> Any:
    """(time, batch, 2, hidden) to (time, batch, 2 * hidden), the new shape computed from the old."""
    shape = op.Shape(y, _allow_other_attributes=True)
    features = op.Mul(op.Slice(shape, start2, end2), op.Slice(shape, start3, end3))
    new_shape = op.Concat(
        op.Slice(shape, start0, end0),
        op.Slice(shape, start1, end1),
        op.Reshape(features, rest, _allow_other_attributes=True),
        _allow_other_attributes=True,
    )
    return op.Reshape(y, new_shape, _allow_other_attributes=True)


def _slices_are_the_axes(context: Any, **values: ir.Value) -> bool:  # noqa: ARG001  # the rewriter's signature
    return all(
        _ints(values[f"start{axis}"]) == [axis] and _ints(values[f"end{axis}"]) == [axis + 1] for axis in range(4)
    )


def _merge_directions_static(op: Any, y: Any, **_: Any) -> Any:
    return op.Reshape(y, op.Constant(value_ints=[0, 0, -1]))  # 0 keeps an axis


def _flatten(op: Any, x: Any, batch: Any, features: Any) -> Any:
    """(batch, time, 2 * hidden) to (batch, features), the batch read off the input at run time."""
    return op.Reshape(x, op.Concat(batch, features, _allow_other_attributes=True), _allow_other_attributes=True)


def _keeps_batch(context: Any, x: ir.Value, features: ir.Value, **_: Any) -> bool:  # noqa: ARG001  # as above
    if x.shape is None or len(x.shape) != 3:
        return False
    static = [axis for axis in x.shape[1:] if isinstance(axis, int)]
    return len(static) == 2 and _ints(features) == [math.prod(static)]


def _flatten_static(op: Any, x: Any, features: Any, **_: Any) -> Any:
    return op.Reshape(x, op.Constant(value_ints=[-1, *(_ints(features) or [])]))


_STATIC_SHAPES = pattern.RewriteRuleSet(
    [
        pattern.RewriteRule(_merge_directions, _merge_directions_static, _slices_are_the_axes),
        pattern.RewriteRule(_flatten, _flatten_static, _keeps_batch),
    ]
)


def _ints(value: ir.Value | None) -> list[int] | None:
    """Return a constant vector of integers as a list, and None for anything else."""
    tensor = ir.convenience.get_const_tensor(value) if value is not None else None
    return [int(number) for number in tensor.numpy()] if tensor is not None and len(tensor.shape) == 1 else None


def _strip_provenance(model: ir.Model) -> None:
    """Remove stack traces and paths of the exporting machine: equal weights give equal files anywhere."""
    passes.ClearMetadataAndDocStringPass()(model)
    model.graph.name = "SketchRNN"
    model.producer_name, model.producer_version = "sketch-export", __version__


def _name_values(model: ir.Model) -> None:
    """Name each layer's output as the PyTorch module is named, and its constants after it.

    Raises:
        SketchError: if the layers are not where a SketchRNN has them.
    """
    by_type: dict[str, list[ir.Node]] = {}
    for node in model.graph:
        by_type.setdefault(node.op_type, []).append(node)
    convolutions, heads = by_type.get("Conv", []), by_type.get("Gemm", [])
    flatten = heads[0].inputs[0] if len(heads) == 1 else None
    flatten_node = flatten.producer() if flatten is not None else None
    if len(convolutions) != len(CONVOLUTIONS) or not lstm_nodes(model) or flatten_node is None:
        found = ", ".join(f"{len(nodes)} {op_type}" for op_type, nodes in by_type.items())
        raise SketchError(
            f"expected 3 Conv, LSTM and 1 Gemm from torch.onnx, found {found}; use the torch version of constraints.txt"
        )
    names = {f"conv1d_{number}": node.outputs[0] for number, node in enumerate(convolutions, start=1)}
    names["transpose_1"] = _data_input(convolutions[0])
    names["transpose_2"] = next(iter(names["conv1d_3"].uses())).node.outputs[0]
    for layer, node in enumerate(lstm_nodes(model)):
        names[f"lstm_1.time_first_l{layer}"] = _data_input(node)
        names[f"lstm_1.directions_l{layer}"] = node.outputs[0]
        for letter, weight in zip("WRB", node.inputs[1:4], strict=True):
            if weight is not None:
                names[f"lstm_1.{letter}_l{layer}"] = weight
    names["lstm_1"] = _data_input(flatten_node)
    names["flatten"] = flatten_node.outputs[0]
    taken = {id(value) for value in names.values()}
    fixed = {id(value) for value in (*model.graph.inputs, *model.graph.outputs)}
    values = [*model.graph.initializers.values(), *(value for node in model.graph for value in node.outputs)]
    others = [value for value in values if id(value) not in taken | fixed and "." not in (value.name or "")]
    names |= {f"value_{number}": value for number, value in enumerate(others)}
    for number, value in enumerate(names.values()):
        value.name = f"renaming_{number}"  # first out of the way: torch calls conv1d_2's output conv1d_1
    for name, value in names.items():
        value.name = name
    for node in model.graph:
        node.name = f"{node.op_type}:{node.outputs[0].name}"


def _data_input(node: ir.Node) -> ir.Value:
    value = node.inputs[0]
    if value is None:
        raise SketchError(f"expected a data input of {node.op_type} {node.name}, found none")
    return value
