"""What a model file says of itself, as text by key in its `metadata_props`."""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from sketch_infer.errors import ModelFileError
from sketch_infer.model.codes import check_code_bits
from sketch_infer.model.contract.probes import Probes
from sketch_infer.model.contract.tensors import POINTS, STROKES
from sketch_infer.model.labels import check_labels
from sketch_infer.strokes.preprocess import PREPROCESSING
from sketch_infer.strokes.simplify import POINTS_CONVENTION
from sketch_infer.untrusted import printable

if TYPE_CHECKING:
    from typing import Self  # Python 3.11

FORMAT_VERSION = 1

Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

InputForm = Literal["strokes", "points"]
INPUT_FORMS: tuple[str, ...] = get_args(InputForm)

PREPROCESSINGS = {STROKES: PREPROCESSING, POINTS: POINTS_CONVENTION}
"""What the input is, in words, by form."""

_PREFIX = "sketch_infer."

_MAX_SEQUENCE_LENGTH = 2**16
"""Points per sketch: what a file may ask memory for."""


@dataclass(frozen=True)
class ModelMetadata:
    """The metadata of a model file, from its `metadata_props`.

    Attributes:
        labels: class names in the order of the outputs.
        sequence_length: points per sketch that the network reads.
        preprocessing: the convention of the input, one of `PREPROCESSINGS`.
        input_form: what the file reads: "strokes", or "points" that it prepares itself.
        precision: of the LSTMs and the head, "fp32" or "int8".
        random_weights: whether the network was never trained, so that its labels mean nothing.
        weights_sha256: hash of the exported state dict.
        int8_agreement: for int8, how close it is to eager PyTorch on drawings: "drawings" (their number),
            "top1_agreement" (share) and "max_logit_difference"; empty for fp32.
        tolerance: the bounds that the file was proven to meet, by name.
        tool_versions: versions of the packages that made the file.
        probes: sketches with eager PyTorch's outputs.
        reject_below: probability of the most likely class below which a drawing is probably none of the classes; 95%
            of the validation drawings are above. None if unknown.
        code_bits: length of a sketch's code and embedding; None for a model without them.
    """

    labels: tuple[str, ...]
    sequence_length: int
    preprocessing: str
    input_form: InputForm
    precision: Precision
    random_weights: bool
    weights_sha256: str
    int8_agreement: Mapping[str, float]
    tolerance: Mapping[str, float]
    tool_versions: Mapping[str, str]
    probes: Probes
    reject_below: float | None = None
    code_bits: int | None = None

    def to_props(self) -> dict[str, str]:
        """Return the metadata as text by key, every key under one prefix."""
        values = {
            "format_version": str(FORMAT_VERSION),
            "labels": json.dumps(self.labels, ensure_ascii=False),
            "sequence_length": str(self.sequence_length),
            "preprocessing": self.preprocessing,
            "input_form": self.input_form,
            "precision": self.precision,
            "random_weights": json.dumps(self.random_weights),
            "weights_sha256": self.weights_sha256,
            "int8_agreement": json.dumps(self.int8_agreement),
            "tolerance": json.dumps(self.tolerance),
            "tool_versions": json.dumps(self.tool_versions),
            "probes": self.probes.to_json(),
            "reject_below": json.dumps(self.reject_below),
        }
        if self.code_bits:
            values["code_bits"] = str(self.code_bits)
        return {_PREFIX + key: value for key, value in values.items()}

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> "Self":
        """Read what `to_props` wrote.

        Raises:
            ModelFileError: if the metadata is missing, incomplete, of another format version or another preprocessing.
        """
        values = {key.removeprefix(_PREFIX): value for key, value in props.items() if key.startswith(_PREFIX)}
        if not values:
            raise ModelFileError("has no sketch_infer metadata (labels, preprocessing); export it with sketch-export")
        if values.get("format_version") != str(FORMAT_VERSION):
            raise ModelFileError(
                f"expected format version {FORMAT_VERSION}, found {printable(str(values.get('format_version')))}; "
                "use matching versions of sketch-export and sketch-infer"
            )
        # Files from before there were two forms read strokes and do not say so.
        input_form = values.get("input_form", STROKES)
        if values.get("preprocessing") != PREPROCESSINGS.get(input_form):
            found = values.get("preprocessing", "nothing said")
            raise ModelFileError(
                f"expects strokes prepared as {found!r:.60}, which this sketch-infer does not do; export it again"
            )
        try:
            labels = json.loads(values["labels"])
            return cls(
                labels=check_labels(labels, len(labels)),
                sequence_length=_check_length(int(values["sequence_length"])),
                preprocessing=values["preprocessing"],
                input_form=cast(InputForm, input_form),
                precision=_check_precision(values["precision"]),
                random_weights={"true": True, "false": False}[values["random_weights"]],
                weights_sha256=_check_sha256(values["weights_sha256"]),
                int8_agreement=_check_numbers(json.loads(values["int8_agreement"])),
                tolerance=_check_numbers(json.loads(values["tolerance"])),
                tool_versions=_check_texts(json.loads(values["tool_versions"])),
                probes=Probes.from_json(values["probes"]),
                reject_below=_check_probability(json.loads(values.get("reject_below", "null"))),
                code_bits=check_code_bits(json.loads(values.get("code_bits", "null"))),
            )
        except KeyError as error:
            raise ModelFileError(f"its metadata lacks {error}; export it again") from error
        except (TypeError, ValueError, OverflowError, RecursionError, zlib.error) as error:  # InputError among them
            raise ModelFileError(f"its metadata is damaged ({error}); export it again") from error


def _check_precision(text: str) -> Precision:
    if text not in PRECISIONS:
        raise ValueError(f"precision {text!r}")
    return cast(Precision, text)


def _check_probability(value: Any) -> float | None:
    if value is not None and not (isinstance(value, float) and 0 <= value <= 1):
        raise ValueError(f"reject_below {value!r}")
    return value


def _check_length(length: int) -> int:
    if not 1 <= length <= _MAX_SEQUENCE_LENGTH:
        raise ValueError(f"sequence_length {length}")
    return length


def _check_sha256(text: str) -> str:
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise ValueError(f"weights_sha256 {text!r:.60}")
    return text


def _check_numbers(values: Any) -> Mapping[str, float]:
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in _check_names(values).values()):
        raise ValueError(f"expected finite numbers by name, found {values!r:.60}")
    return cast(Mapping[str, float], values)


def _check_texts(values: Any) -> Mapping[str, str]:
    if not all(isinstance(value, str) and value.isprintable() for value in _check_names(values).values()):
        raise ValueError(f"expected texts by name, found {values!r:.60}")
    return cast(Mapping[str, str], values)


def _check_names(values: Any) -> Mapping[str, Any]:
    if not isinstance(values, dict) or not all(name.isprintable() for name in values):
        raise ValueError(f"expected values by name, found {values!r:.60}")
    return values
