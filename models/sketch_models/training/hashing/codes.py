"""`sketch-train --codes`: a hash layer for a checkpoint, from drawings to the file."""

from pathlib import Path

import numpy as np
import torch

from sketch_infer.cli.console import note, say
from sketch_models.checkpoint import add_hash_layer, load_checkpoint
from sketch_models.sketch_hash import SketchHash
from sketch_models.training.data.dataset import Drawings
from sketch_models.training.data.files import TrainingData
from sketch_models.training.hashing.hash_layer import HashRecipe, classify_fast, train_hash_layer
from sketch_models.training.hashing.retrieval import retrieve, signs
from sketch_models.training.network.smooth_head import require_smooth_head

CODE_LENGTHS = ("32", "64", "128")

_PER_CLASS = 100
"""Drawings of a class that are read, chosen at random; the layer is small."""

_JUDGED = 5000
"""Drawings that the codes are judged by; half of them look for their classes among the others."""


def train_codes(data: TrainingData, source: Path, output: Path, code_bits: int, seed: int) -> None:
    """Train a hash layer behind a checkpoint's network, write both, and say how well the codes find a class.

    Args:
        data: drawings of the network's classes, in its order.
        source: the checkpoint, a `.safetensors` file.
        output: the file to write.
        code_bits: bits of a code.
        seed: of everything random.

    Raises:
        ModelFileError: if the source cannot be read.
        InputError: if its head is none that sketch-train makes.
        OutputError: if the file cannot be written.
    """
    model = load_checkpoint(source).model
    require_smooth_head(model, str(source))
    torch.set_num_threads(1)
    random, recipe = np.random.default_rng(seed), HashRecipe(code_bits=code_bits, seed=seed)
    by_class = [random.permutation(np.flatnonzero(data.train.labels == label)) for label in range(len(data.targets))]
    train = _pick(data.train, np.concatenate([rows[:_PER_CLASS] for rows in by_class]))
    val = _pick(data.val, random.permutation(len(data.val))[:_JUDGED])
    note(f"{source}: its answers to {len(train) + len(val)} drawings ...")
    layer = train_hash_layer(classify_fast(model, train), train.labels, recipe)
    made = f"sketch-train --codes {code_bits} --seed {seed}, {len(train)} drawings"
    add_hash_layer(output, source, layer, {"codes": made})
    hashing = load_checkpoint(output).model
    if isinstance(hashing, SketchHash):
        say(_judge(hashing, val, random.permutation(len(val))))


def _judge(model: SketchHash, val: Drawings, order: np.ndarray) -> str:
    with torch.inference_mode():
        embeddings, codes = (array.numpy() for array in model.encode(torch.from_numpy(classify_fast(model, val))))
    queries, gallery = np.array_split(order, 2)
    found = {
        name: retrieve(vectors[queries], val.labels[queries], vectors[gallery], val.labels[gallery])
        for name, vectors in {"codes": signs(codes), "embeddings": embeddings}.items()
    }
    figures = ", ".join(f"{name} {one.mean_average_precision:.3f}" for name, one in found.items())
    return f"mean average precision, {len(queries)} drawings for val among {len(gallery)} others: {figures}"


def _pick(drawings: Drawings, rows: np.ndarray) -> Drawings:
    chosen = np.zeros(len(drawings), bool)
    chosen[rows] = True
    return drawings.where(chosen)
