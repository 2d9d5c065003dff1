"""What Ray costs beside the one-process engine, on one machine, and what follows for many.

Each run is a command of its own, as a user starts it; the two engines take turns, so that what else the machine does
falls on both; medians of the rounds. Nothing is kept unless the answers are equal, logits bit for bit. Figures go to
benchmarks/results/ray.json.
"""

import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow.parquet
import ray.data

from benchmarks.bench.machine import cpu_model
from benchmarks.bulk import forms
from sketch_infer.ray import read_dataset
from sketch_infer.readers.files import read_sketches

from .processes import watch

RESULTS = Path(__file__).parents[1] / "results" / "ray.json"
FILES = 20
BLOCKS = 2000
ESTIMATED = 50_000_000
CORES = (16, 64, 256)

LOCAL = {
    "local, 1 thread": ["--threads", "1"],
    "local, 2 threads": ["--threads", "2"],
}
RAY = {
    "ray, 1 actor": ["--engine", "ray", "--actors", "1", "--logits", "--in-order", "--overwrite"],
    "ray, 2 actors": ["--engine", "ray", "--actors", "2", "--logits", "--in-order", "--overwrite"],
}
RATE = "drawings_per_second"
BOTH = "ray, 2 actors"
"""The run in which both cores classify, and share all else that Ray does."""


@click.command()
@click.option("--drawings", default=100_000, show_default=True, help="Drawings of a run.")
@click.option("--rounds", default=3, show_default=True, help="Rounds, of which figures are the medians.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=RESULTS,
    help="File to write.",
)
def main(drawings: int, rounds: int, output: Path) -> None:
    """Measure both engines on this machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _draw(folder / "few", FILES)
        _draw(folder / "many", drawings)
        taken = []
        for number in range(rounds):
            found: dict[str, dict[str, float]] = {}
            for local, by_ray in zip(LOCAL, RAY, strict=True):
                found |= {local: _measure(local, folder, drawings), by_ray: _measure(by_ray, folder, drawings)}
                _check(folder / f"many {local}.npz", folder / f"many {by_ray}")
            taken.append(found)
            click.echo(f"round {number + 1}, load {os.getloadavg()[0]:.1f}: {json.dumps(found)}", err=True)
        medians = {run: {key: _median(taken, run, key) for key in taken[0][run]} for run in taken[0]}
        document: dict[str, Any] = {
            "machine": f"{os.cpu_count()} cores of {cpu_model()}",
            "drawings": drawings,
            "rounds": rounds,
            "runs": medians,
            "ray_beside_local": {
                by_ray: _rounded(statistics.median(one[by_ray][RATE] / one[local][RATE] for one in taken))
                for local, by_ray in zip(LOCAL, RAY, strict=True)
            },
            "read_per_second_and_core": _rounded(statistics.median(_read(folder / "many") for _ in range(rounds))),
            **_blocks(folder / "many", drawings),
        }
    document["estimate"] = _estimate(document)
    output.write_text(json.dumps(document, indent=2) + "\n")


def _draw(folder: Path, n: int) -> None:
    folder.mkdir()
    for number in range(FILES):
        forms.write_lines(folder / f"{number:02d}.ndjson", forms.simplified(n // FILES, seed=number))


def _measure(run: str, folder: Path, n: int) -> dict[str, float]:
    """Run the command on few drawings, which is its start, and on many."""
    options, suffix = {**LOCAL, **RAY}[run], ".npz" if run in LOCAL else ""
    few = watch(folder / "few", *options, "--output", folder / f"few {run}{suffix}")
    many = watch(folder / "many", *options, "--output", folder / f"many {run}{suffix}")
    return {
        "start_seconds": few["seconds"],
        **many,
        RATE: (n - FILES) / (many["seconds"] - few["seconds"]),
    }


def _check(local: Path, by_ray: Path) -> None:
    """Assert that both engines answered alike, logits bit for bit."""
    table, arrays = pyarrow.parquet.read_table(by_ray), np.load(local)
    logits = table["logits"].combine_chunks().values.to_numpy().reshape(arrays["logits"].shape)
    assert np.array_equal(logits, arrays["logits"])
    assert table["label"].to_pylist() == arrays["labels"].tolist()


def _read(drawings: Path) -> float:
    """Return drawings read and prepared a second, by one process."""
    started = time.perf_counter()
    n = sum(1 for _ in read_sketches(str(min(drawings.iterdir()))))
    return n / (time.perf_counter() - started)


class Pass:
    """An actor that does nothing, so that what is left is Ray's own work."""

    def __call__(self, batch: Any) -> Any:
        return batch


def _blocks(drawings: Path, n: int) -> dict[str, float]:
    """Return drawings a block, and the seconds that a block costs the one process that schedules all."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    n_blocks = read_dataset(str(drawings)).materialize().num_blocks()
    pool = ray.data.ActorPoolStrategy(size=2)
    used = []
    for tasks in (FILES, BLOCKS):
        before = time.process_time()
        passed = ray.data.range(tasks, override_num_blocks=tasks).map_batches(Pass, batch_size=None, compute=pool)
        assert sum(1 for _ in passed.iter_internal_ref_bundles()) == tasks
        used.append(time.process_time() - before)
    ray.shutdown()
    seconds = (used[1] - used[0]) / (BLOCKS - FILES)
    return {"drawings_a_block": _rounded(n / n_blocks), "scheduler_seconds_a_block": _rounded(seconds)}


def _estimate(document: dict[str, Any]) -> dict[str, Any]:
    """Return what many drawings take on many cores, if each does as much as one of the two here."""
    both = document["runs"][BOTH]
    rate = both[RATE] / 2
    scheduled = document["drawings_a_block"] / document["scheduler_seconds_a_block"]
    return {
        "drawings": ESTIMATED,
        "core_hours": _rounded(ESTIMATED / rate / 3600),
        "minutes": {cores: _rounded((both["start_seconds"] + ESTIMATED / rate / cores) / 60) for cores in CORES},
        "cores_that_read": {cores: _rounded(cores * rate / document["read_per_second_and_core"]) for cores in CORES},
        "scheduler_share_of_its_core": {cores: _rounded(cores * rate / scheduled) for cores in CORES},
        "cores_that_the_scheduler_feeds": _rounded(scheduled / rate),
    }


def _median(taken: list[dict[str, dict[str, float]]], run: str, key: str) -> float:
    return _rounded(statistics.median(found[run][key] for found in taken))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
