"""What can be said of a model file on CUDA without a GPU: every operator has a kernel there, and none runs on the CPU.

The kernels are those of ONNX Runtime's registry, in tests/cuda.
"""

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from sketch_export import export_onnx
from sketch_infer.inference.session import Session
from sketch_models import SketchRNNConfig
from tests.cuda import read_kernels
from tests.networks import make_hash, make_model

KERNELS = read_kernels()
ONE_LAYER = SketchRNNConfig(3, 16, 5, sequence_length=24)
TWO_LAYERS = SketchRNNConfig(3, 9, 4, n_layers=2, sequence_length=20)

Types = dict[str, str]


def element_types(graph: onnx.GraphProto, outer: Types) -> Types:
    values = [*graph.input, *graph.value_info, *graph.output]
    types = {value.name: value.type.tensor_type.elem_type for value in values if value.type.HasField("tensor_type")}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    names = {name: onnx.TensorProto.DataType.Name(number).lower() for name, number in types.items() if number}
    return outer | names


def nodes_with_types(graph: onnx.GraphProto, outer: Types) -> Iterator[tuple[onnx.NodeProto, Types]]:
    types = element_types(graph, outer)
    for node in graph.node:
        yield node, types
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes_with_types(attribute.g, types)


def without_kernel(path: Path) -> list[str]:
    """Return the operators of a file, with their types, for which ONNX Runtime has no kernel on CUDA."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    missing = []
    for node, types in nodes_with_types(model.graph, {}):
        operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        since, found = 1, {}
        if not node.domain:
            schema = onnx.defs.get_schema(node.op_type, opsets[""])
            since = schema.since_version
            for formal, actual in ((schema.inputs, node.input), (schema.outputs, node.output)):
                for position, name in enumerate(actual):
                    parameter = formal[min(position, len(formal) - 1)].type_str
                    if name:
                        found[parameter] = types.get(name, "")
        if not any(kernel.takes(since, found) for kernel in KERNELS.get(operator, [])):
            missing.append(f"{operator} {since} {found}")
    return missing


@pytest.fixture(scope="module", params=["fast", "plain", "fast, state", "plain, two layers", "fast, codes"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph, _, kind = request.param.partition(", ")
    path = tmp_path_factory.mktemp("cuda") / "model.onnx"
    network = make_hash(ONE_LAYER) if kind == "codes" else make_model(TWO_LAYERS if kind == "two layers" else ONE_LAYER)
    assert export_onnx(network, path, graph=graph, initial_state=kind == "state")
    return path


def test_every_operator_has_a_kernel_on_cuda(exported: Path) -> None:
    assert without_kernel(exported) == []


def test_so_has_every_operator_of_the_default_model(default_onnx: Path) -> None:
    assert without_kernel(default_onnx) == []


def test_none_is_left_to_the_cpu(exported: Path) -> None:
    """ONNX Runtime runs on the CPU what computes a shape, behind a Shape."""
    graphs = [onnx.load(exported).graph]
    for graph in graphs:
        shapes = {name for node in graph.node if node.op_type in ("Shape", "Size") for name in node.output}
        behind = [(node.op_type, name) for node in graph.node for name in node.input if name in shapes]
        assert [op_type for op_type, _ in behind if op_type not in ("Expand", "Reshape")] == []
        graphs += [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]


def test_the_plain_graph_keeps_no_gpu_waiting(exported: Path) -> None:
    model, session = onnx.load(exported), Session(exported, "cpu")
    flow = {node.op_type for node, _ in nodes_with_types(model.graph, {})} & {"If", "Loop", "Scan"}
    of_pytorch = not any(node.op_type == "LSTM" and len(node.input) > 4 and node.input[4] for node in model.graph.node)
    assert session.has_control_flow == bool(flow)
    assert not (of_pytorch and flow), "the plain graph branches"
    assert of_pytorch or flow, "the fast graph has no branches: docs/gpu.md says that it has"


def test_int8_has_no_kernel(tmp_path: Path) -> None:
    assert export_onnx(make_model(), tmp_path / "int8.onnx", precision="int8")
    missing = {operator.split()[0] for operator in without_kernel(tmp_path / "int8.onnx")}
    assert {"com.microsoft.DynamicQuantizeLSTM", "MatMulInteger"} <= missing
