"""Which drawings an epoch reads, and in which batches."""

import numpy as np

from sketch_infer.array_types import Array
from sketch_models.training.data.dataset import Drawings

_BUCKET = 24  # batches that are filled from one group of drawings sorted by length


def epoch_batches(
    drawings: Drawings, n_targets: int, further_share: float, balance: float, batch_size: int, rng: np.random.Generator
) -> list[Array]:
    """Choose and order an epoch's drawings; a batch's drawings are of about one length.

    Args:
        drawings: of all classes, the targets' labels first.
        n_targets: how many of the classes are targets.
        further_share: part of the other classes' drawings to read, chosen anew at each call.
        balance: 0 reads every drawing of the targets once, 1 every target equally often, as many in all.
        batch_size: of all batches but the last of each group.
        rng: of the choice and the order.

    Returns:
        each batch's rows, int64.
    """
    labels = drawings.labels
    further = np.flatnonzero(labels >= n_targets)
    chosen = [rng.choice(further, round(further_share * len(further)), replace=False)]
    counts = np.bincount(labels[labels < n_targets], minlength=n_targets)
    shares = np.where(counts, np.maximum(counts, 1.0) ** (1 - balance), 0)
    for label, wanted in enumerate(np.rint(shares / shares.sum() * counts.sum()).astype(int)):
        own = np.flatnonzero(labels == label)
        rounds = [rng.permutation(own) for _ in range(-(-wanted // max(len(own), 1)))]
        chosen.append(np.concatenate([own[:0], *rounds])[:wanted])
    rows = rng.permutation(np.concatenate(chosen))
    batches = []
    for group in np.split(rows, range(batch_size * _BUCKET, len(rows), batch_size * _BUCKET)):
        group = group[np.argsort(drawings.lengths[group], kind="stable")]
        batches += np.split(group, range(batch_size, len(group), batch_size))
    return [batches[index] for index in rng.permutation(len(batches))]
