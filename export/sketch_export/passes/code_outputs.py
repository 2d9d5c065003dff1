"""The hash layer behind the answers: the outputs embedding and code."""

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes

from sketch_export.passes.tools.editor import GraphEditor
from sketch_infer.model.codes import BITS_IN_BYTE, CODE, EMBEDDING
from sketch_infer.model.contract.tensors import BATCH, OUTPUTS
from sketch_models import SketchHash
from sketch_models.sketch_hash import SMALLEST_NORM

_NAME = "hash_layer"


def add_codes(model: ir.Model, network: SketchHash) -> None:
    """Add the outputs embedding and code to any graph that has the output log_probs, in place.

    Args:
        model: the graph.
        network: the network that it computes; the weights of its hash layer are taken.
    """
    graph, editor = model.graph, GraphEditor(model.graph)
    layer = network.hash_layer
    weights = {name: tensor.detach().float().numpy() for name, tensor in layer.state_dict().items()}
    log_probs = next(output for output in graph.outputs if output.name == OUTPUTS[0])
    values = editor.op("Mul", log_probs, editor.constant(f"{_NAME}.half", np.float32(0.5)), name=f"{_NAME}.halves")
    values = editor.op("Exp", values, name=f"{_NAME}.roots")
    for part in ("fc_1", "fc_2"):
        name = f"{_NAME}.{part}"
        weight = editor.constant(f"{name}.weight", np.ascontiguousarray(weights[f"{part}.weight"].T))
        values = editor.op("MatMul", values, weight, name=f"{name}.product")
        values = editor.op("Add", values, editor.constant(f"{name}.bias", weights[f"{part}.bias"]), name=name)
        if part == "fc_1":
            zero = editor.constant(f"{_NAME}.zero", np.float32(0))
            values = editor.op("Max", values, zero, name=f"{_NAME}.relu")
    norm = editor.op("ReduceL2", values, editor.constant("axis_1", [1]), name=f"{_NAME}.norm", keepdims=1)
    norm = editor.op("Max", norm, editor.constant(f"{_NAME}.smallest_norm", np.float32(SMALLEST_NORM)), name="norm")
    embedding = editor.op("Div", values, norm, name=EMBEDDING)
    positive = editor.op("Greater", embedding, editor.constant(f"{_NAME}.zero", np.float32(0)), name=f"{CODE}.positive")
    bits = editor.op("Cast", positive, name=f"{CODE}.bits", to=ir.DataType.FLOAT)
    shape = editor.constant(f"{CODE}.shape", [-1, layer.code_bits // BITS_IN_BYTE, BITS_IN_BYTE])
    bits = editor.op("Reshape", bits, shape, name=f"{CODE}.bits_by_byte")
    weight_of_bit = np.float32(2) ** np.arange(BITS_IN_BYTE - 1, -1, -1, dtype=np.float32)  # as numpy.packbits
    # Exact: sums of powers of two up to 255.
    packed = editor.op("MatMul", bits, editor.constant(f"{CODE}.weights", weight_of_bit), name=f"{CODE}.sums")
    code = editor.op("Cast", packed, name=CODE, to=ir.DataType.UINT8)
    for value, dtype, width in (
        (embedding, ir.DataType.FLOAT, layer.code_bits),
        (code, ir.DataType.UINT8, layer.code_bits // BITS_IN_BYTE),
    ):
        value.type, value.shape = ir.TensorType(dtype), ir.Shape([BATCH, width])
        graph.outputs.append(value)
    graph.extend(editor.take())
    passes.ShapeInferencePass()(model)
