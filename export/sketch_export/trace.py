"""PyTorch to ONNX: torch.onnx's torch.export-based exporter, with a batch axis that is really dynamic."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import onnx_ir as ir
import torch
from torch._decomp import decompositions
from torch.export import Dim

from sketch_infer.errors import SketchError
from sketch_infer.model.contract.tensors import BATCH, OUTPUTS, STATES, STROKES
from sketch_models import SketchRNN

OPSETS = range(18, 21)
"""18 is the oldest that the exporter targets; newer than 20 have no CUDA kernels in ONNX Runtime (see `proof`)."""

_EXAMPLE_BATCH = 3
"""A batch of 1 would be baked into the LSTM's shapes without a warning."""

_ONE_AT_A_TIME = Lock()
"""What is changed for an export in torch, logging and warnings is changed for all threads."""


def trace(model: SketchRNN, opset: int = OPSETS[0], initial_state: bool = False) -> ir.Model:
    """Export the network in eval mode, as torch.onnx translates it, without any optimization.

    Args:
        model: the network; it is not changed.
        opset: ONNX operator set, 18 to 20.
        initial_state: add inputs h_0 and c_0 for the LSTM's initial state.

    Returns:
        the graph with input strokes (and h_0, c_0) and outputs log_probs and logits, all with the dynamic axis
        `batch`.

    Raises:
        ValueError: for an opset out of range.
        SketchError: if the exporter fails.
    """
    if opset not in OPSETS:
        raise ValueError(f"expected an opset from {OPSETS[0]} to {OPSETS[-1]}, found {opset}")
    sizes = model.config
    batch = Dim(BATCH)
    args: tuple[object, ...] = (torch.zeros(_EXAMPLE_BATCH, sizes.sequence_length, sizes.input_size),)
    dynamic_shapes: tuple[object, ...] = ({0: batch},)
    if initial_state:
        state_shape = (sizes.n_layers * 2, _EXAMPLE_BATCH, sizes.hidden_size)
        # Two tensors: one that is passed twice would become one input.
        args += ((torch.zeros(state_shape), torch.zeros(state_shape)),)
        dynamic_shapes += (({1: batch}, {1: batch}),)
    network = copy.deepcopy(model).to(device="cpu", dtype=torch.float32).eval().requires_grad_(False)
    with _ONE_AT_A_TIME, _quiet_exporter(), _lstm_in_one_step():
        program = torch.onnx.export(
            network,
            args,
            dynamic_shapes=dynamic_shapes,
            dynamo=True,
            input_names=[STROKES, *(STATES if initial_state else ())],
            output_names=list(OUTPUTS),
            opset_version=opset,
            optimize=False,
            verbose=False,
        )
    if program is None:
        raise SketchError("torch.onnx.export gave no ONNX program")
    return program.model


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hide what the exporter says of itself: its deprecated internals, and packages such as torchvision missing."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _lstm_in_one_step() -> Iterator[None]:
    """Have torch work out an LSTM's shapes from its sizes.

    torch.export turns oneDNN off. Without it, torch's stand-in for an LSTM runs all time steps on tensors without data,
    which takes most of an export. Nothing but shapes is taken from it: the graph has the LSTM as one node either way.
    """
    name = "select_one_layer_lstm_function"
    select, whole = getattr(decompositions, name, None), getattr(decompositions, "mkldnn_one_layer_lstm", None)
    if select is None or whole is None or not torch._C._has_mkldnn:
        yield  # slower, with the same result
        return
    setattr(decompositions, name, lambda *_: whole)
    try:
        yield
    finally:
        setattr(decompositions, name, select)
