"""Thrift's compact protocol, in which `.parquet` files describe themselves: structs as their fields' numbers.

See github.com/apache/thrift, doc/specs/thrift-compact-protocol.md.
"""

from typing import Any

_MAX_DEPTH = 12


class Compact:
    """Reads Thrift's compact protocol; raises LookupError or ValueError where it is damaged."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.position = 0

    def take(self, n_bytes: int) -> bytes:
        """Return the next bytes."""
        start, self.position = self.position, self.position + n_bytes
        if n_bytes < 0 or self.position > len(self._content):
            raise ValueError(n_bytes)
        return self._content[start : self.position]

    def varint(self) -> int:
        """Return the next number without a sign."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError(shift)

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return a struct's fields by their numbers."""
        fields: dict[int, Any] = {}
        number = 0
        while head := self.take(1)[0]:
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self.take(1)[0]
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 7:
            return self.take(8)
        if kind == 8:
            return self.take(self.varint())
        if kind == 9 and depth < _MAX_DEPTH:
            head = self.take(1)[0]
            size, kind = head >> 4, head & 15
            size = self.varint() if size == 15 else size
            return [self.take(1) if kind in (1, 2) else self._value(kind, depth + 1) for _ in range(size)]
        if kind == 12 and depth < _MAX_DEPTH:
            return self.struct(depth + 1)
        raise ValueError(kind)  # sets, maps and UUIDs, which parquet.thrift has none of
