"""The SketchRNN network and its checkpoints."""

from sketch_models.checkpoint import Checkpoint, config_from_state_dict, load_checkpoint, save_checkpoint
from sketch_models.eager import run_eager
from sketch_models.sketch_rnn import CONVOLUTIONS, LSTMState, SketchRNN, SketchRNNConfig

__all__ = [
    "CONVOLUTIONS",
    "Checkpoint",
    "LSTMState",
    "SketchRNN",
    "SketchRNNConfig",
    "config_from_state_dict",
    "load_checkpoint",
    "run_eager",
    "save_checkpoint",
]
