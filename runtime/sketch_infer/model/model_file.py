"""A model file in memory: the bytes that are hashed and checked are the bytes that ONNX Runtime opens."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sketch_infer.errors import ModelFileError, reading_errors, require_file
from sketch_infer.model.contract.metadata import ModelMetadata
from sketch_infer.model.contract.tensors import STATES
from sketch_infer.model.graph_check import check_graph
from sketch_infer.model.integrity import ContentHash
from sketch_infer.model.onnx_header import OnnxHeader, read_header
from sketch_infer.model.signature import check_signature

_MAX_BYTES = 2**31
"""What protobuf, and so ONNX Runtime, reads at most."""


@dataclass(frozen=True)
class CheckedModel:
    """A model file that ONNX Runtime may open.

    Attributes:
        metadata: what it says of itself.
        content_sha256: its hash, 64 hexadecimal digits.
        state_shapes: (n_layers * 2, hidden_size) of the initial-state inputs by name; empty for a model without.
        has_control_flow: whether its graph branches or loops.
    """

    metadata: ModelMetadata
    content_sha256: str
    state_shapes: dict[str, tuple[int, int]]
    has_control_flow: bool


class ModelFile:
    """A model file that was read once, whatever becomes of its path.

    Args:
        name: what messages call it: its path, if it has one.
        content: its bytes, which are being hashed from now on.

    Attributes:
        name, content: as above.
        header: what stands around its graph.

    Raises:
        ModelFileError: if the content is no ONNX file.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self.content = name, content
        with self.named():
            self.header: OnnxHeader = read_header(content)
        self._hash = ContentHash(content)
        self._checked: CheckedModel | None = None

    @classmethod
    def read(cls, path: "str | Path | ModelFile") -> "ModelFile":
        """Read a file; one that was read already is returned as it is.

        Raises:
            ModelFileError: if it is missing, cannot be read, or is no ONNX file.
        """
        if isinstance(path, ModelFile):
            return path
        file = Path(path)
        require_file(file, "a model file")
        with reading_errors(path, ModelFileError):
            if (size := file.stat().st_size) >= _MAX_BYTES:
                raise ModelFileError(f"{path}: expected a model file of less than {_MAX_BYTES} bytes, found {size}")
            content = file.read_bytes()
        return cls(str(path), content)

    def check(self) -> CheckedModel:
        """Wait for the hash and check everything that can be known of the file without ONNX Runtime.

        Raises:
            ModelFileError: if its content is not what was exported, its metadata or its declared inputs and outputs
                break the contract, or its graph holds what sketch-export never writes.
        """
        if self._checked is None:
            with self.named():
                metadata = ModelMetadata.from_props(self.header.props)
                digest = self._hash.check(self.content, self.header.props)
                graph = check_graph(self.header)
                check_signature(graph, metadata)
            shapes = {name: graph.inputs[name][1] for name in STATES if name in graph.inputs}
            states = {name: (int(shape[0] or 0), int(shape[2] or 0)) for name, shape in shapes.items()}
            self._checked = CheckedModel(metadata, digest, states, graph.has_control_flow)
        return self._checked

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Put the file's name before the ModelFileErrors of a block."""
        try:
            yield
        except ModelFileError as error:
            raise ModelFileError(f"{self.name}: {error}") from error
