"""How often a network is right, on drawings."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from sketch_infer.array_types import Array
from sketch_infer.checks.evaluation import Evaluation, evaluate
from sketch_infer.strokes.preprocess import drawing_to_sketch, to_batch
from sketch_models.sketch_rnn import SketchRNN
from sketch_models.training.data.dataset import Drawings

_CHUNK = 64


def measure_accuracy(model: SketchRNN, drawings: Drawings, workers: int = 1) -> Evaluation:
    """Classify drawings by the network itself, over all its steps and in float32.

    Args:
        model: the network, in eval mode; its outputs are the drawings' classes.
        drawings: at least one.
        workers: threads.
    """
    log_probs = classify(model, [drawings.strokes(row) for row in range(len(drawings))], workers)
    return evaluate(log_probs, drawings.labels, drawings.classes)


def classify(model: SketchRNN, strokes: Sequence[object], workers: int = 1) -> Array:
    """Return log_probs, float32 (N, classes), of drawings in Quick, Draw! form."""

    def classify_chunk(start: int) -> Array:
        sketches = [drawing_to_sketch(drawing) for drawing in strokes[start : start + _CHUNK]]
        batch, _ = to_batch(sketches, model.config.sequence_length)
        with torch.inference_mode():
            log_probs: Array = model(torch.from_numpy(batch))[0].numpy()
        return log_probs

    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(classify_chunk, range(0, len(strokes), _CHUNK))))
