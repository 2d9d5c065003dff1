"""Whether ONNX Runtime may open a model file at all: decided on the file's bytes, before it does."""

import math

from sketch_infer.errors import ModelFileError
from sketch_infer.model.onnx_header import OnnxHeader
from sketch_infer.model.operators import ELEMENT_SIZES, MAX_DEPTH, MAX_NODES, MAX_RANK, MAX_TRIPS, OPERATORS
from sketch_infer.model.protobuf import Field, MessageReader, Schema, integer, integers, text
from sketch_infer.model.signature import Declared, Signature
from sketch_infer.untrusted import printable

_NUMBER, _BYTES, _EITHER = (int,), (memoryview,), (int, memoryview)

# Of each message in onnx.proto, the fields that sketch-export writes, by number. What is missing here is refused:
# external_data and data_location of a tensor, ref_attr_name, sparse tensors and the like.
_G_NODE, _G_CONSTANT, _G_INPUT, _G_OUTPUT, _G_BRANCH_NAME, _G_VALUE_INFO = 1, 5, 11, 12, 2, 13
_GRAPH: Schema = dict.fromkeys((_G_NODE, _G_BRANCH_NAME, _G_CONSTANT, _G_INPUT, _G_OUTPUT, _G_VALUE_INFO), _BYTES)
_N_INPUT, _N_OP_TYPE, _N_ATTRIBUTE, _N_DOMAIN = 1, 4, 5, 7
_NODE: Schema = dict.fromkeys((_N_INPUT, 2, 3, _N_OP_TYPE, _N_ATTRIBUTE, _N_DOMAIN), _BYTES)  # 2, 3: outputs, name
_A_NAME, _A_GRAPH = 1, 6
_ATTRIBUTE: Schema = {
    _A_NAME: _BYTES,
    2: _BYTES,  # a float
    3: _NUMBER,  # an integer
    4: _BYTES,  # a string
    _A_GRAPH: _BYTES,
    7: _BYTES,  # floats
    8: _EITHER,  # integers
    9: _BYTES,  # strings
    20: _NUMBER,  # which of these it is
}
_T_DIMS, _T_TYPE, _T_NAME, _T_RAW = 1, 2, 8, 9
_TENSOR: Schema = {_T_DIMS: _EITHER, _T_TYPE: _NUMBER, _T_NAME: _BYTES, _T_RAW: _BYTES}
_V_NAME, _V_TYPE = 1, 2
_VALUE: Schema = {_V_NAME: _BYTES, _V_TYPE: _BYTES, 4: _BYTES}  # 4: metadata
_Y_TENSOR, _Y_ELEMENT, _Y_SHAPE = 1, 1, 2
_TYPE: Schema = {_Y_TENSOR: _BYTES}
_TENSOR_TYPE: Schema = {_Y_ELEMENT: _NUMBER, _Y_SHAPE: _BYTES}
_S_AXIS = 1
_SHAPE: Schema = {_S_AXIS: _BYTES}
_D_SIZE, _D_NAME = 1, 2
_AXIS: Schema = {_D_SIZE: _NUMBER, _D_NAME: _BYTES}
_INT64 = 7
_ELEMENT_TYPES = {1: "tensor(float)", 2: "tensor(uint8)", _INT64: "tensor(int64)"}


def check_graph(header: OnnxHeader) -> Signature:
    """Check that a model file holds only what sketch-export writes.

    That is one graph of the operators and attributes in `OPERATORS`, branches a few levels deep, and constants inside
    the file, as large as they say. Functions, external data and whatever else ONNX has are refused.

    Returns:
        the inputs and outputs that it declares.

    Raises:
        ModelFileError: if it holds anything else.
    """
    if header.others:
        raise _refusal("one graph and no functions", f"field {min(header.others)} of ModelProto")
    if len(header.graphs) != 1:  # a protobuf library would merge several into one
        raise _refusal("one graph", str(len(header.graphs)))
    reader = MessageReader()
    outermost = reader.message(header.graphs[0], _GRAPH, "a graph")
    waiting, n_nodes, has_control_flow = [(outermost, 0)], 0, False
    while waiting:
        graph, depth = waiting.pop()
        n_nodes += len(graph[_G_NODE])
        if n_nodes > MAX_NODES:
            raise _refusal(f"at most {MAX_NODES} operators", "more")
        numbers: dict[str, int] = {}
        for tensor in graph[_G_CONSTANT]:
            name, number = _check_constant(reader, tensor)
            numbers[name] = -1 if name in numbers else number  # of two of one name, neither
        trips = numbers if depth == 0 else {}
        branches = [branch for node in graph[_G_NODE] for branch in _check_node(reader, node, trips)]
        if branches and depth == MAX_DEPTH:
            raise _refusal(f"branches at most {MAX_DEPTH} deep", "deeper ones")
        has_control_flow |= bool(branches)
        waiting += [(reader.message(branch, _GRAPH, "a branch"), depth + 1) for branch in branches]
    inputs, outputs = (_declared(reader, outermost[field]) for field in (_G_INPUT, _G_OUTPUT))
    return Signature(inputs, outputs, has_control_flow)


