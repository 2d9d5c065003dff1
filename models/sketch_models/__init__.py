"""The SketchRNN network and its checkpoints."""

from sketch_models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from sketch_models.eager import run_eager
from sketch_models.sketch_hash import HashLayer, SketchHash
from sketch_models.sketch_rnn import CONVOLUTIONS, LSTMState, SketchRNN, SketchRNNConfig
from sketch_models.state_dict import check_tensors, config_from_state_dict, find_tensors

__all__ = [
    "CONVOLUTIONS",
    "Checkpoint",
    "HashLayer",
    "LSTMState",
    "SketchHash",
    "SketchRNN",
    "SketchRNNConfig",
    "check_tensors",
    "config_from_state_dict",
    "find_tensors",
    "load_checkpoint",
    "run_eager",
    "save_checkpoint",
]
