"""One engine, one file: the probes in the file, and whether the engine's answers are eager PyTorch's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.engines.web import NotRun, run_web
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE, INT8_TOLERANCE
from sketch_infer.inference.providers import CPU
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import Feeds
from sketch_infer.untrusted import one_line

Answer = tuple[str, FloatArray]
"""The engine's version and its logits."""

FILES = ("fast", "plain", "int8", "points")


@dataclass(frozen=True)
class Found:
    """What one engine made of one file.

    Attributes:
        engine: its name.
        file: one of `FILES`.
        verdict: "right", "wrong", "refused" or "not run".
        version: of the engine; empty if it did not answer.
        difference: largest |logit - eager's| in units of the row's scale; None if it did not answer.
        reason: why it refused, or what it needs to be run.
    """

    engine: str
    file: str
    verdict: str
    version: str = ""
    difference: float | None = None
    reason: str = ""

    @property
    def cell(self) -> str:
        """What the table says of it."""
        if self.verdict == "not run":
            return f"not run: {self.reason}"
        return self.verdict if self.difference is None else f"{self.verdict} ({self.difference:.0e})"


def run_onnxruntime(path: Path, feeds: Feeds) -> Answer:
    import onnxruntime

    (logits,) = onnxruntime.InferenceSession(path, providers=[CPU]).run(["logits"], feeds)
    return onnxruntime.__version__, logits


def run_openvino(path: Path, feeds: Feeds) -> Answer:
    import openvino

    compiled = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return openvino.__version__.split("-")[0], compiled(feeds)["logits"]


def run_reference(path: Path, feeds: Feeds) -> Answer:
    import onnx
    from onnx.reference import ReferenceEvaluator

    (logits,) = ReferenceEvaluator(str(path)).run(["logits"], feeds)
    return onnx.__version__, np.asarray(logits)


ENGINES: dict[str, Callable[[Path, Feeds], Answer]] = {
    "ONNX Runtime": run_onnxruntime,
    "onnxruntime-web": run_web,
    "OpenVINO": run_openvino,
    "ONNX's reference evaluator": run_reference,
}

PROVEN = ("ONNX Runtime", "onnxruntime-web")
"""Those that the files are made for."""


def ask(engine: str, file: str, path: Path) -> Found:
    """Run a file's probes; in a process of its own, as an engine may end it."""
    metadata = Session(path, "cpu").metadata
    expected = metadata.probes.outputs["logits"]
    try:
        version, logits = ENGINES[engine](path, metadata.probes.feeds())
    except (NotRun, ImportError) as error:
        return Found(engine, file, "not run", reason=str(error))
    except Exception as error:  # whatever an engine raises is its way to refuse
        return Found(engine, file, "refused", reason=one_line(str(error))[:120])
    scale = np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
    difference = float(np.abs((logits - expected) / scale).max())
    tolerance = INT8_TOLERANCE if metadata.precision == "int8" else FP32_TOLERANCE
    # A NaN is wrong, too.
    return Found(engine, file, "right" if difference <= tolerance else "wrong", version, difference)
