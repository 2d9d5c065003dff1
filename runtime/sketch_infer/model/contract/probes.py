"""Sketches in the model file with eager PyTorch's answers, with which a device can check itself."""

import base64
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray
from sketch_infer.model.codes import CODE, EMBEDDING, pack_code
from sketch_infer.model.contract.tensors import COUNTS, OUTPUTS, POINTS, STROKES, Feeds, points_feeds
from sketch_infer.strokes.pen_points import Sketches

if TYPE_CHECKING:
    from typing import Self  # Python 3.11

_LARGEST_ARRAY = 2**24
"""Bytes of a probe array that a file may ask for, of which a kilobyte may unpack to a million: not the whole memory."""


@dataclass(frozen=True)
class Probes:
    """Sketches with eager PyTorch's own answers, with which a device without PyTorch can check itself.

    Attributes:
        names: what each of the P sketches shows.
        sketches: as the model reads them, P strokes or a tuple of pen points.
        outputs: by output name, float32 (P, classes); of a model with codes also its embedding, (P, code_bits).
    """

    names: tuple[str, ...]
    sketches: Sketches
    outputs: Mapping[str, FloatArray]

    def answers(self) -> dict[str, npt.NDArray[Any]]:
        """Return what a model has to answer, by output name: the outputs, and the code that follows from them."""
        code = {CODE: pack_code(self.outputs[EMBEDDING])} if EMBEDDING in self.outputs else {}
        return {**self.outputs, **code}

    def feeds(self) -> Feeds:
        """Return the sketches as one batch."""
        if isinstance(self.sketches, np.ndarray):
            return {STROKES: self.sketches}
        return points_feeds(self.sketches)

    def to_json(self) -> str:
        """Return names and arrays as JSON text, the arrays as base64 of zlib of little-endian float32."""
        values: dict[str, Any] = {"names": self.names}
        for name, array in self.feeds().items():
            values[name] = array.tolist() if name == COUNTS else _encode(array)
        values |= {name: _encode(array) for name, array in self.outputs.items()}
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Self":
        """Read what `to_json` wrote; raises KeyError, TypeError, ValueError or zlib.error for anything else."""
        values = json.loads(text)
        outputs = {name: _decode(values[name]) for name in (*OUTPUTS, EMBEDDING) if name in values or name in OUTPUTS}
        names = tuple(values["names"])
        if POINTS not in values:
            return cls(names, _decode(values[STROKES]), outputs)
        points, counts = _decode(values[POINTS]), [int(count) for count in values[COUNTS]]
        if min(counts, default=0) < 0 or sum(counts) != len(points):
            raise ValueError(f"probes of {len(points)} points, counted as {counts}")
        return cls(names, tuple(np.split(points, np.cumsum(counts)[:-1])), outputs)


def _encode(array: FloatArray) -> dict[str, Any]:
    return {
        "shape": array.shape,
        "base64": base64.b64encode(zlib.compress(array.astype("<f4").tobytes(), 9)).decode("ascii"),
    }


def _decode(value: Any) -> FloatArray:
    shape = [int(size) for size in value["shape"]]
    n_bytes = 4 * math.prod(shape)
    if not 0 <= n_bytes <= _LARGEST_ARRAY:
        raise ValueError(f"an array of shape {shape}")
    # One byte more than expected shows what is too long, and nothing longer is unpacked.
    content = zlib.decompressobj().decompress(base64.b64decode(value["base64"], validate=True), n_bytes + 1)
    return np.frombuffer(content, "<f4").reshape(shape).astype(np.float32)
