"""The inputs and outputs that a model file declares, held to the contract."""

import math
from dataclasses import dataclass

import numpy as np

from sketch_infer.errors import ModelFileError
from sketch_infer.model.contract import BATCH, OUTPUTS, STATES, STROKES, ModelMetadata
from sketch_infer.strokes.preprocess import INPUT_SIZE
from sketch_infer.untrusted import printable

Declared = tuple[str, list[int | str | None]]
"""Type and shape of an input or output, as ONNX Runtime says them: "tensor(float)", ["batch", 196, 3]."""

_MAX_STATES = 2**20
"""Values of a row's initial state: what a file may ask memory for."""


@dataclass(frozen=True)
class Signature:
    """What a graph declares: each input's and output's type and shape by name."""

    inputs: dict[str, Declared]
    outputs: dict[str, Declared]


def check_signature(found: Signature, metadata: ModelMetadata) -> None:
    """Check what a model declares against the contract.

    Raises:
        ModelFileError: if a name, type or axis is not as the contract's constants say, or the probes do not fit them.
    """
    inputs, outputs = found.inputs, found.outputs
    expected_outputs: dict[str, list[int | str | None]] = {name: [BATCH, len(metadata.labels)] for name in OUTPUTS}
    strokes_shape: list[int | str | None] = [BATCH, metadata.sequence_length, INPUT_SIZE]
    if list(inputs) not in ([STROKES], [STROKES, *STATES]):
        names = printable(", ".join(inputs))
        raise ModelFileError(f"expected input {STROKES} (and optionally {', '.join(STATES)}), found {names}")
    if list(outputs) != list(OUTPUTS):
        raise ModelFileError(f"expected outputs {', '.join(OUTPUTS)}, found {printable(', '.join(outputs))}")
    declared = {STROKES: inputs[STROKES], **outputs}
    for name, shape in {STROKES: strokes_shape, **expected_outputs}.items():
        if declared[name] != ("tensor(float)", shape):
            found_type, found_shape = declared[name]
            raise ModelFileError(f"expected {name} as tensor(float) {shape}, found {found_type} {found_shape}")
    for name in inputs.keys() & set(STATES):
        found_type, found_shape = inputs[name]
        sizes = [size for size in found_shape if isinstance(size, int) and size > 0]
        fits = len(found_shape) == 3 and found_shape[1] == BATCH and len(sizes) == 2 and math.prod(sizes) <= _MAX_STATES
        if found_type != "tensor(float)" or not fits:
            raise ModelFileError(
                f"expected {name} as tensor(float) [layers * 2, batch, hidden], found {found_type} {found_shape}"
            )
    _check_probes(metadata)


def _check_probes(metadata: ModelMetadata) -> None:
    """Check that the probes are inputs and outputs of this very signature."""
    probes, n_classes = metadata.probes, len(metadata.labels)
    n_probes = len(probes.names)
    expected = {
        STROKES: (n_probes, metadata.sequence_length, INPUT_SIZE),
        **dict.fromkeys(OUTPUTS, (n_probes, n_classes)),
    }
    found = {STROKES: probes.strokes.shape, **{name: array.shape for name, array in probes.outputs.items()}}
    if not all(np.isfinite(array).all() for array in (probes.strokes, *probes.outputs.values())):
        raise ModelFileError("expected probes of finite numbers, found NaN or infinity; export it again")
    if found != expected:
        raise ModelFileError(f"expected probes of shapes {expected}, found {found}; export it again")
