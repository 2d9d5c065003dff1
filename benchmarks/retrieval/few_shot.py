"""Classes that a hash layer was not trained on: retrieval, and classes learned from five drawings."""

from collections.abc import Callable

import numpy as np
import torch

from sketch_infer.array_types import Array, FloatArray
from sketch_infer.model.codes import pack_code
from sketch_models import HashLayer
from sketch_models.training.hashing.retrieval import retrieve, signs

_SHOTS, _WAYS, _ROUNDS, _RECALL = 5, 20, 50, 0.95


def few_shot(
    gallery: FloatArray,
    labels: Array,
    queries: FloatArray,
    query_labels: Array,
    unseen: Array,
    train: Callable[[FloatArray, Array], HashLayer],
) -> dict[str, float]:
    """Train a hash layer without some classes and judge it by them.

    The layer reads probabilities among the other classes only. The network's own layers have seen the classes: for a
    network that never did, these figures are a bound from above.

    Args:
        gallery, queries: log_probs, float32 (N, classes).
        labels, query_labels: the drawings' classes, int (N,).
        unseen: the classes that are left out; half of them are taught, the others must not be accepted.
        train: makes a hash layer of log_probs and labels.

    Returns:
        map_code and map_embedding of the unseen classes; accuracy of 5 examples of 20 of them, the nearest mean of
        embeddings taken, over 50 random choices; and false_accepts, the share of drawings of the other classes that
        are as near to a mean as 95% of those of the taught ones.
    """
    others = np.setdiff1d(np.arange(gallery.shape[1]), unseen)
    given, asked = _among(gallery, others), _among(queries, others)
    seen = np.isin(labels, others)
    layer = train(given[seen], np.searchsorted(others, labels[seen]))
    own, own_test = np.isin(labels, unseen), np.isin(query_labels, unseen)
    made, made_test = _values(layer, given[own]), _values(layer, asked[own_test])
    own_labels, test_labels = labels[own], query_labels[own_test]
    unit, unit_test = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (made, made_test))
    by_code = retrieve(signs(pack_code(made_test)), test_labels, signs(pack_code(made)), own_labels)
    by_embedding = retrieve(unit_test, test_labels, unit, own_labels)
    right, accepted = [], []
    rng = np.random.default_rng(0)
    for _ in range(_ROUNDS):
        taught = rng.permutation(unseen)[:_WAYS]
        examples = [rng.permutation(np.flatnonzero(own_labels == label))[:_SHOTS] for label in taught]
        means = np.stack([unit[rows].mean(axis=0) for rows in examples])
        nearness = unit_test @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
        is_taught = np.isin(test_labels, taught)
        right.append((taught[nearness[is_taught].argmax(axis=1)] == test_labels[is_taught]).mean())
        nearest = nearness.max(axis=1)
        accepted.append((nearest[~is_taught] >= np.quantile(nearest[is_taught], 1 - _RECALL)).mean())
    return {
        "map_code": by_code.mean_average_precision,
        "map_embedding": by_embedding.mean_average_precision,
        "five_shot_accuracy": float(np.mean(right)),
        "false_accepts_at_95_recall": float(np.mean(accepted)),
    }


def _among(log_probs: FloatArray, classes: Array) -> FloatArray:
    """Return log_probs among some of the classes."""
    chosen: FloatArray = torch.log_softmax(torch.from_numpy(log_probs[:, classes]), dim=1).numpy()
    return chosen


def _values(layer: HashLayer, log_probs: FloatArray) -> FloatArray:
    with torch.inference_mode():
        values: FloatArray = layer(torch.from_numpy(log_probs)).numpy()
    return values
