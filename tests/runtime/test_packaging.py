"""The runtime as a device gets it: its wheel alone, without torch and onnx."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from tests.support import ROOT, SAMPLES

HEAVY = ("torch", "onnx", "onnxscript", "ray", "pyarrow", "sketch_models", "sketch_export")


def run(
    *command: object, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd, env=env)


def test_importing_the_runtime_loads_nothing_heavy() -> None:
    code = f"import sketch_infer, sys; print([name for name in {(*HEAVY, 'onnxruntime')} if name in sys.modules])"
    assert run(sys.executable, "-c", code).stdout == "[]\n"


@pytest.mark.usefixtures("default_onnx")
@pytest.mark.parametrize("arguments", [["--help"], [str(SAMPLES / "drawings.ndjson")]])
def test_the_command_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from sketch_infer.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    result = run(sys.executable, "-c", code, *arguments)
    assert result.returncode == 0
    assert result.stderr.splitlines()[-1] == "[]"


def test_without_ray_the_pip_line_is_named(tmp_path: Path) -> None:
    for name in ("pyarrow", "ray"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not here')")
    code = "from sketch_infer.cli.main import main; main()"
    arguments = [SAMPLES / "drawings.npy", "--engine", "ray", "--output", tmp_path / "out"]
    result = run(sys.executable, "-c", code, *arguments, env={"PYTHONPATH": str(tmp_path)})
    assert result.returncode == 1
    assert "Error: Ray Data cannot be imported (not here); install it with: pip install" in result.stderr
    assert "Traceback" not in result.stderr


def test_without_onnxruntime_the_pip_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libfoo.so is missing')")
    code = "from sketch_infer.cli.main import main; main()"
    result = run(sys.executable, "-c", code, SAMPLES / "drawings.npy", env={"PYTHONPATH": str(tmp_path)})
    assert result.returncode == 1
    assert "ONNX Runtime cannot be imported (libfoo.so is missing)" in result.stderr
    assert "install it with: pip install onnxruntime, or" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("default_onnx")
def test_the_wheel_classifies_in_a_bare_environment(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, ROOT / "runtime")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("sketch_infer-*-py3-none-any.whl")
    venv.create(tmp_path / "bare", with_pip=False)
    bin_folder = tmp_path / "bare" / ("Scripts" if sys.platform == "win32" else "bin")
    installed = run(
        *pip, "--python", bin_folder / "python", "install", "--constraint", ROOT / "constraints.txt", f"{wheel}[cpu]"
    )
    assert installed.returncode == 0, installed.stderr

    heavy = run(
        bin_folder / "python", "-c", f"import importlib.util as u; print([n for n in {HEAVY} if u.find_spec(n)])"
    )
    assert heavy.stdout == "[]\n"
    result = run(bin_folder / "sketch-infer", SAMPLES / "drawings.ndjson", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    here = run(sys.executable, "-m", "sketch_infer", SAMPLES / "drawings.ndjson")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        json.loads(line) for line in here.stdout.splitlines()
    ]

    assert run(bin_folder / "sketch-search", "--version").stdout.startswith("sketch-search, version")
    gallery = run(bin_folder / "sketch-infer", SAMPLES / "drawings.ndjson", "--output", tmp_path / "gallery.html")
    assert gallery.returncode == 0, gallery.stderr
    assert "#cards" in (tmp_path / "gallery.html").read_text(encoding="utf-8")  # its style sheet came along

    probes = (
        "from sketch_infer import Classifier, compare_outputs\n"
        "classifier = Classifier()\n"
        "probes = classifier.metadata.probes\n"
        "found = vars(classifier.predict(probes.sketches, input_format='network'))\n"
        "print(compare_outputs('probes', probes.outputs, found).summary)"
    )
    assert run(bin_folder / "python", "-c", probes).stdout.startswith("PASS: matches eager PyTorch")

    np.save(tmp_path / "strokes.npy", np.zeros((1, 196, 3)))
    compared = run(bin_folder / "sketch-infer", tmp_path / "strokes.npy", "--compare-eager", "weights.pt")
    assert compared.returncode == 1
    assert "is not installed; install it with: pip install torch" in compared.stderr
    assert "Traceback" not in compared.stderr


@pytest.mark.usefixtures("default_onnx")
@pytest.mark.parametrize(
    ("argument", "code", "out", "err"),
    [
        (str(SAMPLES / "drawings.ndjson"), 0, '"label": "television"', ""),
        ("none.npy", 2, "", "Error: none.npy: no such file"),
        ("--version", 0, "sketch-infer, version ", ""),
    ],
)
def test_the_process_ends_with_all_its_output(argument: str, code: int, out: str, err: str) -> None:
    result = run(Path(sys.executable).with_name("sketch-infer"), argument)
    assert result.returncode == code
    assert out in result.stdout
    assert err in result.stderr
