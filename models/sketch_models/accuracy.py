"""How often a network is right, on drawings."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from sketch_infer.strokes import drawing_to_sketch, to_batch

from .drawings import Array, Drawings
from .sketch_rnn import SketchRNN

_CHUNK = 64


@dataclass(frozen=True)
class Accuracy:
    """Shares of drawings, each class counting by its drawings.

    Attributes:
        top1: the best answer is right.
        top5: the right class is among the five best.
        loss: mean negative log-likelihood.
        per_class: top1 of each class, by name; classes without drawings are left out.
    """

    top1: float
    top5: float
    loss: float
    per_class: dict[str, float]


def measure_accuracy(model: SketchRNN, drawings: Drawings, workers: int = 1) -> Accuracy:
    """Classify drawings by the network itself, over all its steps and in float32.

    Args:
        model: the network, in eval mode; its outputs are the drawings' classes.
        drawings: at least one.
        workers: threads.
    """
    log_probs = classify(model, [drawings.strokes(row) for row in range(len(drawings))], workers)
    labels = drawings.labels
    ranked = np.argsort(-log_probs, axis=1, kind="stable")[:, :5]
    right = ranked[:, 0] == labels
    per_class = {
        name: float(right[labels == label].mean())
        for label, name in enumerate(drawings.classes)
        if (labels == label).any()
    }
    return Accuracy(
        top1=float(right.mean()),
        top5=float((ranked == labels[:, None]).any(axis=1).mean()),
        loss=float(-log_probs[np.arange(len(labels)), labels].mean()),
        per_class=per_class,
    )


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
