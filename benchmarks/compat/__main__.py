"""Check the model files with the runtime's wheel under several releases of ONNX Runtime.

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

FILES: dict[str, tuple[str, ...]] = {
    "fp32": ("--precision", "fp32"),
    "int8": ("--precision", "int8"),
    "points": ("--model", str(ROOT / "dist" / "points.onnx")),
    "points_int8": ("--model", str(ROOT / "dist" / "points_int8.onnx")),
}
"""Options of `sketch-infer` that choose a file: the wheel's own two, and those for other languages."""


@dataclass(frozen=True)
class Release:
    """What one release of ONNX Runtime said.

    Attributes:
        onnxruntime, numpy, python: versions; numpy is what pip chose.
        fp32, int8, points, points_int8: the file's largest difference from eager PyTorch in units of the row's scale,
            or what failed.
        limits: the versions that it opens, by its own account.
    """

    onnxruntime: str
    numpy: str
    python: str
    fp32: str
    int8: str
    points: str
    points_int8: str
    limits: str

    @property
    def holds(self) -> bool:
        """Whether all files passed."""
        return not any(found.startswith("FAIL") for found in self.findings)

    @property
    def findings(self) -> tuple[str, ...]:
        """What was found of each file, in the order of `FILES`."""
        return tuple(getattr(self, name) for name in FILES)


def check_release(release: str, wheel: Path) -> Release:
    """Install a release beside the wheel and run the self-check of the model files."""
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
            return Release(release, "", sys.version.split()[0], **dict.fromkeys(FILES, failure), limits="")
        reports = {name: _self_check(scripts / "sketch-infer", *chosen) for name, chosen in FILES.items()}
        code = "import importlib.metadata as m; print(m.version('numpy'))"
        numpy = subprocess.run(
            [scripts / "python", "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
    limits = next((report["facts"]["ONNX Runtime"] for report in reports.values() if "facts" in report), "")
    found = {name: _describe(report) for name, report in reports.items()}
    return Release(release, numpy, sys.version.split()[0], **found, limits=limits.partition("; ")[2])


def _self_check(command: Path, *chosen: str) -> dict[str, Any]:
    arguments = [str(command), "--self-check", *chosen, "--provider", "cpu", "--format", "json"]
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
    lines = ["| onnxruntime | numpy | fp32 | int8 | points | points, int8 | |", "|---|---|---|---|---|---|---|"]
    for one in releases:
        cells = [text.removeprefix("FAIL: Error: ").partition(";")[0] for text in one.findings]
        if len(set(cells)) == 1:  # one reason for all
            cells[1:] = [""] * (len(cells) - 1)
        lines.append(f"| {one.onnxruntime} | {one.numpy} | {' | '.join(cells)} | {one.limits} |")
    return "\n".join(lines)


@click.command()
@click.option("--release", "chosen", multiple=True, help="Check only this release, and write nothing.")
def main(chosen: tuple[str, ...]) -> None:
    """Check the model files under several releases of ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*build, "--wheel-dir", folder, str(ROOT / "runtime")], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        releases = []
        for release in chosen or RELEASES:
            releases.append(check_release(release, wheel))
            click.echo(
                f"{release}: {'; '.join(map(' '.join, zip(FILES, releases[-1].findings, strict=True)))}", err=True
            )
    click.echo(to_markdown(releases))
    if not chosen:
        RESULTS.write_text(json.dumps([asdict(one) for one in releases], indent=2) + "\n")
    newest = releases[-1]
    if not newest.holds:
        raise click.ClickException(f"the newest release, {newest.onnxruntime}, fails")


if __name__ == "__main__":
    main()
