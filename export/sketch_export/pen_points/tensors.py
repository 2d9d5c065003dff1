"""Tensors of an ONNX graph that is being written, with numpy's operators and the names of its functions."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from sketch_export.passes.tools.editor import GraphEditor

FLOAT, DOUBLE, INT64, BOOL = ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.INT64, ir.DataType.BOOL


class Tensor:
    """A value of the graph. Numbers beside it become constants of its own type.

    Attributes:
        value: the value; it has its type, and its shape only at the graph's ends.
        writer: writes the nodes.
    """

    def __init__(self, value: ir.Value, writer: "Writer") -> None:
        self.value, self.writer = value, writer

    @property
    def dtype(self) -> ir.DataType:
        """Type of the elements."""
        if self.value.dtype is None:
            raise TypeError(f"expected {self.value.name} to have a type")
        return self.value.dtype

    def _with(self, op_type: str, other: "Tensor | float", dtype: ir.DataType | None = None) -> "Tensor":
        return self.writer.op(op_type, self, self.writer.like(self, other), dtype=dtype or self.dtype)

    def _alone(self, op_type: str, *inputs: "Tensor", **attributes: Any) -> "Tensor":
        return self.writer.op(op_type, self, *inputs, dtype=self.dtype, **attributes)

    def __add__(self, other: "Tensor | float") -> "Tensor":
        return self._with("Add", other)

    def __sub__(self, other: "Tensor | float") -> "Tensor":
        return self._with("Sub", other)

    def __mul__(self, other: "Tensor | float") -> "Tensor":
        return self._with("Mul", other)

    def __truediv__(self, other: "Tensor | float") -> "Tensor":
        return self._with("Div", other)

    def __gt__(self, other: "Tensor | float") -> "Tensor":
        return self._with("Greater", other, BOOL)

    def __ge__(self, other: "Tensor | float") -> "Tensor":
        return self._with("GreaterOrEqual", other, BOOL)

    def __lt__(self, other: "Tensor | float") -> "Tensor":
        return self._with("Less", other, BOOL)

    def __le__(self, other: "Tensor | float") -> "Tensor":
        return self._with("LessOrEqual", other, BOOL)

    def equals(self, other: "Tensor | float") -> "Tensor":
        """Compare element by element; `==` stays Python's own."""
        return self._with("Equal", other, BOOL)

    def __and__(self, other: "Tensor") -> "Tensor":
        return self._with("And", other)

    def __or__(self, other: "Tensor") -> "Tensor":
        return self._with("Or", other)

    def __invert__(self) -> "Tensor":
        return self._alone("Not")

    def __getitem__(self, chosen: slice) -> "Tensor":
        """Take a slice of the first axis, its bounds known now."""
        stop = 2**31 - 1 if chosen.stop is None else chosen.stop
        return self._alone("Slice", self.writer.ints(chosen.start or 0), self.writer.ints(stop))

    def astype(self, dtype: ir.DataType) -> "Tensor":
        """Convert the elements."""
        return self.writer.op("Cast", self, dtype=dtype, to=dtype)

    def take(self, index: "Tensor") -> "Tensor":
        """Take elements of (n,) by number; of two operators that do it the one that is seven times as fast."""
        return self._alone("GatherElements", index)

    def where(self, mask: "Tensor") -> "Tensor":
        """Take the rows of a mask."""
        return self._alone("Compress", mask, axis=0)

    def nonzero(self) -> "Tensor":
        """Number the true entries of a mask, int64 (n,); half the time of the operator of that name."""
        return self.writer.arange(self.shape()).where(self)

    def reshape(self, *shape: int) -> "Tensor":
        """Change the shape; one -1 is what is left."""
        return self._alone("Reshape", self.writer.ints(*shape))

    def column(self) -> "Tensor":
        """Make (n,) to (n, 1)."""
        return self.reshape(-1, 1)

    def expand(self, shape: "Tensor") -> "Tensor":
        """Repeat to a shape, int64 (ranks,)."""
        return self._alone("Expand", shape)

    def cumsum(self, exclusive: bool = False) -> "Tensor":
        """Sum along the first axis, without the element itself if exclusive."""
        return self._alone("CumSum", self.writer.constant(0, INT64), exclusive=int(exclusive))

    def sum(self, axis: int) -> "Tensor":
        """Sum over an axis."""
        return self._alone("ReduceSum", self.writer.ints(axis), keepdims=0)

    def scatter(self, index: "Tensor", values: "Tensor", reduction: str = "none") -> "Tensor":
        """Write, add, or keep the smaller or larger at an index of the values' shape."""
        return self._alone("ScatterElements", index, values, reduction=reduction)

    def abs(self) -> "Tensor":
        """Return |x|."""
        return self._alone("Abs")

    def sqrt(self) -> "Tensor":
        """Return the square root."""
        return self._alone("Sqrt")

    def ceil(self) -> "Tensor":
        """Return the next whole number, or itself."""
        return self._alone("Ceil")

    def rint(self) -> "Tensor":
        """Return the nearest whole number, halves to even."""
        return self._alone("Round")

    def shape(self, axis: int = 0) -> "Tensor":
        """Return the size of an axis, int64 (1,)."""
        return self.writer.op("Shape", self, dtype=INT64, start=axis, end=axis + 1)


