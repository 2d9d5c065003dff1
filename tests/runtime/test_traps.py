"""Traps of the tools below us: each is sprung once as it is, then shown not to reach our users."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from sketch_infer import Classifier, ModelFileError, ProviderError
from sketch_infer.inference import providers
from sketch_infer.inference.cuda import CUDA
from sketch_infer.inference.providers import CPU


def cuda_runs(model: Path) -> bool:
    return Classifier(model, "auto").provider == CUDA


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_no_rows_abort_onnx_runtime_but_not_us(tiny_onnx: Path) -> None:
    raw = (
        "import numpy, onnxruntime, sys; "
        "s = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider']); "
        "s.run(None, {'strokes': numpy.zeros((0, 24, 3), numpy.float32)})"
    )
    died = subprocess.run([sys.executable, "-c", raw, str(tiny_onnx)], capture_output=True, check=False)
    assert died.returncode < 0  # ended by a signal, which no except clause sees
    predictions = Classifier(tiny_onnx, "cpu").predict(np.zeros((0, 24, 3)))
    assert (predictions.log_probs.shape, predictions.logits.shape, predictions.labels) == ((0, 5), (0, 5), [])


def test_a_cuda_session_becomes_a_cpu_session_but_not_here(
    tiny_onnx: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if CUDA not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime is built without CUDA")
    if cuda_runs(tiny_onnx):
        pytest.skip("CUDA works here")
    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(str(tiny_onnx), options, providers=[CUDA])
    assert session.get_providers() == [CPU]
    capfd.readouterr()
    with pytest.raises(ProviderError, match="CUDA did not start: ") as raised:
        Classifier(tiny_onnx, "cuda")
    assert "\n" not in str(raised.value)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")  # ONNX Runtime's own account of it is kept back
    # With a driver but without CUDA's libraries, the missing one is named.
    monkeypatch.setattr(providers, "missing_for_cuda", lambda _: "")
    with pytest.raises(
        ProviderError, match=r"libcudnn\.so\.9: cannot open shared object file.*pip install 'onnxruntime-gpu"
    ):
        Classifier(tiny_onnx, "cuda")
    monkeypatch.setattr(providers, "missing_cudnn", lambda: "")
    with pytest.raises(ProviderError, match=r"CUDA did not start: lib\w+\.so\.\d+: cannot open shared object file"):
        Classifier(tiny_onnx, "cuda")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    automatic = Classifier(tiny_onnx, "auto")
    assert automatic.provider == CPU
    assert automatic.cuda_missing


def test_a_session_that_fails_on_cuda_is_not_the_models_fault(
    tmp_path: Path, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object) -> None:
        raise RuntimeError("CUDA failure 2:\nout of memory")

    monkeypatch.setattr(providers, "missing_for_cuda", lambda _: "")
    monkeypatch.setattr(providers, "_open_on_cuda", out_of_memory)
    with pytest.raises(ProviderError, match="CUDA did not start: CUDA failure 2: out of memory"):
        Classifier(tiny_onnx, "cuda")
    assert Classifier(tiny_onnx, "auto").cuda_missing == "CUDA failure 2: out of memory"
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="not a model"):
        Classifier(tmp_path / "bad.onnx", "cuda")


def test_a_wheel_without_cuda_is_named(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(ProviderError, match=r"built for the CPU only; CUDA needs onnxruntime-gpu\[cuda,cudnn\]"):
        Classifier(tiny_onnx, "cuda")
    assert Classifier(tiny_onnx, "auto").provider == CPU
