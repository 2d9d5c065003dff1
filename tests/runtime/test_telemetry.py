"""Nothing leaves the device: ONNX Runtime's telemetry is off before it is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

VARIABLE = "ORT_DISABLE_TELEMETRY"


def run(home: Path, *arguments: str, **environment: str) -> str:
    """Run Python for a user who has set nothing and is no CI, where ONNX Runtime is silent anyway."""
    others = {name: value for name, value in os.environ.items() if name not in (VARIABLE, "CI", "XDG_CACHE_HOME")}
    result = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**others, "HOME": str(home), **environment},
    )
    assert not result.stderr
    return result.stdout


@pytest.mark.parametrize("read_only", [False, True])
def test_a_prediction_leaves_nothing_in_an_empty_home(
    tmp_path: Path, tiny_onnx: Path, strokes_file: Path, read_only: bool
) -> None:
    home = tmp_path / "home"
    home.touch() if read_only else home.mkdir()  # below a file nothing can be created, by root neither
    assert run(home, "-m", "sketch_infer", str(strokes_file), "--model", str(tiny_onnx), "--quiet", "--format", "csv")
    run(home, "-c", f"from sketch_infer import Classifier; Classifier({str(tiny_onnx)!r}, 'cpu').predict([[1, 0, 0]])")
    assert list(home.rglob("*")) == []


@pytest.mark.parametrize(("asked", "found"), [({}, "1"), ({VARIABLE: "0"}, "0"), ({VARIABLE: "1"}, "1")])
def test_it_is_off_unless_asked_for(tmp_path: Path, asked: dict[str, str], found: str) -> None:
    code = f"import sketch_infer, os, sys; assert 'onnxruntime' not in sys.modules; print(os.environ[{VARIABLE!r}])"
    assert run(tmp_path, "-c", code, **asked).strip() == found
