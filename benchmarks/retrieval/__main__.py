"""Retrieval by a checkpoint's codes, and by what else there is to compare drawings by.

`python -m benchmarks.retrieval CHECKPOINT PREPARED CLASSES` writes benchmarks/results/retrieval.json. PREPARED is the
folder that models/prepare_quickdraw.py makes; CLASSES names the 40 classes. Drawings of `test` look for their class
among drawings of `train`, which the network has been trained on, as in an archive that it was made for.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
import torch

from benchmarks.retrieval.few_shot import few_shot
from sketch_export.weights import weights_sha256
from sketch_infer.array_types import Array, FloatArray
from sketch_infer.model.codes import pack_code
from sketch_infer.model.labels import read_labels
from sketch_infer.tables import format_table
from sketch_models import HashLayer, SketchHash, load_checkpoint
from sketch_models.training.data.dataset import Drawings, read_drawings
from sketch_models.training.hashing.hash_layer import HashRecipe, classify_fast, train_hash_layer
from sketch_models.training.hashing.retrieval import retrieve, signs
from sketch_models.training.network.smooth_head import require_smooth_head

_PATH = click.Path(path_type=Path)
_RESULTS = Path(__file__).parents[1] / "results" / "retrieval.json"
_PER_KNOWN, _PER_CLASS, _PER_ALL, _QUERIES = 300, 100, 30, 5
"""Drawings for train of each of the 40 classes and of each other class; drawings and queries of each where all are
searched."""

Vectors = Callable[[FloatArray], FloatArray]
"""Makes of log_probs, float32 (N, classes), what drawings are compared by, float32 (N, D)."""


@click.command()
@click.argument("checkpoint", type=_PATH)
@click.argument("prepared", type=_PATH)
@click.argument("classes", type=_PATH)
@click.option("--output", type=_PATH, default=_RESULTS)
def main(checkpoint: Path, prepared: Path, classes: Path, output: Path) -> None:
    """Measure retrieval, and write it as JSON."""
    torch.set_num_threads(1)
    loaded = load_checkpoint(checkpoint)
    require_smooth_head(loaded.model, str(checkpoint))
    model, names = loaded.model, loaded.labels or ()
    if not isinstance(model, SketchHash):
        raise click.UsageError(f"{checkpoint}: expected a checkpoint with codes; sketch-train --codes makes one")
    forty = np.array([names.index(name) for name in read_labels(classes)])
    train, _ = read_drawings(prepared / "train", names, only_recognized=True)
    test, _ = read_drawings(prepared / "test", names)
    rng = np.random.default_rng(0)
    train = _some(train, [_PER_KNOWN if label in forty else _PER_CLASS for label in range(len(names))], rng)
    order = rng.permutation(len(train))
    gallery, labels = classify_fast(model, train)[order], train.labels[order]
    queries = classify_fast(model, test)
    known, known_test = np.isin(labels, forty), np.isin(test.labels, forty)
    few = _first_of_each(test.labels, _QUERIES)
    few_gallery = _first_of_each(labels, _PER_ALL)

    def measure(vectors: Vectors) -> dict[str, float]:
        made, made_test = vectors(gallery), vectors(queries)
        of_40 = retrieve(made_test[known_test], test.labels[known_test], made[known], labels[known])
        of_all = retrieve(made_test[few], test.labels[few], made[few_gallery], labels[few_gallery])
        return {
            "map_40": of_40.mean_average_precision,
            "precision_at_100_40": of_40.precision,
            "map_all": of_all.mean_average_precision,
            "precision_at_100_all": of_all.precision,
        }

    found: dict[str, dict[str, float]] = {}

    def show(name: str, vectors: Vectors) -> None:
        found[name] = measure(vectors)
        click.echo(f"{name}: {', '.join(f'{key} {value:.3f}' for key, value in found[name].items())}", err=True)

    def train_on(rows: Array, recipe: HashRecipe) -> HashLayer:
        return train_hash_layer(gallery[rows], labels[rows], recipe)

    everything = np.ones(len(labels), bool)
    show(f"codes of the checkpoint, {model.hash_layer.code_bits} bits", lambda x: _codes(model.hash_layer, x))
    show("embedding of the checkpoint", lambda x: _embedding(model.hash_layer, x))
    show("probabilities (Bhattacharyya)", lambda x: np.exp(x / 2))
    mean = gallery.mean(axis=0)
    show("centered logits (cosine)", lambda x: _unit(x - mean))
    axes = np.linalg.svd((gallery - mean).T @ (gallery - mean))[0]
    show("64 bits of logits (PCA, rotation)", _rotated(gallery - mean, mean, axes[:, :64]))
    roots = np.exp(gallery / 2)
    root_axes = np.linalg.svd((roots - roots.mean(axis=0)).T @ (roots - roots.mean(axis=0)))[0]
    by_roots = _rotated(roots - roots.mean(axis=0), roots.mean(axis=0), root_axes[:, :64])
    show("64 bits of roots of probabilities (PCA, rotation)", lambda x: by_roots(np.exp(x / 2)))
    base = HashRecipe()
    for bits in (32, 64, 128):
        layer = train_on(everything, replace(base, code_bits=bits))
        show(f"{bits} bits", lambda x, layer=layer: _codes(layer, x))  # type: ignore[misc]  # a default binds it
    for part, recipe in {
        "quantization": replace(base, quantization=0.0),
        "centers": replace(base, centers=0.0),
        "centers of all drawings, not of the middle 90%": replace(base, kept=1.0),
        "balance": replace(base, balance=0.0),
    }.items():
        layer = train_on(everything, recipe)
        show(f"64 bits without {part}", lambda x, layer=layer: _codes(layer, x))  # type: ignore[misc]  # as above
    unseen = few_shot(
        gallery, labels, queries, test.labels, forty, lambda log_probs, own: train_hash_layer(log_probs, own, base)
    )
    click.echo(json.dumps(unseen), err=True)
    values = {
        "weights_sha256": weights_sha256(model),
        "gallery": {"40": int(known.sum()), "all": len(few_gallery)},
        "queries": {"40": int(known_test.sum()), "all": len(few)},
        "recipe": asdict(base),
        "found": found,
        "unseen": unseen,
    }
    output.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    click.echo(
        format_table(
            ["compared by", *next(iter(found.values()))],
            [[name, *(f"{v:.3f}" for v in row.values())] for name, row in found.items()],
        )
    )


def _some(drawings: Drawings, counts: list[int], rng: np.random.Generator) -> Drawings:
    chosen = np.zeros(len(drawings), bool)
    for label, count in enumerate(counts):
        chosen[rng.permutation(np.flatnonzero(drawings.labels == label))[:count]] = True
    return drawings.where(chosen)


def _first_of_each(labels: Array, count: int) -> Array:
    """Return the positions of the first drawings of each class, in their order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]))


def _values(layer: HashLayer, log_probs: FloatArray) -> FloatArray:
    with torch.inference_mode():
        values: FloatArray = layer(torch.from_numpy(log_probs)).numpy()
    return values


def _codes(layer: HashLayer, log_probs: FloatArray) -> FloatArray:
    return signs(pack_code(_values(layer, log_probs)))


def _embedding(layer: HashLayer, log_probs: FloatArray) -> FloatArray:
    return _unit(_values(layer, log_probs))


def _unit(vectors: FloatArray) -> FloatArray:
    unit: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _rotated(centered: FloatArray, mean: FloatArray, axes: FloatArray) -> Vectors:
    """Signs along principal axes, rotated to lose least (Gong and Lazebnik, "Iterative Quantization", CVPR 2011)."""
    projected = centered[::4] @ axes
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((axes.shape[1], axes.shape[1])))[0]
    for _ in range(30):
        left, _, right = np.linalg.svd(np.sign(projected @ rotation).T @ projected)
        rotation = (left @ right).T
    turned = (axes @ rotation).astype(np.float32)
    return lambda x: np.where((x - mean) @ turned > 0, np.float32(1), np.float32(-1))


if __name__ == "__main__":
    main()
