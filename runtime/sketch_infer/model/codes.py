"""Codes: what a model with a hash layer says of a sketch beside its class, so that sketches can be compared.

Its graph has two more outputs. `embedding`, float32 (batch, code_bits), has rows of length 1, whose products are their
cosine similarities. `code`, uint8 (batch, code_bits / 8), packs the signs: similar sketches differ in few bits.
"""

import numpy as np
import numpy.typing as npt

from sketch_infer.array_types import FloatArray

EMBEDDING, CODE = CODES = ("embedding", "code")
"""Outputs of a model with codes, after those that every model has."""

BITS_IN_BYTE = 8

MAX_CODE_BITS = 1024
"""What a file may ask memory for; the longest that are trained have 128 bits."""

Code = npt.NDArray[np.uint8]


def pack_code(embedding: FloatArray) -> Code:
    """Return the code of embeddings, uint8 (N, code_bits / 8): a set bit where a value is above 0, the first on top."""
    return np.packbits(embedding > 0, axis=1)


def check_code_bits(value: object) -> int | None:
    """Return a model's number of code bits, None for a model without codes.

    Raises:
        ValueError: if it is neither.
    """
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= MAX_CODE_BITS or value % BITS_IN_BYTE:
        raise ValueError(f"code_bits {value!r:.60}")
    return value
