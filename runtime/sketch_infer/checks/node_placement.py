"""Which operators of a model file ran on which execution provider, and whether the heavy ones ran where they should."""

import json
import tempfile
from collections import Counter
from pathlib import Path

from sketch_infer.checks.report import Check
from sketch_infer.inference.cuda import CUDA
from sketch_infer.inference.providers import ProviderChoice, start_session
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import OUTPUTS
from sketch_infer.model.model_file import ModelFile

_HEAVY = {"Conv", "LSTM", "DynamicQuantizeLSTM", "Gemm", "MatMul", "MatMulInteger"}
"""Operators that belong on the GPU when CUDA was asked for; shapes and indices may well stay on the CPU."""


def place_nodes(file: ModelFile, opened: Session) -> dict[str, Counter[str]]:
    """Return which operators ran on which provider, by ONNX Runtime's own profile of one batch."""
    with tempfile.TemporaryDirectory() as folder:
        provider: ProviderChoice = "cuda" if opened.provider == CUDA else "cpu"
        session, _ = start_session(file.content, provider, profile=Path(folder) / "profile")
        probes = opened.metadata.probes
        session.run(OUTPUTS, {**probes.feeds(), **opened.zero_state(len(probes.names))})
        events = json.loads(Path(session.end_profiling()).read_text())
    placement: dict[str, Counter[str]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            ran_on = event["args"]["provider"]
            placement.setdefault(ran_on, Counter())[event["args"]["op_name"]] += 1
    return placement


def check_placement(session: Session, placement: dict[str, Counter[str]]) -> Check:
    """Check that no heavy operator left the session's provider."""
    strayed = {name for ran_on, ops in placement.items() if ran_on != session.provider for name in _HEAVY & set(ops)}
    if strayed:
        return Check("nodes are placed", False, f"{', '.join(sorted(strayed))} left {session.provider}")
    return Check("nodes are placed", bool(placement), f"every LSTM and product on {session.provider}")


def describe_nodes(operators: Counter[str]) -> str:
    """Return how many nodes ran on a provider, and how many of them are heavy."""
    heavy = [f"{count} {name}" for name, count in operators.items() if name in _HEAVY]
    return f"{operators.total()}, {', '.join(heavy)} among them" if heavy else str(operators.total())
