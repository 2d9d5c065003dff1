"""The user's own answers: does this project's network compute what the user's own code does with the same weights?

A state dict holds weights and says nothing of what is done with them. A class with an activation between its
convolutions loads as well as one without, and every proof would be of the wrong network.
"""

import copy
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from torch import Tensor, nn

from sketch_export.checks.explain import explain_difference
from sketch_export.weights import check_weights
from sketch_infer.array_types import Array, FloatArray
from sketch_infer.checks.report import Check
from sketch_infer.errors import InputError, ParityError, reading_errors
from sketch_infer.model.contract.tensors import OUTPUTS, STROKES
from sketch_models import SketchHash, SketchRNN, check_tensors, config_from_state_dict, find_tensors, run_eager

TOLERANCE = 1e-3
"""Of the row's scale, max(1, largest |logit|): what other arithmetic, TF32 on a GPU for example, may change. Another
network is off by a hundred times as much."""

_LARGEST = 1e30
"""Beyond it float32 has no room for sums and products; no network's answers come near it."""


@dataclass(frozen=True)
class Expected:
    """What the user's own network answers.

    Attributes:
        source: where the answers come from, as messages call it.
        strokes: float32 (N, sequence_length, 3).
        outputs: log_probs or logits or both, each float32 (N, classes).
    """

    source: str
    strokes: FloatArray
    outputs: Mapping[str, FloatArray]

    @classmethod
    def read(cls, path: Path, model: SketchRNN) -> "Expected":
        """Read an `.npz` file with `strokes` and `logits` or `log_probs`.

        Raises:
            InputError: if it cannot be read, lacks one of these, or they do not fit the network.
        """
        if path.suffix != ".npz":
            raise InputError(f"{path}: expected an .npz file of arrays, found {path.suffix or 'no'} suffix")
        try:
            with reading_errors(path):
                arrays = _read_arrays(path)
        except InputError:
            raise
        # What a file of another kind or a damaged one raises; an unknown compression and a password are RuntimeErrors.
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, LookupError) as error:
            raise InputError(f"{path}: expected an .npz file of arrays, found another kind ({error})") from error
        outputs = {name: arrays[name] for name in OUTPUTS if name in arrays}
        if STROKES not in arrays or not outputs:
            found = ", ".join(arrays) or "neither"
            raise InputError(f"{path}: expected the arrays strokes and logits or log_probs, found {found}")
        return cls.of(str(path), arrays[STROKES], outputs, model)

    @classmethod
    def of(cls, source: str, strokes: FloatArray, outputs: Mapping[str, FloatArray], model: SketchRNN) -> "Expected":
        """Take answers that are there already.

        Raises:
            InputError: if shapes or dtypes do not fit the network, or a value is not finite or too large.
        """
        sizes = model.config
        row = (sizes.sequence_length, sizes.input_size)
        if strokes.ndim != 3 or not len(strokes) or strokes.shape[1:] != row:
            raise InputError(f"{source}: expected strokes of shape (N, {row[0]}, {row[1]}), found {strokes.shape}")
        for name, values in outputs.items():
            if values.shape != (len(strokes), sizes.output_size):
                expected = f"{len(strokes)} rows of {sizes.output_size} classes"
                raise InputError(f"{source}: expected {name} of {expected}, found {values.shape}")
        taken = {name: _to_float32(source, name, values) for name, values in {STROKES: strokes, **outputs}.items()}
        return cls(source, taken.pop(STROKES), taken)


def _read_arrays(path: Path) -> dict[str, Array]:
    """Return those arrays of an .npz file that count.

    Raises:
        InputError: if the file is a single array, or what should be an array is none.
    """
    loaded = np.load(path)
    if not isinstance(loaded, NpzFile):
        raise InputError(f"{path}: expected an .npz file of arrays, found a single array; write it with numpy.savez")
    with loaded as file:
        arrays = {name: file[name] for name in (STROKES, *OUTPUTS) if name in file.files}
    for name, values in arrays.items():
        if not isinstance(values, np.ndarray):  # NumPy gives the bytes of a member of another kind
            raise InputError(f"{path}: expected {name} as an array, found other bytes; write it with numpy.savez")
    return arrays