class Writer:
    """Writes the nodes, named after the `part` that they belong to.

    Args:
        graph: the main graph, which holds all constants.
        part: what is being written, for example "points.resample".
    """

    def __init__(self, graph: ir.Graph, part: str) -> None:
        self.editor, self.part = GraphEditor(graph), part
        self._counts: Counter[str] = Counter()

    def op(self, op_type: str, *inputs: Tensor, dtype: ir.DataType, **attributes: Any) -> Tensor:
        """Write a node of one output."""
        self._counts[self.part] += 1
        name = f"{self.part}.{self._counts[self.part]}"
        value = self.editor.op(op_type, *(tensor.value for tensor in inputs), name=name, **attributes)
        value.dtype = dtype
        return Tensor(value, self)

    def constant(self, number: float, dtype: ir.DataType) -> Tensor:
        """Return a number as a tensor of no axes."""
        array = np.array(number, dtype.numpy())
        return Tensor(self.editor.constant(f"points.{dtype.name.lower()}_{number}", array), self)

    def ints(self, *numbers: int) -> Tensor:
        """Return numbers as int64 (n,)."""
        name = "_".join(map(str, numbers))
        return Tensor(self.editor.constant(f"points.ints_{name}", np.array(numbers, np.int64)), self)

    def like(self, tensor: Tensor, other: "Tensor | float") -> Tensor:
        """Return a tensor as it is, and a number as a constant of that tensor's type."""
        return other if isinstance(other, Tensor) else self.constant(other, tensor.dtype)

    def full(self, number: float, dtype: ir.DataType, *sizes: Tensor) -> Tensor:
        """Return a tensor of one number, its shape as sizes, int64 (1,) each."""
        return self.constant(number, dtype).expand(concat(*sizes) if len(sizes) > 1 else sizes[0])

    def arange(self, size: Tensor) -> Tensor:
        """Return 0, 1 ... size - 1; the size as int64 (1,)."""
        zero, one = self.constant(0, INT64), self.constant(1, INT64)
        return self.op("Range", zero, size.reshape(), one, dtype=INT64)

    def while_any(self, state: Sequence[Tensor], body: Callable[..., Sequence[Tensor]], at_most: int) -> list[Tensor]:
        """Repeat while the first tensor of the state, (n, ...), has rows.

        Args:
            state: tensors whose shapes may change.
            body: makes the next state of a state; it may read all that was written before.
            at_most: how often; a file whose loops have no such bound is not opened.

        Returns:
            the last state.
        """
        outer, part = self.editor, self.part
        condition = (state[0].shape() > 0).reshape()
        self.editor = GraphEditor(outer.graph)
        inputs = [Tensor(_like(tensor, f"{part}.state_{number}"), self) for number, tensor in enumerate(state)]
        following = body(*inputs)
        again = (following[0].shape() > 0).reshape()
        # A graph may not give its input or the same value twice as its outputs.
        outputs = [self.op("Identity", tensor, dtype=tensor.dtype).value for tensor in following]
        graph = self.editor.branch(again.value)
        graph.outputs.extend(outputs)
        counter = ir.Value(name=f"{part}.counter", type=ir.TensorType(INT64), shape=ir.Shape([]))
        going = ir.Value(name=f"{part}.going", type=ir.TensorType(BOOL), shape=ir.Shape([]))
        graph.inputs.extend([counter, going, *(tensor.value for tensor in inputs)])
        self.editor = outer
        results = [Tensor(_like(tensor, f"{part}.end_{number}"), self) for number, tensor in enumerate(state)]
        inputs_ = [self.constant(at_most, INT64).value, condition.value, *(tensor.value for tensor in state)]
        outputs_ = [tensor.value for tensor in results]
        self.editor.record(ir.node("Loop", inputs_, {"body": graph}, outputs=outputs_, name=f"Loop:{part}"))
        return results


def _like(tensor: Tensor, name: str) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(tensor.dtype))


def concat(*tensors: Tensor, axis: int = 0) -> Tensor:
    """Join tensors along an axis."""
    return tensors[0].writer.op("Concat", *tensors, dtype=tensors[0].dtype, axis=axis)


def where(mask: Tensor, values: "Tensor | float", others: "Tensor | float") -> Tensor:
    """Take values where the mask is true, else others; at least one of them a tensor."""
    typed = values if isinstance(values, Tensor) else others
    if not isinstance(typed, Tensor):
        raise TypeError(f"expected a tensor among {values} and {others}")
    writer = mask.writer
    return writer.op("Where", mask, writer.like(typed, values), writer.like(typed, others), dtype=typed.dtype)
