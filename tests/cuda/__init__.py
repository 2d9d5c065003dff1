"""ONNX Runtime's CUDA kernels, as of its own registry, committed so that graphs are held to them without a GPU."""

import json
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parent / "kernels.json"
"""Written by `python -m tests.cuda`."""


@dataclass(frozen=True)
class Kernel:
    """An implementation of an operator.

    Attributes:
        versions: the first and the last version of the operator, as ONNX counts them, that it implements.
        types: element types by type parameter of the operator's schema.
    """

    versions: tuple[int, int]
    types: dict[str, frozenset[str]]

    def takes(self, since_version: int, types: dict[str, str]) -> bool:
        """Return whether it implements a version of the operator for these types."""
        first, last = self.versions
        allowed = all(types.get(name, "") in found for name, found in self.types.items() if name in types)
        return first <= since_version <= last and allowed


def read_kernels() -> dict[str, list[Kernel]]:
    """Return the kernels by operator, with its domain unless that is ONNX's own."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    return {
        operator: [
            Kernel((first, last), {name: frozenset(found.split()) for name, found in types.items()})
            for first, last, types in kernels
        ]
        for operator, kernels in table["kernels"].items()
    }
