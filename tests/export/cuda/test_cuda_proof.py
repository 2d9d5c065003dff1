"""`make cuda-proof`, with the CPU in CUDA's place, and where it cannot run."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cuda import __main__ as cuda_proof
from sketch_export.checks.proof import proof_strokes
from sketch_infer.checks.report_page import write_report
from sketch_infer.model.model_file import ModelFile
from sketch_models import save_checkpoint
from tests.networks import make_model
from tests.support import run_command


def test_the_proof_runs_everything(
    tiny_onnx: Path, tiny_plain_onnx: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cuda_proof, "BATCHES", (1, 3))
    monkeypatch.setattr(cuda_proof, "_REPEATS", 2)
    late = proof_strokes(5, 24)
    monkeypatch.setattr(cuda_proof, "late_sketches", lambda *_: late)
    files = {"fast": ModelFile.read(tiny_onnx), "plain": ModelFile.read(tiny_plain_onnx)}
    found = cuda_proof.run_proof(files, make_model(), "cpu")
    assert found, str(found)
    assert found.parity
    cases = {row.case.partition(": ")[2] for row in found.parity.rows}
    assert {"batch 1", "batch 3", "short sketches", "5 late rows of 512"} <= cases
    write_report(found, tmp_path / "report.json")
    assert '"Sketches a second, medians"' in (tmp_path / "report.json").read_text()


def test_late_rows_are_late_by_the_graph_itself(default_onnx: Path) -> None:
    late = cuda_proof.late_sketches(ModelFile.read(default_onnx), 196, count=20)
    assert 0 < len(late) <= 20
    assert np.isfinite(late).all()


def test_without_a_gpu_one_line_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "weights.safetensors", make_model())
    monkeypatch.setattr(cuda_proof, "missing_for_cuda", lambda _: "no NVIDIA driver here")
    result = run_command(cuda_proof.main, "--checkpoint", tmp_path / "weights.safetensors")
    assert result.exit_code == 1
    assert result.stderr == "Error: the proof needs a GPU: no NVIDIA driver here\n"