def _to_float32(source: str, name: str, values: Array) -> FloatArray:
    """Convert an array of finite floats.

    Raises:
        InputError: if it holds anything else.
    """
    if values.dtype.kind != "f":
        raise InputError(f"{source}: expected {name} as finite floats, found {values.dtype}")
    if not np.isfinite(values).all():
        raise InputError(f"{source}: expected {name} as finite floats, found NaN or infinity")
    if (largest := float(np.abs(values).max())) > _LARGEST:
        raise InputError(f"{source}: expected {name} of at most {_LARGEST:g}, found {largest:.3g}")
    return values.astype(np.float32)


def check_expected(model: SketchRNN, expected: Expected) -> Check:
    """Compare this project's network with the user's own answers.

    Args:
        model: the network as this project computes it.
        expected: the answers.

    Returns:
        a passed check that says how near they are.

    Raises:
        ParityError: if they differ, with what the difference looks like.
    """
    found = run_eager(model, expected.strokes)
    scale = np.maximum(1.0, np.abs(found["logits"]).max(axis=1, keepdims=True))
    worst = {name: float((np.abs(found[name] - values) / scale).max()) for name, values in expected.outputs.items()}
    name, largest = max(worst.items(), key=lambda item: item[1])
    if largest <= TOLERANCE:
        rows = f"{len(expected.strokes)} sketches of {expected.source} within {largest:.1e} of the row's scale"
        return Check("your own answers", True, f"{rows} (tolerance {TOLERANCE:g})")
    hint = explain_difference(model, expected.strokes, name, expected.outputs[name])
    raise ParityError(
        f"{expected.source}: its {name} differ from SketchRNN's with these weights by up to {largest:.2g} of the row's "
        f"scale (tolerance {TOLERANCE:g}); {hint}"
    )


def as_sketch_rnn(module: nn.Module, strokes: Callable[[int], FloatArray]) -> SketchRNN:
    """Take the weights of a user's own module into a SketchRNN, and prove that both answer the same.

    Args:
        module: any module with SketchRNN's attribute names, returning (log_probs, logits), logits or log_probs; it is
            run in eval mode, and left as it was.
        strokes: makes what both are run on, float32 (N, sequence_length, 3), for a sequence length.

    Returns:
        the module itself, if it is a SketchRNN, else a SketchRNN with its weights.

    Raises:
        InputError: if it has not the tensors of a SketchRNN, one of them is not finite, or it does not run.
        ParityError: if it answers otherwise than SketchRNN does with its weights.
    """
    title = type(module).__name__
    if isinstance(module, SketchRNN) and type(module) in (SketchRNN, SketchHash):
        check_weights(title, module.state_dict())
        return module
    try:
        state = find_tensors(module.state_dict()).tensors
        config = config_from_state_dict(state)
        check_tensors(state, config)
    except ValueError as error:
        raise InputError(f"{title}: not a SketchRNN: {error}") from error
    check_weights(title, state)
    with torch.device("meta"):  # initial weights would be drawn from torch's random numbers, which are the caller's
        model = SketchRNN.from_config(config)
    model.to_empty(device="cpu").load_state_dict(state)
    sketches = strokes(config.sequence_length)
    own = copy.deepcopy(module).to(device="cpu", dtype=torch.float32).eval()
    try:
        with torch.inference_mode():
            found = own(torch.from_numpy(sketches))
    except Exception as error:  # a user's own code
        raise InputError(
            f"{title}: does not run on strokes {sketches.shape}: {' '.join(str(error).split())}"
        ) from error
    check_expected(model, Expected.of(title, sketches, _name_outputs(title, found), model))
    return model.eval()


def _name_outputs(title: str, found: object) -> dict[str, FloatArray]:
    """Return log_probs and logits, or the one of them that there is: rows of log_probs sum to 1 as probabilities."""
    tensors = [found] if isinstance(found, Tensor) else list(found) if isinstance(found, tuple | list) else []
    arrays = [tensor.numpy() for tensor in tensors if isinstance(tensor, Tensor)]
    if len(arrays) != len(tensors) or len(arrays) not in (1, 2):
        raise InputError(f"{title}: expected it to return logits, log_probs or both, found {type(found).__name__}")
    if len(arrays) == 2:
        return dict(zip(OUTPUTS, arrays, strict=True))
    total = np.exp(arrays[0].astype(np.float64)).sum(axis=-1)
    return {"log_probs" if np.allclose(total, 1, atol=1e-4) else "logits": arrays[0]}
