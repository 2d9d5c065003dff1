"""Check both model files with the runtime's wheel under several releases of ONNX Runtime.

The results go to benchmarks/results/compat.json.

Each release gets a throw-away virtual environment with the wheel, that release and what pip chooses beside it: no
torch, no onnx, nothing of this repository.
"""

import json
import subprocess
import sys
import tempfile
import venv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "compat.json"

RELEASES = ("1.17.3", "1.18.1", "1.19.2", "1.21.1", "1.24.4", "1.28.0", "1.32.0")
"""From before the oldest that works to the newest."""

PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True)
class Release:
    """What one release of ONNX Runtime said.

    Attributes:
        onnxruntime, numpy, python: versions; numpy is what pip chose.
        fp32, int8: the largest difference from eager PyTorch in units of the row's scale, or what failed.
        limits: the versions that it opens, by its own account.
    """

    onnxruntime: str
    numpy: str
    python: str
    fp32: str
    int8: str
    limits: str

    @property
    def holds(self) -> bool:
        """Whether both files passed."""
        return not any(found.startswith("FAIL") for found in (self.fp32, self.int8))


def check_release(release: str, wheel: Path) -> Release:
    """Install a release beside the wheel and run the self-check of both model files."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        scripts = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin")
        python = str(scripts / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        installed = subprocess.run(
            [*pip, wheel, f"onnxruntime=={release}"], capture_output=True, text=True, check=False
        )
        if installed.returncode:
            failure = f"FAIL: cannot be installed: {_last_line(installed.stderr)}"
            return Release(release, "", sys.version.split()[0], failure, failure, "")
        reports = {precision: _self_check(scripts / "sketch-infer", precision) for precision in PRECISIONS}
        code = "import importlib.metadata as m; print(m.version('numpy'))"
        numpy = subprocess.run(
            [scripts / "python", "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
    limits = next((report["facts"]["ONNX Runtime"] for report in reports.values() if "facts" in report), "")
    found = {precision: _describe(report) for precision, report in reports.items()}
    return Release(release, numpy, sys.version.split()[0], found["fp32"], found["int8"], limits.partition("; ")[2])


def _self_check(command: Path, precision: str) -> dict[str, Any]:
    arguments = [str(command), "--self-check", "--precision", precision, "--provider", "cpu", "--format", "json"]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(result.stdout)
    except ValueError:
        return {"holds": False, "summary": f"FAIL: {_last_line(result.stderr)}"}
    return report


def _describe(report: dict[str, Any]) -> str:
    if not report["holds"]:
        return str(report["summary"])
    rows = report["parity"]["rows"]
    return f"{max(row['max_scaled'] for row in rows):.1e}"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing was said"])[-1]


def to_markdown(releases: list[Release]) -> str:
    """Lay the results out as the README has them: the largest difference of each file, or why it fails."""
    lines = ["| onnxruntime | numpy | fp32 | int8 | |", "|---|---|---|---|---|"]
    for one in releases:
        fp32, int8 = (text.removeprefix("FAIL: Error: ").partition(";")[0] for text in (one.fp32, one.int8))
        lines.append(f"| {one.onnxruntime} | {one.numpy} | {fp32} | {int8} | {one.limits} |")
    return "\n".join(lines)


@click.command()
@click.option("--release", "chosen", multiple=True, help="Check only this release, and write nothing.")
def main(chosen: tuple[str, ...]) -> None:
    """Check both model files under several releases of ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*build, "--wheel-dir", folder, str(ROOT / "runtime")], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        releases = []
        for release in chosen or RELEASES:
            releases.append(check_release(release, wheel))
            click.echo(f"{release}: fp32 {releases[-1].fp32}; int8 {releases[-1].int8}", err=True)
    click.echo(to_markdown(releases))
    if not chosen:
        RESULTS.write_text(json.dumps([asdict(one) for one in releases], indent=2) + "\n")
    newest = releases[-1]
    if not newest.holds:
        raise click.ClickException(f"the newest release, {newest.onnxruntime}, fails")


if __name__ == "__main__":
    main()
