"""Run the search and write benchmarks/results/adversary.json; see docs/proof.md."""

import json
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import torch

from benchmarks.adversary.kernel import (
    exact_activation,
    logits_with,
    measure_activations,
    onnxruntime_activation,
    rounded_activation,
)
from benchmarks.adversary.search import climb
from benchmarks.bench.candidates import CHECKPOINT, ROOT, plain_model
from sketch_export.weights import weights_sha256
from sketch_infer import default_model
from sketch_infer.array_types import Array, FloatArray
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE
from sketch_infer.inference.providers import import_onnxruntime
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import STROKES
from sketch_models import SketchRNN, load_checkpoint, run_eager

RESULTS = ROOT / "benchmarks" / "results" / "adversary.json"

_RANDOM_STARTS = 4
"""Beside the probes: strokes of any size up to 1, all through."""


@dataclass(frozen=True)
class Judged:
    """A sketch that a search ended with, in units of its row's scale, max(1, largest |logit|), against float64.

    Attributes:
        onnx: how far ONNX Runtime is off, by graph.
        eager: how far eager PyTorch is off.
        apart: how far ONNX Runtime and eager PyTorch are from each other, by graph.
        onnx_activations, exact_activations: how far a float64 network is off of which only tanh and sigmoid are
            float32: ONNX Runtime's own, and correctly rounded ones.
        same_label: whether ONNX Runtime and eager PyTorch name it alike, with either graph.
    """

    onnx: dict[str, float]
    eager: float
    apart: dict[str, float]
    onnx_activations: float
    exact_activations: float
    same_label: bool


def _distance(logits: Array, other: Array, exact: Array) -> Array:
    """Return how far logits are from others, each (N, classes), in units of the exact row's scale."""
    scale = np.maximum(1.0, np.abs(exact).max(axis=1))
    return np.asarray(np.abs(logits - other).max(axis=1) / scale)


def search(model: SketchRNN, session: Session, rounds: int, seed: int) -> FloatArray:
    """Search for the strokes, float32 (1, T, 3), on which a model file is furthest from float64."""

    def score(strokes: FloatArray) -> Array:
        exact = run_eager(model, strokes, dtype=torch.float64)["logits"]
        return _distance(session.run(strokes)["logits"], exact, exact)

    probes = session.metadata.probes.feeds()[STROKES]
    noise = np.random.default_rng(seed).uniform(-1, 1, (_RANDOM_STARTS, *probes.shape[1:])).astype(np.float32)
    best, scores = climb(score, np.concatenate([probes, noise]), rounds, seed)
    worst: FloatArray = best[scores.argmax()][None]
    return worst


def judge(model: SketchRNN, sessions: Mapping[str, Session], strokes: FloatArray) -> Judged:
    """Run a sketch, float32 (1, T, 3), through every graph, eager PyTorch and float64."""
    exact = run_eager(model, strokes, dtype=torch.float64)["logits"]
    eager = run_eager(model, strokes)["logits"]
    onnx = {graph: session.run(strokes)["logits"] for graph, session in sessions.items()}
    theirs, rounded = (logits_with(model, strokes, kind) for kind in (onnxruntime_activation, rounded_activation))
    np.testing.assert_allclose(logits_with(model, strokes, exact_activation), exact, rtol=1e-6, atol=1e-6)
    return Judged(
        onnx={graph: float(_distance(logits, exact, exact)[0]) for graph, logits in onnx.items()},
        eager=float(_distance(eager, exact, exact)[0]),
        apart={graph: float(_distance(logits, eager, exact)[0]) for graph, logits in onnx.items()},
        onnx_activations=float(_distance(theirs, exact, exact)[0]),
        exact_activations=float(_distance(rounded, exact, exact)[0]),
        same_label=all(bool(logits.argmax() == eager.argmax()) for logits in onnx.values()),
    )


def to_markdown(found: Mapping[str, Judged]) -> str:
    """Lay the results out as the docs have them."""
    header = ("searched", "plain", "fast", "eager PyTorch", "only ONNX Runtime's tanh and sigmoid", "label")
    rows = [
        (graph, *map("{:.1e}".format, (*one.onnx.values(), one.eager, one.onnx_activations)), _label(one.same_label))
        for graph, one in found.items()
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ("---",) * len(header), *rows))


def _label(same: bool) -> str:
    return "the same" if same else "another"


@click.command()
@click.option("--rounds", default=150, show_default=True, help="Changes tried on each of 16 sketches.")
@click.option("--seed", default=0, show_default=True, help="Of the changes.")
def main(rounds: int, seed: int) -> None:
    """Search for the sketches on which ONNX Runtime and float64 part, for the plain and the fast graph."""
    model = load_checkpoint(CHECKPOINT).model
    activations = measure_activations()
    for one in activations:
        theirs = f"{one.onnxruntime:.1e} (at {one.at:.2f})"
        click.echo(f"{one.name}: ONNX Runtime is off by up to {theirs}, PyTorch by {one.pytorch:.1e}")
    with tempfile.TemporaryDirectory() as folder:
        paths = {"plain": plain_model(Path(folder)), "fast": default_model()}
        sessions = {graph: Session(path, "cpu") for graph, path in paths.items()}
        found = {
            graph: judge(model, sessions, search(model, session, rounds, seed)) for graph, session in sessions.items()
        }
    click.echo(f"\n{to_markdown(found)}\nThe proof's tolerance is {FP32_TOLERANCE:.0e}.")
    result = {
        "machine": platform.machine(),
        "weights_sha256": weights_sha256(model),
        "onnxruntime": import_onnxruntime().__version__,
        "torch": torch.__version__,
        "rounds": rounds,
        "seed": seed,
        "activations": [asdict(one) for one in activations],
        "worst": {graph: asdict(one) for graph, one in found.items()},
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
