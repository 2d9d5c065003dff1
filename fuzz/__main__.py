"""`python -m fuzz`, or `make fuzz`."""

import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from sketch_infer.checks.environment import describe_machine
from sketch_infer.inference.cores import usable_cores

from .targets import MODEL_SEEDS, make_targets

ROOT = Path(__file__).parents[1]
BROKEN = ROOT / "build" / "fuzz"
"""Where inputs that break something are left."""

MAX_BYTES = 2048
"""Of an input, where the seeds are no longer."""
AT_ONCE = 30_000
"""Executions of one process."""
LIMITS = ("-rss_limit_mb=1024", "-timeout=10", f"-max_len={MAX_BYTES}", "-print_final_stats=1", "-verbosity=1")
COLUMNS = ("executions", "per second", "peak RSS, MB", "slowest, ms", "its bytes", "crashes")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", type=click.IntRange(min=1000), default=1_000_000, show_default=True, help="Executions in all.")
@click.option("--seed", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--target", "only", help="Fuzz one target alone, with all the runs, and record nothing.")
def main(runs: int, seed: int, only: str | None) -> None:
    """Feed damaged files to every reader and to model loading, and print what happened.

    A run of a million or more is recorded in benchmarks/results/fuzz.json.

    Exit codes: 0 nothing broke; 1 an input broke something, and is left in build/fuzz.
    """
    BROKEN.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own, because PyTorch's memory would be the least that any child's peak can be.
        subprocess.run(
            [sys.executable, "-m", "fuzz.model", *(str(Path(folder) / seed) for seed in MODEL_SEEDS)], check=True
        )
        targets = make_targets(Path(folder))

        def fuzz(name: str) -> None:
            share = 1000 if only else targets[name].share
            rows[name] = {}  # in the order of the targets, whichever is done first
            rows[name] = _fuzz(name, Path(folder), targets[name].seeds(), runs * share // 1000, seed)
            click.echo(f"{name}: {rows[name]}", err=True)

        with ThreadPoolExecutor(usable_cores()) as pool:
            list(pool.map(fuzz, [only] if only else targets))
    _print(rows)
    crashes = sum(row["crashes"] for row in rows.values())
    if not only and runs >= 1_000_000:
        facts = {"atheris": version("atheris"), "python": platform.python_version(), "numpy": version("numpy")}
        total = sum(row["executions"] for row in rows.values())
        found = {"machine": describe_machine(), **facts, "seed": seed, "limits": LIMITS, "executions": total}
        text = json.dumps({**found, "crashes": crashes, "targets": rows}, indent=2)
        (ROOT / "benchmarks" / "results" / "fuzz.json").write_text(text + "\n", encoding="utf-8")
    sys.exit(1 if crashes else 0)


def _fuzz(name: str, folder: Path, seeds: list[bytes], runs: int, seed: int) -> dict[str, Any]:
    """Fuzz one target, in processes that end before atheris, which keeps what it compares, fills the memory."""
    slug = re.sub(r"\W+", "-", name).strip("-")
    corpus, result = folder / f"corpus-{slug}", folder / f"{slug}.json"
    corpus.mkdir()
    for number, content in enumerate(seeds):
        (corpus / str(number)).write_bytes(content)
    # libFuzzer takes the last of several; a model file is fuzzed whole.
    longest = [f"-max_len={2 * max(map(len, seeds))}"] if max(map(len, seeds)) > MAX_BYTES else []
    options = (*LIMITS, *longest, f"-artifact_prefix={BROKEN / slug}-", str(corpus))
    row: dict[str, Any] = {"executions": 0, "per_second": 0, "peak_rss_mb": 0, "slowest_ms": 0.0, "slowest_bytes": 0}
    start, crashes = time.monotonic(), 0
    while (left := runs - row["executions"]) > 0 and not crashes:
        child = [sys.executable, "-m", "fuzz.worker", name, str(folder), str(result)]
        bounds = [f"-runs={min(left, AT_ONCE)}", f"-seed={seed + row['executions']}"]
        done = subprocess.run(
            [*child, *bounds, *options], capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            click.echo(done.stdout[-2000:] + done.stderr[-4000:], err=True)
            crashes = 1
        row["executions"] += _stat(done.stderr, "number_of_executed_units")
        row["peak_rss_mb"] = max(row["peak_rss_mb"], _stat(done.stderr, "peak_rss_mb"))
        if result.is_file() and (slowest := json.loads(result.read_text()))["slowest_ms"] > row["slowest_ms"]:
            row |= slowest
    row["per_second"] = int(row["executions"] / (time.monotonic() - start))
    return {**row, "crashes": crashes}


def _stat(log: str, key: str) -> int:
    found = re.search(rf"stat::{key}:\s+(\d+)", log)
    return int(found.group(1)) if found else 0


def _print(rows: dict[str, dict[str, Any]]) -> None:
    click.echo("".join([f"{'target':12}", *(f"{column:>15}" for column in COLUMNS)]))
    for name, row in rows.items():
        click.echo("".join([f"{name:12}", *(f"{value:>15,}" for value in row.values())]))
    total = sum(row["executions"] for row in rows.values())
    click.echo(f"{total:,} executions, {sum(row['crashes'] for row in rows.values())} crashes")


if __name__ == "__main__":
    main()
