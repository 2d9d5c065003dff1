"""What an ONNX file says of its format, without an ONNX library: the fields around its graph (onnx.proto)."""

from dataclasses import dataclass

from sketch_infer.errors import ModelFileError
from sketch_infer.model.protobuf import NOT_A_MODEL, Field, MessageReader, text

_IR_VERSION, _GRAPH, _OPSET_IMPORT, _METADATA_PROPS = 1, 7, 8, 14
_TEXTS = (2, 3, 6)
"""Field numbers of ModelProto; the last are what made the file, in which version, and a note for people."""
_DOMAIN, _VERSION = 1, 2
"""Field numbers of OperatorSetIdProto."""
_KEY, _VALUE = 1, 2
"""Field numbers of StringStringEntryProto."""


@dataclass(frozen=True)
class OnnxHeader:
    """What stands around the graph of an ONNX file.

    Attributes:
        ir_version: of the format.
        opsets: versions of the operator sets by domain ("" is ONNX's own).
        props: the metadata, text by key.
        graphs: content of the graph; a protobuf library merges several into one.
        others: numbers of further fields, which sketch-export never writes: 25 for functions, for example.
    """

    ir_version: int
    opsets: dict[str, int]
    props: dict[str, str]
    graphs: tuple[memoryview, ...]
    others: frozenset[int]


def read_header(content: bytes) -> OnnxHeader:
    """Read what stands around the graph off a file's content.

    Raises:
        ModelFileError: if the content is not a complete protobuf message with a format version, or its metadata is no
            text.
    """
    reader = MessageReader()
    ir_version: int | None = None
    opsets, props, graphs, others = {}, {}, [], set()
    for number, value in reader.fields(memoryview(content)):
        if number == _IR_VERSION and isinstance(value, int):
            ir_version = value
        elif number == _OPSET_IMPORT and isinstance(value, memoryview):
            parts = dict(reader.fields(value))
            version = parts.get(_VERSION)
            opsets[_text(parts.get(_DOMAIN))] = version if isinstance(version, int) else 0
        elif number == _METADATA_PROPS and isinstance(value, memoryview):
            parts = dict(reader.fields(value))
            props[_text(parts.get(_KEY))] = _text(parts.get(_VALUE))
        elif number == _GRAPH and isinstance(value, memoryview):
            graphs.append(value)
        elif number not in _TEXTS:
            others.add(number)
    if ir_version is None:
        raise ModelFileError(f"{NOT_A_MODEL}: no format version in its {len(content)} bytes; export it again")
    return OnnxHeader(ir_version, opsets, props, tuple(graphs), frozenset(others))


def _text(value: Field | None) -> str:
    return text([] if value is None else [value])
