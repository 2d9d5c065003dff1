"""How CUDA is started, and what becomes of it when it fails, on machines without a GPU: a stand-in takes its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from sketch_infer import Classifier, InputError, ModelFileError, ProviderError
from sketch_infer.inference import providers
from sketch_infer.inference.batching import run_all
from sketch_infer.inference.cuda import CUDA
from sketch_infer.inference.installed import find_model
from sketch_infer.inference.providers import CPU
from sketch_infer.inference.session import Session
from tests.support import Run, random_sketches

Answer = Callable[[list[np.ndarray]], list[np.ndarray]]


class StandIn:
    """A session that claims to run on CUDA, and runs on the CPU."""

    def __init__(self, content: bytes, answer: Answer) -> None:
        self._session = onnxruntime.InferenceSession(content, providers=[CPU])
        self._answer = answer
        self.rows: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def run(self, names: list[str] | None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.rows.append(len(feeds["strokes"]))
        return self._answer(self._session.run(names, feeds))


@pytest.fixture
def start_cuda(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], list[StandIn]]:
    """Put stand-ins for CUDA in place, whose results go through `answer`; return those that were opened."""
    opened: list[StandIn] = []

    def start(answer: Answer = lambda results: results) -> list[StandIn]:
        def open_on_cuda(content: bytes, options: object) -> StandIn:  # noqa: ARG001  # as the function it replaces
            opened.append(StandIn(content, answer))
            return opened[-1]

        monkeypatch.setattr(providers, "missing_for_cuda", lambda _: "")
        monkeypatch.setattr(providers, "_open_on_cuda", open_on_cuda)
        return opened

    return start


def fail(_: list[np.ndarray]) -> list[np.ndarray]:
    raise RuntimeError("CUDNN failure 5000:\nno kernel image is available")


def spoil(results: list[np.ndarray]) -> list[np.ndarray]:
    return [values + np.float32(0.01) * np.arange(len(values), dtype=np.float32)[:, None] for values in results]


def forget(results: list[np.ndarray]) -> list[np.ndarray]:
    return [np.full_like(values, np.nan) for values in results]


def test_cuda_has_answered_the_files_own_sketches(tiny_onnx: Path, start_cuda: Callable[..., list[StandIn]]) -> None:
    opened = start_cuda()
    assert Session(tiny_onnx, "auto").provider == CUDA
    assert [stand_in.rows for stand_in in opened] == [[12]]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fail, "CUDNN failure 5000: no kernel image is available"),
        (spoil, r"its answers to the file's own sketches are wrong: 1\.\de-01 of the row's scale"),
        (forget, "its answers to the file's own sketches are wrong: nan of"),
    ],
    ids=["fails", "wrong", "nan"],
)
def test_a_first_run_that_is_no_good_is_told_or_left_to_the_cpu(
    tiny_onnx: Path, start_cuda: Callable[..., list[StandIn]], answer: Answer, reason: str
) -> None:
    start_cuda(answer)
    with pytest.raises(ProviderError, match=f"CUDA did not start: {reason}") as raised:
        Classifier(tiny_onnx, "cuda")
    assert "\n" not in str(raised.value)
    automatic = Classifier(tiny_onnx, "auto")
    assert automatic.provider == CPU
    assert automatic.cuda_missing in str(raised.value)
    expected = Classifier(tiny_onnx, "cpu").predict(random_sketches(3, 24))
    assert (automatic.predict(random_sketches(3, 24)).logits == expected.logits).all()


def test_the_whole_graph_is_on_the_gpu_or_none_of_it(monkeypatch: pytest.MonkeyPatch, tiny_onnx: Path) -> None:
    asked: dict[str, Any] = {}

    def open_session(_: bytes, options: onnxruntime.SessionOptions, chosen: list[Any]) -> None:
        asked["fallback"] = options.get_session_config_entry("session.disable_cpu_ep_fallback")
        asked["providers"] = chosen
        raise RuntimeError("nodes are assigned to the default CPU EP")

    monkeypatch.setattr(providers, "missing_cudnn", lambda: "")
    monkeypatch.setattr(providers, "missing_library", lambda _: "")
    monkeypatch.setattr(providers, "_open", open_session)
    with pytest.raises(RuntimeError, match="default CPU EP"):
        providers._open_on_cuda(tiny_onnx.read_bytes(), onnxruntime.SessionOptions())
    ((name, options),) = asked["providers"]
    assert (asked["fallback"], name, options["use_tf32"]) == ("1", CUDA, "0")


def test_a_session_that_became_a_cpu_session_is_no_cuda(monkeypatch: pytest.MonkeyPatch, tiny_onnx: Path) -> None:
    session = onnxruntime.InferenceSession(tiny_onnx.read_bytes(), providers=[CPU])
    monkeypatch.setattr(providers, "missing_cudnn", lambda: "")
    monkeypatch.setattr(providers, "_open", lambda *_: session)
    with pytest.raises(ProviderError, match="opened the file on the CPU without an error"):
        providers._open_on_cuda(tiny_onnx.read_bytes(), onnxruntime.SessionOptions())


def test_the_command_tells_of_branches_which_a_gpu_waits_for(
    sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, start_cuda: Callable[..., list[StandIn]]
) -> None:
    assert Session(tiny_onnx, "cpu").has_control_flow
    assert "export with --graph plain" not in sketch_infer(strokes_file, "--model", tiny_onnx).stderr
    start_cuda()
    result = sketch_infer(strokes_file, "--model", tiny_onnx)
    assert result.exit_code == 0
    assert "a GPU waits for each branch; for CUDA, export with --graph plain" in result.stderr
    assert "export with" not in sketch_infer(strokes_file, "--model", tiny_onnx, "--quiet").stderr


def test_batches_on_cuda_are_large_and_bounded(tiny_onnx: Path, start_cuda: Callable[..., list[StandIn]]) -> None:
    opened, sketches = start_cuda(), random_sketches(600, 24)
    classifier = Classifier(tiny_onnx, "cuda")
    logits = classifier.predict(sketches).logits
    assert opened[0].rows == [12, 256, 256, 88]
    np.testing.assert_allclose(logits, Classifier(tiny_onnx, "cpu").predict(sketches).logits, atol=1e-5)
    session = Session(tiny_onnx, "cuda")
    assert session.max_rows * 24 * 2**13 <= 2**31 < (session.max_rows + 1) * 24 * 2**13
    session.max_rows = 100
    with pytest.raises(InputError, match="at most 100 sketches a call on CUDA, found 600"):
        session.run(sketches)
    outputs, _ = run_all(session, list(sketches), 1000, 1)
    assert opened[1].rows == [12, *[100] * 6]
    np.testing.assert_array_equal(outputs["logits"][:5], session.run(sketches[:5])["logits"])


def test_int8_never_opens_cuda(start_cuda: Callable[..., list[StandIn]]) -> None:
    opened = start_cuda()
    try:
        int8 = find_model(None, "int8")
    except ModelFileError as error:
        pytest.skip(f"no int8 model: {error}")
    automatic = Session(int8, "auto")
    assert (automatic.provider, automatic.cuda_missing) == (CPU, "ONNX Runtime has no int8 LSTM for CUDA")
    with pytest.raises(ProviderError, match="no int8 LSTM for CUDA; use an fp32 model"):
        Session(int8, "cuda")
    assert opened == []


def test_cpu_batches_stay_as_they_were(tiny_onnx: Path) -> None:
    assert Session(tiny_onnx, "cpu").max_rows > 10**9
    assert Classifier(tiny_onnx, "cpu")._batch_size == 16