def _check_node(reader: MessageReader, content: Field, trips: dict[str, int]) -> list[Field]:
    """Check a node's operator and attributes, and return its branches; a loop may count to one of `trips`."""
    node = reader.message(content, _NODE, "an operator")
    domain, op_type = text(node[_N_DOMAIN]), text(node[_N_OP_TYPE])
    operator = f"{domain}.{op_type}" if domain else op_type
    if operator not in OPERATORS:
        raise _refusal("only operators that sketch-export writes", printable(operator))
    if op_type == "Loop":
        count = trips.get(text(node[_N_INPUT][:1]), -1)
        if not 0 <= count <= MAX_TRIPS:
            raise _refusal(f"loops of a constant number of at most {MAX_TRIPS} turns", "another one")
    branches = []
    for attribute in node[_N_ATTRIBUTE]:
        values = reader.message(attribute, _ATTRIBUTE, f"an attribute of {operator}")
        if (name := text(values[_A_NAME])) not in OPERATORS[operator]:
            raise _refusal(f"only attributes of {operator} that sketch-export writes", printable(name))
        branches += values[_A_GRAPH]
    return branches


def _check_constant(reader: MessageReader, content: Field) -> tuple[str, int]:
    """Check a constant's type and size, and return its name and its value, -1 where that is not one int64."""
    tensor = reader.message(content, _TENSOR, "a constant")
    name, dims, kind = text(tensor[_T_NAME]), integers(tensor[_T_DIMS]), integer(tensor[_T_TYPE])
    if kind not in ELEMENT_SIZES or len(dims) > MAX_RANK:
        found = f"type {kind} with {len(dims)} axes"
        raise _refusal(f"{printable(name)} of a type and rank that sketch-export writes", found)
    raw = next((value for value in reversed(tensor[_T_RAW]) if isinstance(value, memoryview)), memoryview(b""))
    expected = math.prod(dims) * ELEMENT_SIZES[kind]
    if len(raw) != expected:
        raise _refusal(f"{expected} bytes of {printable(name)}", str(len(raw)))
    return name, int.from_bytes(raw, "little", signed=True) if kind == _INT64 and len(raw) == 8 else -1


def _declared(reader: MessageReader, values: list[Field]) -> dict[str, Declared]:
    declared: dict[str, Declared] = {}
    for content in values:
        value = reader.message(content, _VALUE, "an input or output")
        name = text(value[_V_NAME])
        if name in declared:
            raise _refusal("each input and output once", f"{printable(name)} twice")
        declared[name] = _type_and_shape(reader, value[_V_TYPE], f"the type of {printable(name)}")
    return declared


def _type_and_shape(reader: MessageReader, types: list[Field], what: str) -> Declared:
    kind, axes = 0, []
    for of_type in types:  # protobuf merges several of one, and so does this
        for tensor in reader.message(of_type, _TYPE, what)[_Y_TENSOR]:
            parts = reader.message(tensor, _TENSOR_TYPE, what)
            kind = integer(parts[_Y_ELEMENT], kind)
            axes += [axis for shape in parts[_Y_SHAPE] for axis in reader.message(shape, _SHAPE, what)[_S_AXIS]]
    return _ELEMENT_TYPES.get(kind, f"element type {kind}"), [_axis(reader, axis) for axis in axes]


def _axis(reader: MessageReader, content: Field) -> int | str | None:
    axis = reader.message(content, _AXIS, "an axis")
    if axis[_D_NAME] and axis[_D_SIZE]:
        raise _refusal("an axis with a name or a size", "one with both")
    if axis[_D_NAME]:
        return text(axis[_D_NAME])
    return integer(axis[_D_SIZE]) if axis[_D_SIZE] else None


def _refusal(expected: str, found: str) -> ModelFileError:
    return ModelFileError(f"expected {expected}, found {found}; export it again")
