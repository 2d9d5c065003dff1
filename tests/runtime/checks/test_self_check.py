"""The proof on the device."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sketch_infer.array_types import FloatArray
from sketch_infer.checks import environment, self_check
from sketch_infer.checks.row_coupling import row_coupling
from sketch_infer.checks.self_check import self_check as run_self_check
from sketch_infer.inference.session import Session
from tests.support import Run


@pytest.fixture
def copied(tiny_onnx: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_onnx.read_bytes())
    return path


def test_a_sound_file_passes(sketch_infer: Run, copied: Path, tmp_path: Path) -> None:
    result = sketch_infer("--self-check", "--model", copied, "--report", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].startswith("PASS on CPUExecutionProvider")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["holds"] is True
    cases = [(row["case"], row["eager_shape"]) for row in found["parity"]["rows"] if row["output"] == "logits"]
    assert cases == [(f"batch {b}", [n, 5]) for b, n in ((1, 12), (2, 12), (3, 12), (7, 14))] + [
        ("all probes", [12, 5])
    ]
    assert all(check["holds"] for check in found["checks"])
    assert "opset 18, IR version 8" in found["facts"]["model"]
    assert "LSTM" in found["facts"]["nodes that ran"]
    assert json.loads(sketch_infer("--self-check", "--model", copied, "--format", "json").stdout)["holds"] is True


def test_coupled_rows_are_seen(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(tiny_onnx, "cpu")
    strokes = session.metadata.probes.sketches
    assert max(row_coupling(session, strokes).values()) < 1e-7

    def batch_wide_scale(batch: Sequence[FloatArray]) -> dict[str, FloatArray]:
        rows = np.stack(batch)
        step = np.float32(max(float(np.abs(rows).max()), 1.0) / 127)
        return {"logits": np.round(rows[:, :, 0] / step) * step}

    monkeypatch.setattr(session, "run", batch_wide_scale)
    assert row_coupling(session, strokes)["beside an outlier"] > 0.1


def test_a_row_that_its_neighbours_move_fails(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coupling = {"alone": 0.0, "in another order": 0.0, "beside an outlier": 0.3}
    monkeypatch.setattr(self_check, "row_coupling", lambda *_: coupling)
    assert "rows are independent: a row's answer changes" in run_self_check(tiny_onnx, "cpu").summary


def test_accepted_nan_fails(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "as_strokes", lambda strokes: strokes)
    assert run_self_check(tiny_onnx, "cpu").summary.startswith("FAIL: NaN in the strokes: accepted")


def test_an_lstm_that_left_the_gpu_fails(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {"CUDAExecutionProvider": Counter(Gemm=1), "CPUExecutionProvider": Counter(LSTM=2, Slice=9)}
    monkeypatch.setattr(self_check, "place_nodes", lambda *_: elsewhere)
    assert "Gemm left CPUExecutionProvider" in run_self_check(tiny_onnx, "cpu").summary


def test_both_wheels_fail_with_the_fix(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = {"onnxruntime": "1.30.0", "onnxruntime-gpu": "1.31.1"}
    monkeypatch.setattr(self_check, "installed_wheels", lambda: wheels)
    summary = run_self_check(tiny_onnx, "cpu").summary
    assert "onnxruntime 1.30.0 and onnxruntime-gpu 1.31.1 overwrite each other" in summary
    assert "pip uninstall onnxruntime onnxruntime-gpu, then install one" in summary


def test_cuda_that_does_not_start_fails(sketch_infer: Run, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketch_infer.inference.providers.missing_for_cuda", lambda _: "no NVIDIA driver found")
    result = sketch_infer("--self-check", "--model", tiny_onnx, "--provider", "cuda")
    assert result.exit_code == 1
    assert "FAIL: provider: CUDA did not start: no NVIDIA driver found" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--report", "report.txt"], "expected a file that ends in .html or .json, found report.txt"),
        (["--model", "missing.onnx"], "missing.onnx: expected a model file, found nothing"),
    ],
)
def test_wrong_usage(sketch_infer: Run, arguments: list[str], reason: str) -> None:
    result = sketch_infer("--self-check", *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_the_model_is_not_overwritten_by_the_report(sketch_infer: Run, copied: Path, tmp_path: Path) -> None:
    link = tmp_path / "model.html"
    link.symlink_to(copied)
    result = sketch_infer("--self-check", "--model", copied, "--report", link)
    assert result.exit_code == 2
    assert "is also an input" in result.stderr


def test_the_limits_are_onnx_runtime_s_own() -> None:
    limits = environment.runtime_limits()
    assert limits.opset >= 20
    assert limits.ir_version >= 10


def test_wheels_are_found() -> None:
    assert len(environment.installed_wheels()) == 1


def test_libraries_that_load_are_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    if not environment.missing_cuda_libraries():
        pytest.skip("this ONNX Runtime has no CUDA, or all of its libraries")
    monkeypatch.setattr(environment, "_loads", lambda _: True)
    assert environment.missing_cuda_libraries() == []


def test_no_torch_and_no_onnx(tiny_onnx: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sketch_infer.checks.self_check import self_check; "
        f"assert self_check(Path({str(tiny_onnx)!r}), 'cpu'); print(sorted({{'torch', 'onnx'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_session_and_page_agree_on_the_hash(tiny_onnx: Path) -> None:
    assert run_self_check(tiny_onnx, "cpu").facts["content"] == f"sha256 {Session(tiny_onnx, 'cpu').content_sha256}"
