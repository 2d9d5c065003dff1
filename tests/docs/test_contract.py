"""The contract of points files, kept from other languages: the vectors, plain ONNX Runtime in Python, and C++."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sketch_export.pen_points.vectors import contract_vectors
from sketch_infer import Classifier
from sketch_models import load_checkpoint
from tests import tiny
from tests.docs.pages import blocks, read_page
from tests.support import ROOT

VECTORS = json.loads((ROOT / "docs" / "contract.json").read_text(encoding="utf-8"))
EXAMPLE = ROOT / "examples" / "cpp"


def test_the_vectors_are_what_eager_pytorch_answers_to_the_default_weights() -> None:
    made = contract_vectors(load_checkpoint(ROOT / "models" / "quickdraw-40" / "model.safetensors"))
    assert VECTORS["labels"] == list(made["labels"])
    for committed, again in zip(VECTORS["cases"], made["cases"], strict=True):
        assert (committed["name"], committed["label"]) == (again["name"], again["label"])
        np.testing.assert_array_equal(np.float32(committed["points"]), np.float32(again["points"]))
        np.testing.assert_allclose(committed["log_probs"], again["log_probs"], rtol=0, atol=1e-4)


def test_the_library_meets_the_vectors(default_onnx: Path) -> None:
    classifier = Classifier(default_onnx, "cpu")
    found = classifier.predict_points([np.array(case["points"], np.float32) for case in VECTORS["cases"]])
    assert found.labels == [case["label"] for case in VECTORS["cases"]]
    np.testing.assert_allclose(found.log_probs, [case["log_probs"] for case in VECTORS["cases"]], rtol=0, atol=1e-3)


@pytest.mark.filterwarnings("ignore:cut 1 of 1 sketches")  # the tiny model reads 24 points
def test_eight_lines_of_python_name_the_cat(tmp_path: Path) -> None:
    """With the tiny model, whose answer means nothing and has to be the library's."""
    (code,) = blocks(read_page("docs/contract.md"), "python")
    assert len([line for line in code.splitlines() if line and not line.startswith(("import", "from"))]) <= 8
    shutil.copy(tiny.OF_POINTS, tmp_path / "points.onnx")
    shutil.copy(ROOT / "docs" / "contract.json", tmp_path)
    printed = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    cat = next(case for case in VECTORS["cases"] if case["name"] == "cat")
    expected = Classifier(tiny.OF_POINTS, "cpu").predict_points([np.array(cat["points"], np.float32)])
    assert printed.split()[0] == expected.labels[0]


@pytest.fixture(scope="module")
def classify(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C++ example, built against the library that the Python package brings."""
    compiler = shutil.which("c++") or shutil.which("g++")
    spec = find_spec("onnxruntime")
    folder = Path(spec.origin).parent / "capi" if spec and spec.origin else Path()
    libraries = sorted(folder.glob("libonnxruntime.so.*"))
    if not compiler or not libraries:
        pytest.skip("needs a C++ compiler" if not compiler else f"no libonnxruntime.so in {folder}")
    program = tmp_path_factory.mktemp("cpp") / "classify"
    soname = program.parent / "libonnxruntime.so.1"
    soname.symlink_to(libraries[0])
    options = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-Wl,-rpath,{program.parent}", "-o", str(program)]
    subprocess.run([compiler, str(EXAMPLE / "classify.cpp"), str(soname), *options], check=True)
    return program


def run(program: Path, points: np.ndarray, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    (tmp_path / "labels.txt").write_text("\n".join(tiny.LABELS), encoding="utf-8")
    text = "".join(f"{x:.9g} {y:.9g} {pen:g}\n" for x, y, pen in points)
    command = [program, tiny.OF_POINTS, tmp_path / "labels.txt"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@pytest.mark.filterwarnings("ignore:cut 1 of 1 sketches")  # the tiny model reads 24 points
def test_the_cpp_example_answers_as_the_library(classify: Path, tmp_path: Path) -> None:
    classifier = Classifier(tiny.OF_POINTS, "cpu")
    for case in VECTORS["cases"][:8]:
        points = np.array(case["points"], np.float32)
        found = run(classify, points, tmp_path)
        assert (found.returncode, found.stderr) == (0, "")
        expected = classifier.predict_points([points])
        label, probability = found.stdout.split()
        assert label == expected.labels[0]
        assert float(probability) == pytest.approx(float(expected.probabilities.max()), abs=1e-4)


def test_the_cpp_example_names_nothing_that_cannot_be_used(classify: Path, tmp_path: Path) -> None:
    found = run(classify, np.array([[1, 2, 0], [3, 4, 0.5]]), tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert "expected a drawing of 2 to 50,000 points, finite, with a pen of 0 or 1" in found.stderr
