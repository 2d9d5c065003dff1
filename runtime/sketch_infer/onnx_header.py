"""What an ONNX file says of its format, without an ONNX library: a reader of protobuf's outermost fields."""

from collections.abc import Iterator
from dataclasses import dataclass

from .errors import ModelFileError

_IR_VERSION, _OPSET_IMPORT = 1, 8
"""Field numbers of ModelProto (onnx.proto)."""
_DOMAIN, _VERSION = 1, 2
"""Field numbers of OperatorSetIdProto."""

_VARINT, _BYTES = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}
"""Protobuf's wire types (protobuf.dev/programming-guides/encoding), and the sizes of those that have one."""


@dataclass(frozen=True)
class OnnxHeader:
    """Versions of an ONNX file: of the format, and of the operator sets by domain ("" is ONNX's own)."""

    ir_version: int
    opsets: dict[str, int]


def read_header(content: bytes) -> OnnxHeader:
    """Read the versions off a file's content.

    Raises:
        ModelFileError: if the content is not a complete protobuf message.
    """
    ir_version, opsets = 0, {}
    for number, value in _fields(memoryview(content)):
        if number == _IR_VERSION and isinstance(value, int):
            ir_version = value
        elif number == _OPSET_IMPORT and isinstance(value, memoryview):
            domain, version = "", 0
            for part, part_value in _fields(value):
                if part == _DOMAIN and isinstance(part_value, memoryview):
                    domain = bytes(part_value).decode("utf-8", "replace")
                elif part == _VERSION and isinstance(part_value, int):
                    version = part_value
            opsets[domain] = version
    return OnnxHeader(ir_version, opsets)


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
            raise ModelFileError(f"not an ONNX file: no protobuf field at byte {position}")
        if position + size > len(content):
            raise ModelFileError(
                f"is truncated: expected {size} bytes from byte {position} on, found {len(content) - position}"
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
    raise ModelFileError(f"not an ONNX file, or truncated: no complete number at byte {position}")
