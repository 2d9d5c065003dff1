"""Put the preparation of pen points before a network's graph."""

from math import nan

import onnx_ir as ir
import onnx_ir.passes.common as passes

from sketch_export.passes.tools.editor import static_axis
from sketch_export.pen_points.preparation import prepare
from sketch_export.pen_points.tensors import FLOAT, INT64, Tensor, Writer, where
from sketch_infer.model.contract.tensors import BATCH, COUNTS, N_POINTS, POINTS, STEPS, STROKES
from sketch_infer.strokes.preprocess import INPUT_SIZE

_ROWS = "rows"
"""Name of the network's own batch axis: one where there is no drawing."""

INSIDE = "{}.inside"
"""Name that an output's tensor has before what was refused becomes NaN."""


def read_points(model: ir.Model) -> None:
    """Let a model that reads strokes read pen points, in place; NaN for a drawing that cannot be used.

    Two outputs follow the model's own: the strokes that it read, and the steps of each drawing.

    Args:
        model: any graph of `sketch_export` without initial states; what it computes is not touched.
    """
    graph = model.graph
    strokes, first = graph.inputs[0], graph[0]
    sequence_length = static_axis(strokes, 1)
    _rename_batch_axis(graph)
    points = ir.Value(name=POINTS, type=ir.TensorType(FLOAT), shape=ir.Shape([N_POINTS, INPUT_SIZE]))
    counts = ir.Value(name=COUNTS, type=ir.TensorType(INT64), shape=ir.Shape([BATCH]))
    writer = Writer(graph, POINTS)
    # OpenVINO (2026.4) would make other rows of the points. It lacks this operator, and so refuses the file.
    known_counts = writer.op("OptionalGetElement", Tensor(counts, writer), dtype=INT64)
    prepared = prepare(Tensor(points, writer), known_counts, sequence_length)
    made = prepared.strokes.value
    graph.inputs[:] = [points, counts]
    made.name, made.shape = STROKES, strokes.shape
    ir.convenience.replace_all_uses_with(strokes, made)
    writer.editor.insert_before(first)
    graph.outputs.append(made)
    for position, rows in enumerate(list(graph.outputs)):
        graph.outputs[position] = _of_drawings(Tensor(rows, writer), prepared.refused, counts)
    steps = prepared.steps.value
    steps.name, steps.shape = STEPS, ir.Shape([BATCH])
    graph.outputs.append(steps)
    graph.extend(writer.editor.take())
    passes.RemoveUnusedNodesPass()(model)
    graph.sort()


def _of_drawings(rows: Tensor, refused: Tensor, counts: ir.Value) -> ir.Value:
    """Return an output under the name of its rows, (b, ...): NaN, or 0 in a code, where a drawing was refused."""
    writer, name, shape = rows.writer, rows.value.name, rows.value.shape
    if name is None or shape is None:
        raise TypeError("expected outputs with names and shapes")
    writer.part = f"{POINTS}.{name}"
    chosen = writer.op("Slice", rows, writer.ints(0), Tensor(counts, writer).shape(), dtype=rows.dtype)
    # The bits of a code cannot say that there is no answer; the embedding beside them does.
    nothing = nan if rows.dtype == FLOAT else 0
    answers = where(refused.reshape(-1, *[1] * (len(shape) - 1)), nothing, chosen).value
    answers.name, rows.value.name = name, INSIDE.format(name)
    answers.shape = ir.Shape([BATCH, *list(shape)[1:]])
    return answers


def _rename_batch_axis(graph: ir.Graph) -> None:
    """ONNX Runtime takes axes of one name for equally long, when it plans which memory to use again."""
    values = [*graph.inputs, *(value for node in ir.traversal.RecursiveGraphIterator(graph) for value in node.outputs)]
    for value in values:
        if value.shape is not None:
            value.shape = ir.Shape([_ROWS if axis == BATCH else axis for axis in value.shape])
