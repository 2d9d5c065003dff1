"""Measure the search, the build, and what is found of planted faults, on one core.

Results go to dist/search.json, and with --publish to benchmarks/results/search.json for docs/sketch-search.md.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks.bench import machine
from benchmarks.search import planted
from sketch_infer import Classifier, classify_sketches, read_sketches
from sketch_search import SketchIndex
from sketch_search.cli import main as sketch_search
from sketch_search.encode import DEFAULT_MODEL
from sketch_search.hamming import as_words, distances, nearest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "benchmarks" / "data" / "quickdraw_test"
N_CODES = 1_000_000
ROUNDS = 3
SEED = 0


def time_search(bits: int) -> float:
    """Return the milliseconds of a search for ten among a million codes, the median of 21 queries."""
    random = np.random.default_rng(SEED)
    words = as_words(random.integers(0, 256, (N_CODES, bits // 8), np.uint8))
    queries = as_words(random.integers(0, 256, (21, bits // 8), np.uint8))
    seconds = []
    for query in queries:
        started = time.perf_counter()
        positions, found = nearest(words, query, 10)
        seconds.append(time.perf_counter() - started)
        everything = distances(words, query)
        np.testing.assert_array_equal(positions[:10], np.argsort(everything, kind="stable")[:10])
        np.testing.assert_array_equal(found, everything[positions])
    return round(median(seconds) * 1000, 2)


def compare_rates(folder: Path, model: str) -> dict[str, float]:
    """Return drawings a second, read and classified, and built into an index: the medians of interleaved rounds."""
    files = sorted(map(str, DATA.glob("*.gz")))
    classifier = Classifier(model, "cpu", threads=1)

    def classify() -> int:
        return sum(len(block) for file in files for block, _ in classify_sketches(classifier, read_sketches(file)))

    def build() -> int:
        run("build", *files, "--model", model, "--output", folder / "rate.index", "--threads", "1", "--quiet")
        return len(SketchIndex(folder / "rate.index"))

    rates: dict[str, list[float]] = {"classified a second": [], "built a second": []}
    for _ in range(ROUNDS):
        rates["classified a second"].append(_rate(classify))
        rates["built a second"].append(_rate(build))
    size = (folder / "rate.index").stat().st_size / len(SketchIndex(folder / "rate.index"))
    return {**{name: round(median(found)) for name, found in rates.items()}, "bytes a drawing": round(size)}


def find_planted(folder: Path, model: str) -> dict[str, dict[str, float]]:
    """Return what is found of copies among 2,003 drawings, and of wrong labels, 5% of them."""
    random = np.random.default_rng(SEED)
    records = planted.read(DATA)
    copied = sorted(random.permutation(len(records))[:200].tolist())
    copies = [planted.moved(records[row], random) for row in copied]
    copies += [planted.mirrored(records[row]) for row in copied]
    changed, wrong = planted.mislabeled(records, 0.05, random)
    indexes = []
    for name, drawings in (("copies", records + copies), ("labels", changed)):
        file = planted.write(folder / f"{name}.ndjson", drawings)
        run("build", file, "--model", model, "--output", folder / f"{name}.index", "--quiet")
        indexes.append(SketchIndex(folder / f"{name}.index"))
    return {
        "duplicates": planted.judge_duplicates(indexes[0], len(records), copied),
        "suspects": planted.judge_suspects(indexes[1], wrong),
    }


def to_markdown(found: dict[str, Any]) -> str:
    """Lay the results out as the docs have them."""
    times, build = found["milliseconds a search of 1,000,000 codes"], found["build"]
    copies, labels = found["duplicates"], found["suspects"]
    rows = {
        "search among 1,000,000 codes, exact": ", ".join(f"{ms:.1f} ms ({bits})" for bits, ms in times.items()),
        "read and classified by fp32": f"{build['classified a second']:,} drawings/s",
        "built into an index": f"{build['built a second']:,} drawings/s",
        "the index": f"{build['bytes a drawing']} bytes a drawing, most of them its picture",
        "`duplicates`, copies moved by up to a pixel": f"{copies['found']} of {copies['planted']} found",
        "`duplicates`, mirrored copies": f"{copies['mirrored ones taken for equal']} taken for equal",
        f"`suspects`, {labels['planted']} wrong words planted": (
            f"half of them found with a precision of {labels['precision at 50% recall']:.0%}, "
            f"four fifths with {labels['precision at 80% recall']:.0%}"
        ),
    }
    lines = [f"| {what} | {result} |" for what, result in rows.items()]
    return "\n".join(["| On one core | |", "|---|---|", *lines])


def run(*arguments: object) -> None:
    """Run `sketch-search` in this process."""
    sketch_search([str(argument) for argument in arguments], standalone_mode=False)


def _rate(work: Callable[[], int]) -> float:
    started = time.perf_counter()
    return work() / (time.perf_counter() - started)


@click.command()
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Model with codes.")
@click.option("--publish", is_flag=True, help="Write the results where the documentation reads them.")
def main(model: str, publish: bool) -> None:
    """Measure, print and write the results."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "machine": {**machine.describe(), "usable_cores": 1},
            "milliseconds a search of 1,000,000 codes": {f"{bits} bits": time_search(bits) for bits in (32, 64, 128)},
            "build": compare_rates(Path(folder), model),
            **find_planted(Path(folder), model),
        }
    results = ROOT / ("benchmarks/results" if publish else "dist") / "search.json"
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    click.echo(to_markdown(found))


if __name__ == "__main__":
    main()
