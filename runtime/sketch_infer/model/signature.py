"""The inputs and outputs that a model file declares, held to the contract."""

import math
from dataclasses import dataclass

import numpy as np

from sketch_infer.errors import ModelFileError
from sketch_infer.model.codes import BITS_IN_BYTE, CODE, EMBEDDING
from sketch_infer.model.contract.metadata import ModelMetadata
from sketch_infer.model.contract.tensors import BATCH, COUNTS, N_POINTS, OUTPUTS, POINTS, STATES, STEPS, STROKES
from sketch_infer.strokes.preprocess import INPUT_SIZE
from sketch_infer.untrusted import printable

Declared = tuple[str, list[int | str | None]]
"""Type and shape of an input or output, as ONNX Runtime says them: "tensor(float)", ["batch", 196, 3]."""

_MAX_STATES = 2**20
"""Values of a row's initial state: what a file may ask memory for."""


@dataclass(frozen=True)
class Signature:
    """What a graph declares: each input's and output's type and shape by name; and whether it has branches or loops."""

    inputs: dict[str, Declared]
    outputs: dict[str, Declared]
    has_control_flow: bool


def check_signature(found: Signature, metadata: ModelMetadata) -> None:
    """Check what a model declares against the contract.

    Raises:
        ModelFileError: if a name, type or axis is not as the contract's constants say, or the probes do not fit them.
    """
    inputs, outputs = found.inputs, found.outputs
    expected = _inputs(metadata)
    optional = [] if metadata.input_form == POINTS else list(STATES)
    if list(inputs) not in ([*expected], [*expected, *optional]):
        names = printable(", ".join(inputs))
        wanted = ", ".join(expected) + (f" (and optionally {', '.join(optional)})" if optional else "")
        raise ModelFileError(f"expected input {wanted}, found {names}")
    expected_outputs = _outputs(metadata)
    if list(outputs) != list(expected_outputs):
        raise ModelFileError(f"expected outputs {', '.join(expected_outputs)}, found {printable(', '.join(outputs))}")
    expected |= expected_outputs
    declared = {**inputs, **outputs}
    for name, (type_, shape) in expected.items():
        if declared[name] != (type_, shape):
            found_type, found_shape = declared[name]
            raise ModelFileError(f"expected {name} as {type_} {shape}, found {found_type} {found_shape}")
    for name in inputs.keys() & set(STATES):
        found_type, found_shape = inputs[name]
        sizes = [size for size in found_shape if isinstance(size, int) and size > 0]
        fits = len(found_shape) == 3 and found_shape[1] == BATCH and len(sizes) == 2 and math.prod(sizes) <= _MAX_STATES
        if found_type != "tensor(float)" or not fits:
            raise ModelFileError(
                f"expected {name} as tensor(float) [layers * 2, batch, hidden], found {found_type} {found_shape}"
            )
    _check_probes(metadata)


def _inputs(metadata: ModelMetadata) -> dict[str, Declared]:
    if metadata.input_form == POINTS:
        return {POINTS: ("tensor(float)", [N_POINTS, INPUT_SIZE]), COUNTS: ("tensor(int64)", [BATCH])}
    return {STROKES: _strokes(metadata)}


def _outputs(metadata: ModelMetadata) -> dict[str, Declared]:
    outputs: dict[str, Declared] = {name: ("tensor(float)", [BATCH, len(metadata.labels)]) for name in OUTPUTS}
    if metadata.code_bits:
        outputs[EMBEDDING] = ("tensor(float)", [BATCH, metadata.code_bits])
        outputs[CODE] = ("tensor(uint8)", [BATCH, metadata.code_bits // BITS_IN_BYTE])
    if metadata.input_form == POINTS:
        outputs |= {STROKES: _strokes(metadata), STEPS: ("tensor(int64)", [BATCH])}
    return outputs


def _strokes(metadata: ModelMetadata) -> Declared:
    return "tensor(float)", [BATCH, metadata.sequence_length, INPUT_SIZE]


def _check_probes(metadata: ModelMetadata) -> None:
    """Check that the probes are inputs and outputs of this very signature."""
    probes, n_probes, n_classes = metadata.probes, len(metadata.probes.names), len(metadata.labels)
    length: int | str = "n" if metadata.input_form == POINTS else metadata.sequence_length
    expected = {metadata.input_form: (n_probes, length, INPUT_SIZE), **dict.fromkeys(OUTPUTS, (n_probes, n_classes))}
    if metadata.code_bits:
        expected[EMBEDDING] = (n_probes, metadata.code_bits)
    found: dict[str, tuple[int | str, ...]] = {}
    if isinstance(probes.sketches, np.ndarray):
        found[STROKES] = probes.sketches.shape
    else:
        found[POINTS] = (len(probes.sketches), "n", *probes.sketches[0].shape[1:])
    found |= {name: array.shape for name, array in probes.outputs.items()}
    if not all(np.isfinite(array).all() for array in (*probes.sketches, *probes.outputs.values())):
        raise ModelFileError("expected probes of finite numbers, found NaN or infinity; export it again")
    if found != expected:
        raise ModelFileError(f"expected probes of shapes {expected}, found {found}; export it again")
