"""Run every target for its share of the executions, and report: a table, and docs/fuzz.json."""

import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
from bulk import forms

from sketch_infer.parity import format_table
from sketch_infer.session import Session

ROOT = Path(__file__).parents[2]
SHARES = {
    "npy": 0.2, "npz": 0.15, "ndjson": 0.2, "ndjson.gz": 0.05, "bin": 0.15,
    "labels": 0.1, "metadata": 0.1, "onnx header": 0.045, "model": 0.005,
}  # fmt: skip
LIMITS = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=8192", "-print_final_stats=1", "-verbosity=0"]
RUNS_A_PROCESS = 50_000
"""atheris itself keeps some 8 kB an execution of the text readers, which the same inputs without it do not take, and the
limit on memory is there for the readers."""
MODEL = """
import sys
from conftest import TINY_LABELS, make_model
from sketch_export import export_onnx
export_onnx(make_model(), sys.argv[1], TINY_LABELS)
"""
WORDS = ('{"drawing": ', "[[[", "]]]", "], [", "1e999", "NaN", "-1e308", '"word": "', "\\n", "{'descr': '<f4', ")


@click.command()
@click.option("--runs", default=1_000_000, show_default=True, help="Executions of all targets together.")
def main(runs: int) -> None:
    """Fuzz, and end with 1 if a target crashed, hung or took too much memory."""
    found: dict[str, dict[str, float]] = {}
    failed = []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:  # noqa: S108
        folder = Path(name)
        model = folder / "tiny.onnx"
        # In a process of its own: the peak memory of a process starts with that of the one that started it.
        subprocess.run([sys.executable, "-c", MODEL, str(model)], check=True)
        seeds = _seeds(folder, model)
        words = folder / "words"
        words.write_text("".join(f'"{word}"\n' for word in (json.dumps(word)[1:-1] for word in WORDS)))
        for target, share in SHARES.items():
            corpus = folder / "corpus" / target
            corpus.mkdir(parents=True)
            for number, content in enumerate(seeds[target]):
                (corpus / str(number)).write_bytes(content)
            options = [*LIMITS, f"-dict={words}", f"-artifact_prefix={ROOT}/", str(corpus)]
            command = [sys.executable, "-m", "fuzz.one", str(folder), str(model), target, *options]
            found[target] = _run(command, round(runs * share))
            click.echo(f"{target}: {found[target]}", err=True)
            if found[target].pop("failed"):
                failed.append(target)
    rows = [[target, *(f"{value:,}" for value in one.values())] for target, one in found.items()]
    click.echo(format_table(["target", "executions", "a second", "peak MB", "slowest s"], rows))
    total = sum(int(one["executions"]) for one in found.values())
    click.echo(f"{total:,} executions, {len(failed)} targets failed{': ' + ', '.join(failed) if failed else ''}")
    if failed:
        raise SystemExit(1)
    machine = f"{platform.machine()}, Python {platform.python_version()}, atheris {version('atheris')}"
    report = {"machine": machine, "executions": total, "failed": 0, "targets": found}
    (ROOT / "docs" / "fuzz.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _run(command: list[str], runs: int) -> dict[str, float]:
    """Run a target, which goes on from the inputs that it found before, until it has run so often or fails."""
    executions = seconds = peak = slowest = 0.0
    failed = False
    for seed, start in enumerate(range(0, runs, RUNS_A_PROCESS), start=1):
        options = [f"-runs={min(RUNS_A_PROCESS, runs - start)}", f"-seed={seed}"]
        began = time.perf_counter()
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        seconds += time.perf_counter() - began
        figures = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
        executions += int(figures.get("number_of_executed_units", 0))
        peak = max(peak, int(figures.get("peak_rss_mb", 0)))
        slowest = max(slowest, int(figures.get("slowest_unit_time_sec", 0)))
        if done.returncode or not figures:
            failed = True
            click.echo("\n".join(done.stderr.splitlines()[-40:]), err=True)
            break
    return {
        "executions": int(executions),
        "per_second": round(executions / seconds),
        "peak_rss_mb": int(peak),
        "slowest_s": int(slowest),
        "failed": failed,
    }


def _seeds(folder: Path, model: Path) -> dict[str, list[bytes]]:
    """Return small valid inputs of each target."""
    (folder / "forms").mkdir()
    files = {name: path.read_bytes() for name, path in forms.write_all(
        folder / "forms", forms.simplified(6, seed=0), forms.sampled(2, seed=0)
    ).items()}  # fmt: skip
    np.save(folder / "claims.npy", np.zeros((1, 3)))
    huge = (folder / "claims.npy").read_bytes().replace(b"(1, 3), }        ", b"(1099511627776, 3), }")
    arrays = [files["network .npy"], files["stroke-3 .npy"], files["stroke-5 .npy"], huge]
    lines = [files["simplified .ndjson"], files["raw .ndjson"]]
    content = model.read_bytes()
    props = Session(model, "cpu").metadata.to_props()
    return {
        "npy": [bytes([number]) + array for number, array in enumerate(arrays)],
        "npz": [b"\x00\xff" + array for array in arrays] + [b"\x00\x00" + files["network .npz"]],
        "ndjson": [b"\x00" + line for line in lines],
        "ndjson.gz": [b"\x00\xff" + line for line in lines] + [b"\x00\x00" + files["simplified .ndjson.gz"]],
        "bin": [b"\x00" + files["simplified .bin"]],
        "labels": [b'["ant", "bee"]', b"[]", b'{"a": 1}'],
        "metadata": [
            bytes([number]) + value.encode()[:8000] for number, (_, value) in enumerate(sorted(props.items()))
        ],
        "onnx header": [content[:4096], content[-4096:]],
        "model": [bytes([kind]) + bytes(4) + b"\x00\xff\x80" for kind in range(4)] + [content[:8000]],
    }


if __name__ == "__main__":
    main()
