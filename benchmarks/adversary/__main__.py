"""Run the search: `python -m benchmarks.adversary`."""

import json
import platform
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

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
from sketch_export import export_onnx
from sketch_export.exporter import GraphChoice
from sketch_infer.array_types import Array, FloatArray
from sketch_infer.checks.parity import FP32_TOLERANCE
from sketch_infer.inference.providers import import_onnxruntime
from sketch_infer.inference.session import Session
from sketch_infer.model.contract import STROKES
from sketch_models import SketchRNN, load_checkpoint, run_eager

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "adversary.json"

_RANDOM_STARTS = 4
"""Beside the probes: strokes of any size up to 1, all through."""


@dataclass(frozen=True)
class Worst:
    """The worst sketch of a search, in units of its row's scale, max(1, largest |logit|), against float64.

    Attributes:
        onnx, eager: how far ONNX Runtime and eager PyTorch are off.
        apart: how far they are from each other.
        onnx_activations, exact_activations: how far a float64 network is off of which only tanh and sigmoid are
            float32: ONNX Runtime's own, and correctly rounded ones.
        same_label: whether ONNX Runtime and eager PyTorch name it alike.
    """

    onnx: float
    eager: float
    apart: float
    onnx_activations: float
    exact_activations: float
    same_label: bool


def search(model: SketchRNN, session: Session, rounds: int, seed: int) -> Worst:
    """Search for the strokes on which a model file is furthest from float64."""

    def off(logits: Array, exact: Array) -> Array:
        scale = np.maximum(1.0, np.abs(exact).max(axis=1))
        return np.asarray(np.abs(logits - exact).max(axis=1) / scale)

    def score(strokes: FloatArray) -> Array:
        return off(session.run(strokes)["logits"], run_eager(model, strokes, dtype=torch.float64)["logits"])

    probes = session.metadata.probes.feeds()[STROKES]
    noise = np.random.default_rng(seed).uniform(-1, 1, (_RANDOM_STARTS, *probes.shape[1:])).astype(np.float32)
    best, scores = climb(score, np.concatenate([probes, noise]), rounds, seed)
    worst = best[scores.argmax()][None]
    exact = run_eager(model, worst, dtype=torch.float64)["logits"]
    onnx, eager = session.run(worst)["logits"], run_eager(model, worst)["logits"]
    theirs, rounded = (logits_with(model, worst, kind) for kind in (onnxruntime_activation, rounded_activation))
    np.testing.assert_allclose(logits_with(model, worst, exact_activation), exact, rtol=1e-6, atol=1e-6)
    return Worst(
        onnx=float(off(onnx, exact)[0]),
        eager=float(off(eager, exact)[0]),
        apart=float(off(onnx - eager + exact, exact)[0]),
        onnx_activations=float(off(theirs, exact)[0]),
        exact_activations=float(off(rounded, exact)[0]),
        same_label=bool(onnx.argmax() == eager.argmax()),
    )


@click.command()
@click.option("--rounds", default=1000, show_default=True, help="Changes tried on each of 16 sketches.")
@click.option("--seed", default=0, show_default=True, help="Of the changes.")
def main(rounds: int, seed: int) -> None:
    """Search for the sketches on which ONNX Runtime and float64 part, for the plain and the fast graph."""
    model = load_checkpoint(ROOT / "models" / "quickdraw-40" / "model.safetensors").model
    activations = measure_activations()
    for one in activations:
        theirs = f"{one.onnxruntime:.1e} (at {one.at:.2f})"
        click.echo(f"{one.name}: ONNX Runtime is off by up to {theirs}, PyTorch by {one.pytorch:.1e}")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for graph in get_args(GraphChoice):
            path = Path(folder) / f"{graph}.onnx"
            export_onnx(model, path, graph=graph)
            worst = found[graph] = search(model, Session(path, "cpu"), rounds, seed)
            click.echo(
                f"{graph}: ONNX Runtime {worst.onnx:.1e} of the scale off float64, eager PyTorch {worst.eager:.1e}, "
                f"{worst.apart:.1e} apart (the proof's tolerance is {FP32_TOLERANCE:.0e}), "
                f"{'the same' if worst.same_label else 'another'} label; float64 with ONNX Runtime's tanh and sigmoid "
                f"{worst.onnx_activations:.1e}, with rounded ones {worst.exact_activations:.1e}"
            )
    result = {
        "machine": platform.machine(),
        "onnxruntime": import_onnxruntime().__version__,
        "torch": torch.__version__,
        "rounds": rounds,
        "seed": seed,
        "activations": [asdict(one) for one in activations],
        "worst": {graph: asdict(worst) for graph, worst in found.items()},
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
