"""Self-check model files on emulated ARM64 processors; see docs/device.md.

The results go to benchmarks/results/arm64.json.
"""

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.arm64.emulator import Emulator, EmulatorError

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "arm64.json"

MACHINES = (("1.32.0", "cortex-a72"), ("1.32.0", "cortex-a76"), ("1.22.1", "cortex-a72"))
"""Releases of ONNX Runtime and processors: A72 is in the Raspberry Pi 4; A76, in the Pi 5, has dot products of int8,
for which ONNX Runtime has kernels of their own."""


@dataclass(frozen=True)
class Found:
    """What one file did on one machine.

    Attributes:
        file: its name.
        file_sha256: of all of it, as `sha256sum` prints it.
        onnxruntime, numpy, processor: what it ran on.
        difference: largest difference from eager PyTorch, in units of the row's scale.
        rows_differ: of the sketches, those whose outputs differ between a batch and alone, in any bit.
        failure: why the self-check fails; empty when it passes.
    """

    file: str
    file_sha256: str
    onnxruntime: str
    numpy: str
    processor: str
    difference: float | None
    rows_differ: int | None
    failure: str

    @property
    def holds(self) -> bool:
        """Whether the file is proven there."""
        return not self.failure and self.rows_differ == 0


def check(emulator: Emulator, runtime: Path, model: Path, release: str, processor: str) -> Found:
    """Run the self-check of a file, and the comparison of its rows."""
    packages = emulator.root.with_name(f"onnxruntime-{release}")
    emulator.install(packages, f"onnxruntime=={release}", "click")
    paths = [packages, runtime]
    arguments = ("-m", "sketch_infer", "--self-check", "--model", str(model), "--provider", "cpu", "--format", "json")
    checked = _answer(emulator.python(processor, paths, *arguments))
    facts, versions = checked.get("facts", {}), checked.get("versions", {})
    failure = "" if checked.get("holds") else str(checked["summary"])
    differ = None
    if not failure:
        rows = _answer(emulator.python(processor, paths, str(Path(__file__).with_name("rows.py")), str(model)))
        failure, differ = str(rows.get("summary", "")), sum(rows.get("differ", {}).values())
    compared = (checked.get("parity") or {}).get("rows", [])
    return Found(
        file=model.name,
        file_sha256=str(facts.get("file", "")).removeprefix("sha256 "),
        onnxruntime=str(versions.get("onnxruntime", release)),
        numpy=str(versions.get("numpy", "")),
        processor=processor,
        difference=max((row["max_scaled"] for row in compared), default=None),
        rows_differ=differ,
        failure=failure,
    )


def _answer(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(result.stdout)
    except ValueError:
        said = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {"holds": False, "summary": f"ends with {result.returncode}: {said}"}
    return answer


def to_markdown(found: list[Found]) -> str:
    """Lay the results out as the docs have them."""
    files = list(dict.fromkeys(one.file for one in found))
    lines = [f"| onnxruntime | processor | {' | '.join(files)} |", f"|---|---{'|---' * len(files)}|"]
    for release, processor in dict.fromkeys((one.onnxruntime, one.processor) for one in found):
        cells = []
        for file in files:
            (one,) = (o for o in found if (o.file, o.onnxruntime, o.processor) == (file, release, processor))
            cells.append(f"{one.difference:.1e}" if one.holds else one.failure or f"{one.rows_differ} rows differ")
        lines.append(f"| {release} | {processor} | {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--cache", type=click.Path(path_type=Path), default=ROOT / "dist" / "arm64", help="Folder of downloads.")
@click.option("--quick", is_flag=True, help="Only the newest release on one processor; write no results.")
def main(models: tuple[Path, ...], cache: Path, quick: bool) -> None:
    """Self-check MODELS on emulated ARM64 processors, and compare their rows bit for bit."""
    try:
        emulator = Emulator.prepare(cache.resolve())
        runtime = emulator.copy_runtime(ROOT / "runtime")
        found = []
        for release, processor in MACHINES[:1] if quick else MACHINES:  # of which each takes several minutes
            for model in models:
                found.append(one := check(emulator, runtime, model.resolve(), release, processor))
                said = "equal bit for bit" if one.holds else f"{one.rows_differ} rows differ {one.failure}"
                click.echo(f"{one.file}, onnxruntime {release}, {processor}: {one.difference}, rows: {said}", err=True)
            if not quick:
                results = {"qemu": emulator.version, "emulated": True, "found": [asdict(one) for one in found]}
                RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    except EmulatorError as error:
        raise click.ClickException(str(error)) from error
    click.echo(to_markdown(found))
    if failed := [f"{one.file} on {one.processor}" for one in found if not one.holds]:
        raise click.ClickException(f"not proven on ARM64: {', '.join(failed)}")


if __name__ == "__main__":
    main()
