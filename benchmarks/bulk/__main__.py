"""How fast each kind of file is read and prepared beside fp32 inference, and what a million sketches take.

Drawings come from the samples, made in code, with random points so that they have the lengths of real ones: 48 points
simplified, 214 as a pen samples them. Figures go to benchmarks/results/bulk.json.
"""

import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from sketch_infer import Classifier, read_sketches
from sketch_infer.inference.cores import usable_cores
from sketch_infer.strokes.preprocess import to_batch

from . import forms

ROOT = Path(__file__).parents[2]
N_READ = 8192
ROUNDS = 5
PIECE = 10_000


@click.command()
@click.option("--sketches", default=1_000_000, show_default=True, help="Rows of the large file.")
@click.option("--precision", default="int8", show_default=True, help="Model that classifies the large file.")
def main(sketches: int, precision: str) -> None:
    """Measure, print and write benchmarks/results/bulk.json."""
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "machine": f"{platform.machine()}, {usable_cores()} cores to use",
            "reading": _reading_rates(Path(folder)),
            "large": _large(Path(folder), sketches, precision),
        }
    (ROOT / "benchmarks" / "results" / "bulk.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    click.echo(json.dumps(found, indent=2))


def _reading_rates(folder: Path) -> dict[str, float]:
    """Return sketches read and prepared a second, as a ratio to fp32 inference: the median of interleaved rounds."""
    drawings, raw = forms.simplified(N_READ, seed=0), forms.sampled(N_READ, seed=0)
    files = forms.write_all(folder, drawings, raw)
    classifier = Classifier()
    sketches = [sketch.strokes for sketch in read_sketches(str(files["simplified .ndjson"]))][:2048]
    expected = classifier.predict(sketches[:1], input_format="network").logits
    assert (expected == classifier.predict(sketches, input_format="network").logits[:1]).all()
    rates: dict[str, list[float]] = {"fp32 inference": [], **{name: [] for name in files}}
    for _ in range(ROUNDS):
        rates["fp32 inference"].append(_rate(2048, lambda: classifier.predict(sketches, input_format="network")))
        for name, path in files.items():
            rates[name].append(_rate(N_READ, lambda path=path: list(read_sketches(str(path)))))  # type: ignore[misc]
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    inference = medians.pop("fp32 inference")
    return {
        "fp32 inference per second": float(round(inference)),
        **{n: round(r / inference, 1) for n, r in medians.items()},
    }


def _rate(n: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return n / (time.perf_counter() - start)


def _large(folder: Path, n: int, precision: str) -> dict[str, Any]:
    """Classify a `.npy` of n sketches in a process of its own, and return its peak memory and rate."""
    path = folder / "large.npy"
    piece = _padded(forms.simplified(PIECE, seed=1))
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (n, *piece.shape[1:])}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, n, PIECE):
            file.write(piece[: n - start].tobytes())
    output = folder / "large.npz"
    code = (
        "import sys; from sketch_infer.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        # Not getrusage, whose peak starts with that of the process that started this one.
        "finally: print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    arguments = [str(path), "--precision", precision, "--output", str(output), "--quiet"]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    with np.load(output) as arrays:
        log_probs = arrays["log_probs"]
        assert log_probs.shape[0] == n
        np.testing.assert_array_equal(log_probs[-(n % PIECE or PIECE) :], log_probs[: n % PIECE or PIECE])
    return {
        "command": f"sketch-infer large.npy --precision {precision} --output large.npz",
        "sketches": n,
        "file_bytes": path.stat().st_size,
        "peak_rss_bytes": 1024 * int(done.stdout),
        "sketches_per_second": round(n / seconds),
    }


def _padded(drawings: list[forms.Drawing]) -> npt.NDArray[np.float32]:
    from sketch_infer import drawing_to_sketch

    return to_batch([drawing_to_sketch(drawing) for drawing in drawings], 196)[0]


if __name__ == "__main__":
    main()
