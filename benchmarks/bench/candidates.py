"""Who is measured: the columns of the table, each in the variants among which its best one counts."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sketch_infer.inference.installed import default_model

from .machine import thread_counts, usable_cores
from .workloads import Workload

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "models" / "quickdraw-40" / "model.safetensors"

OURS_FP32, OURS_INT8, OPENVINO_BF16 = "ours", "ours int8", "OV bf16"
FP32_PEERS = ("eager", "compile", "traced", "ORT", "ORT 1t", "OpenVINO")
PLAIN = ("ORT", "ORT 1t")
COLUMNS = (OURS_FP32, OURS_INT8, *FP32_PEERS, OPENVINO_BF16)
LOW_PRECISION = (OURS_INT8, OPENVINO_BF16)

LEGEND = """\
ours, ours int8: sketch_infer.Classifier as it comes. eager, compile, traced: PyTorch, torch.compile, TorchScript.
ORT, ORT 1t: the op-for-op ONNX export in ONNX Runtime with default options, and with one thread. OpenVINO, OV bf16:
the same file in OpenVINO at float32 and bfloat16. Each peer stands with the best of its thread counts and batches."""

CHUNKS = (16, 64, 256)
"""Batch sizes into which a peer may split what it is given."""

EngineName = Literal["reference", "ours", "eager", "compiled", "traced", "onnxruntime", "openvino", "matmul"]


@dataclass(frozen=True)
class Variant:
    """A candidate in one configuration, which runs in a process of its own.

    Attributes:
        candidate: its column.
        engine: what runs it.
        model: file that it opens.
        threads: threads inside one operator; the engine's own choice when None.
        precision: of OpenVINO's arithmetic, "f32" or "bf16".
        streams: requests that OpenVINO works on at a time; above 1 it is set up for throughput.
    """

    candidate: str
    engine: EngineName
    model: Path
    threads: int | None = None
    precision: str = "f32"
    streams: int = 1

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}" if self.threads else "own threads"
        return f"{threads}, {self.streams} streams" if self.streams > 1 else threads

    def chunks(self, workload: Workload) -> list[int | None]:
        """Return the batch sizes to try on a workload; None is the whole call, no batch size leaves it out."""
        if self.engine in ("ours", "reference", "matmul"):
            return [None]
        if workload.one_by_one:
            return [] if self.streams > 1 else [None]
        n_rows = len(workload.strokes)
        if self.engine == "compiled":  # every shape costs a compilation
            return [CHUNKS[1]] if workload.name == "bulk" else [None]
        sizes: list[int | None] = [size for size in CHUNKS if size < n_rows]
        if workload.name == "bulk":
            return sizes
        return [*sizes, n_rows // self.streams if self.streams > 1 else None]


def plain_model(folder: Path) -> Path:
    """Write the op-for-op export of the default network into a folder.

    This is the one place that knows how: what ONNX peers get is what PyTorch's own exporter gives, not our graph.
    """
    path = folder / "plain.onnx"
    command: list[str | Path] = [Path(sys.executable).with_name("sketch-export"), "onnx", "--graph", "plain"]
    subprocess.run([*command, "--checkpoint", CHECKPOINT, "--output", path], check=True, stdout=subprocess.DEVNULL)
    return path


def all_variants(plain: Path) -> list[Variant]:
    """Return the variants of all columns in order."""
    variants = [Variant(OURS_FP32, "ours", default_model()), Variant(OURS_INT8, "ours", default_model("int8"))]
    threads = thread_counts()
    torch_engines: Sequence[tuple[str, EngineName]] = (
        ("eager", "eager"),
        ("compile", "compiled"),
        ("traced", "traced"),
    )
    variants += [Variant(name, engine, CHECKPOINT, count) for name, engine in torch_engines for count in threads]
    variants += [Variant("ORT", "onnxruntime", plain), Variant("ORT 1t", "onnxruntime", plain, 1)]
    for candidate, precision in (("OpenVINO", "f32"), (OPENVINO_BF16, "bf16")):
        variants += [Variant(candidate, "openvino", plain, count, precision) for count in threads]
        if (cores := usable_cores()) > 1:
            variants.append(Variant(candidate, "openvino", plain, cores, precision, streams=cores))
    return variants


def matmul_variants() -> list[Variant]:
    """Return the yardstick of the machine's own speed, at each thread count."""
    return [Variant("MatMul", "matmul", Path(), count) for count in thread_counts()]
