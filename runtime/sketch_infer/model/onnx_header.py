"""What an ONNX file says of its format, without an ONNX library: a reader of protobuf's outermost fields."""

from collections.abc import Iterator
from dataclasses import dataclass

from sketch_infer.errors import ModelFileError

_IR_VERSION, _OPSET_IMPORT, _METADATA_PROPS = 1, 8, 14
"""Field numbers of ModelProto (onnx.proto)."""
_DOMAIN, _VERSION = 1, 2
"""Field numbers of OperatorSetIdProto."""
_KEY, _VALUE = 1, 2
"""Field numbers of StringStringEntryProto."""

_VARINT, _BYTES = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}
"""Protobuf's wire types (protobuf.dev/programming-guides/encoding), and the sizes of those that have one."""

_NO_MODEL = "not a model that ONNX Runtime can open"


@dataclass(frozen=True)
class OnnxHeader:
    """What stands around the graph of an ONNX file.

    Attributes:
        ir_version: of the format.
        opsets: versions of the operator sets by domain ("" is ONNX's own).
        props: the metadata, text by key.
    """

    ir_version: int
    opsets: dict[str, int]
    props: dict[str, str]


def read_header(content: bytes) -> OnnxHeader:
    """Read what stands around the graph off a file's content.

    Raises:
        ModelFileError: if the content is not a complete protobuf message with a format version, or its metadata is no
            text.
    """
    ir_version: int | None = None
    opsets, props = {}, {}
    for number, value in _fields(memoryview(content)):
        if number == _IR_VERSION and isinstance(value, int):
            ir_version = value
        elif number == _OPSET_IMPORT and isinstance(value, memoryview):
            parts = dict(_fields(value))
            version = parts.get(_VERSION)
            opsets[_text(parts.get(_DOMAIN))] = version if isinstance(version, int) else 0
        elif number == _METADATA_PROPS and isinstance(value, memoryview):
            parts = dict(_fields(value))
            props[_text(parts.get(_KEY))] = _text(parts.get(_VALUE))
    if ir_version is None:
        raise ModelFileError(f"{_NO_MODEL}: no format version in its {len(content)} bytes; export it again")
    return OnnxHeader(ir_version, opsets, props)


def _text(value: int | memoryview | None) -> str:
    try:
        return bytes(value).decode("utf-8") if isinstance(value, memoryview) else ""
    except UnicodeDecodeError as error:
        raise ModelFileError(f"its metadata is damaged ({error}); export it again") from error


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a message: integers as such, all else as bytes."""
    position = 0
    while position < len(content):
        key, position = _varint(content, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, position = _varint(content, position)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, position = _varint(content, position)
        elif wire_type in _FIXED_SIZES:
            size = _FIXED_SIZES[wire_type]
        else:
            raise ModelFileError(f"{_NO_MODEL}: no protobuf field at byte {position}; export it again")
        if position + size > len(content):
            found = len(content) - position
            raise ModelFileError(
                f"{_NO_MODEL}: truncated, expected {size} bytes from byte {position} on, found {found}; export it again"
            )
        yield number, content[position : position + size]
        position += size


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    """Return an integer of 7 bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while position < len(content) and shift < 70:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
    raise ModelFileError(f"{_NO_MODEL}: truncated, or no complete number at byte {position}; export it again")
