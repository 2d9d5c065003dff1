"""Add named nodes and constants to a graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from sketch_infer.array_types import Array
from sketch_infer.errors import SketchError


class GraphEditor:
    """Records nodes, each named after its one output, and puts them into a graph.

    Constants become initializers of the main graph at once, also those of a branch: names are unique in a file.

    Attributes:
        graph: the main graph.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self._nodes: list[ir.Node] = []

    def op(self, op_type: str, *inputs: ir.Value | None, name: str, domain: str = "", **attributes: Any) -> ir.Value:
        """Record a node with one output of that name."""
        node = ir.node(op_type, inputs, attributes, domain=domain, outputs=[ir.Value(name=name)])
        node.name = f"{op_type}:{name}"
        self.record(node)
        return node.outputs[0]

    def record(self, node: ir.Node) -> None:
        """Record a node that was made elsewhere, for one with several outputs or none of the usual names."""
        self._nodes.append(node)

    def constant(self, name: str, array: Array | np.generic | Sequence[int]) -> ir.Value:
        """Return the initializer of that name, made of an array or of a list of int64."""
        if name not in self.graph.initializers:
            tensor = ir.tensor(np.asarray(array), name=name)
            value = ir.Value(name=name, shape=ir.Shape(np.shape(array)), type=ir.TensorType(tensor.dtype))
            value.const_value = tensor
            self.graph.register_initializer(value)
        return self.graph.initializers[name]

    def branch(self, output: ir.Value) -> ir.Graph:
        """Return the recorded nodes as the branch of an If, which may read every value of the graph around it."""
        return ir.Graph([], [output], nodes=self.take(), name=f"{output.name}.branch")

    def insert_before(self, node: ir.Node) -> None:
        """Put the recorded nodes before a node of the graph or of one of its branches."""
        graph = node.graph
        if graph is None:
            raise SketchError(f"expected {node.name} to be in a graph")
        graph.insert_before(node, self.take())

    def take(self) -> list[ir.Node]:
        """Return the recorded nodes, which the editor then forgets."""
        nodes, self._nodes = self._nodes, []
        return nodes


def static_axis(value: ir.Value, axis: int) -> int:
    """Return the size of an axis that is not dynamic.

    Raises:
        SketchError: if it is.
    """
    size = value.shape[axis] if value.shape is not None else None
    if not isinstance(size, int):
        raise SketchError(f"expected axis {axis} of {value.name} to be static, found {size}: not a plain graph")
    return size


def producer(value: ir.Value | None, op_type: str) -> ir.Node:
    """Return the node that computes a value.

    Raises:
        SketchError: if it is of another type: the graph is not what the pass was made for.
    """
    node = value.producer() if value is not None else None
    if node is None or node.op_type != op_type:
        found = node.op_type if node is not None else "none"
        raise SketchError(f"expected {value and value.name} to come from a {op_type}, found {found}: not a plain graph")
    return node


def constant_array(value: ir.Value | None) -> Array:
    """Return an initializer's values.

    Raises:
        SketchError: if the value is not constant.
    """
    tensor = ir.convenience.get_const_tensor(value) if value is not None else None
    if tensor is None:
        raise SketchError(f"expected {value and value.name} to be constant: not a plain graph")
    return tensor.numpy()


def replace(old: ir.Value, new: ir.Value) -> None:
    """Let a value take another's place, name and type in the graph, the outputs included."""
    new.type, new.shape = old.type, old.shape
    name = old.name
    ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
    old.name, new.name = f"{name}.replaced", name
