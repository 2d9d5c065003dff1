"""Protobuf's wire format, as far as an ONNX file needs it (protobuf.dev/programming-guides/encoding)."""

from collections.abc import Iterator, Mapping

from sketch_infer.errors import ModelFileError

NOT_A_MODEL = "not a model that ONNX Runtime can open"

_MAX_FIELDS = 1_000_000
"""Fields read of one file: a model of this project has 3,000, and a million take a second."""

_VARINT, _BYTES = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}
"""Wire types, and the sizes of those that have one."""

Field = int | memoryview
Schema = Mapping[int, tuple[type, ...]]
"""What a message may hold: by field number, int for a varint and memoryview for all else."""


class MessageReader:
    """Reads the messages of one file, and gives up on a file with more fields than any model has.

    It never recurses: what a field holds is read when the caller asks for it.
    """

    def __init__(self) -> None:
        self._fields_left = _MAX_FIELDS

    def fields(self, content: memoryview) -> Iterator[tuple[int, Field]]:
        """Yield number and value of each field of a message.

        Raises:
            ModelFileError: if the content is not a complete message.
        """
        position = 0
        while position < len(content):
            self._fields_left -= 1
            if self._fields_left < 0:
                raise ModelFileError(f"expected at most {_MAX_FIELDS} protobuf fields, found more")
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
                raise ModelFileError(f"{NOT_A_MODEL}: no protobuf field at byte {position}; export it again")
            if position + size > len(content):
                raise ModelFileError(
                    f"{NOT_A_MODEL}: truncated, expected {size} bytes from byte {position} on, "
                    f"found {len(content) - position}; export it again"
                )
            yield number, content[position : position + size]
            position += size

    def message(self, content: Field, schema: Schema, what: str) -> dict[int, list[Field]]:
        """Return the values of a message by field number, refusing what the schema does not have.

        A value of another type than the schema's is refused too: a protobuf library skips it, and would take another
        value for the field's than the last one here.

        Raises:
            ModelFileError: for a field or type that is not in the schema; it calls the message `what`.
        """
        values: dict[int, list[Field]] = {number: [] for number in schema}
        if isinstance(content, int):
            raise _not_ours(what, "a number")
        for number, value in self.fields(content):
            if not isinstance(value, schema.get(number, ())):
                raise _not_ours(what, f"field {number}")
            values[number].append(value)
        return values


def _not_ours(what: str, found: str) -> ModelFileError:
    return ModelFileError(f"expected only fields of {what} that sketch-export writes, found {found}; export it again")


def text(values: list[Field]) -> str:
    """Return a text field's value, the last one as in protobuf; "" if it is missing.

    Raises:
        ModelFileError: if it is not UTF-8.
    """
    try:
        return bytes(values[-1]).decode("utf-8") if values and isinstance(values[-1], memoryview) else ""
    except UnicodeDecodeError as error:
        raise ModelFileError(f"it holds text that is not UTF-8 ({error}); export it again") from error


def integer(values: list[Field], default: int = 0) -> int:
    """Return an integer field's value, the last one as in protobuf."""
    return values[-1] if values and isinstance(values[-1], int) else default


def integers(values: list[Field]) -> list[int]:
    """Return a repeated integer field's values, whether they are packed into one field or not.

    Raises:
        ModelFileError: if packed ones end within a number.
    """
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(value)
            continue
        position = 0
        while position < len(value):
            number, position = _varint(value, position)
            found.append(number)
    return found


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
    raise ModelFileError(f"{NOT_A_MODEL}: truncated, or no complete number at byte {position}; export it again")
