"""Eager PyTorch's answer, with which everything else is compared."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sketch_infer.model.codes import CODES
from sketch_infer.model.contract.tensors import OUTPUTS, STATES
from sketch_models.sketch_hash import SketchHash
from sketch_models.sketch_rnn import SketchRNN

_CHUNK_ROWS = 64
"""Rows per forward pass, to bound memory; rows are independent."""


def run_eager(
    model: SketchRNN,
    strokes: npt.NDArray[np.float32],
    state: Mapping[str, npt.NDArray[np.float32]] | None = None,
    dtype: torch.dtype = torch.float32,
) -> dict[str, npt.NDArray[Any]]:
    """Run the network in eval mode and without gradients.

    Args:
        model: the network; it is neither moved nor changed.
        strokes: float32 (N, sequence_length, 3).
        state: initial h_0 and c_0, each float32 (n_layers * 2, N, hidden_size); None for zeros.
        dtype: torch.float64 gives the reference against which float32 runs are measured.

    Returns:
        log_probs and logits by name, each (N, classes) of `dtype`; of a SketchHash also embedding, (N, code_bits) of
        `dtype`, and code, uint8 (N, code_bits / 8).

    Raises:
        ValueError: if a shape does not match the network.
    """
    network = copy.deepcopy(model).to(device="cpu", dtype=dtype).eval()
    chunks = []
    with torch.inference_mode():
        for start in range(0, max(len(strokes), 1), _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            hidden = None
            if state is not None:
                h_0, c_0 = (torch.from_numpy(state[name][:, rows].copy()).to(dtype) for name in STATES)
                hidden = (h_0, c_0)
            answers = network(torch.from_numpy(np.array(strokes[rows])).to(dtype), hidden)
            chunks.append(answers + network.encode(answers[0]) if isinstance(network, SketchHash) else answers)
    names = (*OUTPUTS, *CODES)[: len(chunks[0])]
    return {name: torch.cat([chunk[i] for chunk in chunks]).numpy() for i, name in enumerate(names)}
