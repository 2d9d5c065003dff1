"""Proves the fast and the plain graph on CUDA and writes a report to send back. See docs/gpu.md."""

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import onnx

from sketch_export import export_onnx, prove
from sketch_export.checks.layers import compare_layers, layers_check, layers_table
from sketch_export.checks.proof import proof_strokes
from sketch_export.checks.proof_report import proof_report
from sketch_export.sample_drawings import varied_sketches
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.report import Check, Report, Table
from sketch_infer.checks.report_page import write_report
from sketch_infer.checks.self_check import self_check
from sketch_infer.errors import ProviderError
from sketch_infer.inference.cuda import missing_for_cuda
from sketch_infer.inference.providers import ProviderChoice, import_onnxruntime, start_session
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import STROKES
from sketch_infer.model.model_file import ModelFile
from sketch_infer.strokes.preprocess import to_batch
from sketch_models import SketchRNN, load_checkpoint

BATCHES = (1, 16, 256, 512)

LATE = "forward.late"
"""Value of the fast graph, bool (batch,): rows that run again because their state was not near rest."""

_REPEATS = 50
"""Runs of one batch that have to be equal bit for bit: what is read before it is there differs now and then."""

_TIMED_RUNS = 10

_SEARCHED = 16
"""Batches of sketches that are searched for late ones."""


def late_sketches(file: ModelFile, length: int, count: int = 256) -> FloatArray:
    """Return sketches that the fast graph runs again in full, up to `count`, float32 (n, length, 3)."""
    graph = onnx.load_model_from_string(file.content)
    if not any(LATE in node.output for node in graph.graph.node):
        return np.empty((0, length, 3), np.float32)
    graph.graph.output.append(onnx.helper.make_tensor_value_info(LATE, onnx.TensorProto.BOOL, ["batch"]))
    session, _ = start_session(graph.SerializeToString(), "cpu")
    found = np.empty((0, length, 3), np.float32)
    for seed in range(_SEARCHED):
        # Wild strokes, cut short: their state is far from rest when the drawing ends.
        strokes = proof_strokes(64, length, seed) * np.array([1 + seed, 1 + seed, 1], np.float32)
        found = np.concatenate([found, strokes[session.run([LATE], {STROKES: strokes})[0]]])
        if len(found) >= count:
            break
    return found[:count]


def short_sketches(length: int) -> FloatArray:
    """Return 256 sketches of one to three points."""
    strokes = proof_strokes(256, length, seed=9)
    strokes[np.arange(length) >= (np.arange(256) % 3 + 1)[:, None]] = 0
    return strokes


def run_proof(files: Mapping[str, ModelFile], network: SketchRNN, provider: ProviderChoice) -> Report:
    """Run everything, for the graphs by name; the one that is called fast has late rows."""
    length = network.config.sequence_length
    late = late_sketches(files["fast"], length)
    mixed = np.concatenate([late, proof_strokes(max(1, 512 - len(late)), length, seed=5)])
    cases = {"short sketches": short_sketches(length), f"{len(late)} late rows of {len(mixed)}": mixed}
    checks, tables, proofs = [Check("late rows", bool(len(late)), f"{len(late)} found")], [], {}
    for name, file in files.items():
        own = self_check(Path(file.name), provider)
        checks += [replace(check, name=f"{name}: {check.name}") for check in own.checks]
        proof = prove(file, network, provider, BATCHES)
        for case in cases.items():
            proof += replace(prove(file, network, provider, (), extra=case), notes=())
        proofs[file] = proof
        session = Session(file, provider)
        checks.append(_repeats(name, session, mixed))
        layers = compare_layers(file, network, provider)
        tables.append(layers_table(f"Layers, {name}", layers))
        checks.append(layers_check(name, layers))
    tables.append(_timings({name: Session(file, provider) for name, file in files.items()}, length))
    found = proof_report("Proof on CUDA", proofs, checks, tables)
    return replace(found, facts={**found.facts, "GPU": _gpu(), "ONNX Runtime": import_onnxruntime().__version__})


def _repeats(name: str, session: Session, strokes: FloatArray) -> Check:
    first = session.run(strokes)["logits"]
    different = sum(not np.array_equal(session.run(strokes)["logits"], first) for _ in range(_REPEATS))
    return Check(f"{name}: runs repeat", not different, f"{different} of {_REPEATS} runs differ")


def _timings(sessions: Mapping[str, Session], length: int) -> Table:
    """Measure sketches a second by batch size; the graphs take turns."""
    rows = []
    for batch in BATCHES:
        strokes = to_batch(varied_sketches(batch), length)[0]
        seconds: dict[str, list[float]] = {name: [] for name in sessions}
        for _ in range(_TIMED_RUNS + 1):
            for name, session in sessions.items():
                start = time.perf_counter()
                session.run(strokes)
                seconds[name].append(time.perf_counter() - start)
        rates = (batch / statistics.median(seconds[name][1:]) for name in sessions)
        rows.append((str(batch), *(f"{rate:,.0f}" for rate in rates)))
    return Table("Sketches a second, medians", ("batch", *sessions), tuple(rows))


def _gpu() -> str:
    if not (command := shutil.which("nvidia-smi")):
        return "unknown: there is no nvidia-smi"
    query = [command, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()


@click.command()
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--report", type=click.Path(path_type=Path), default=Path("cuda-proof.json"), show_default=True)
def main(checkpoint: Path, report: Path) -> None:
    """Prove both graphs of a checkpoint on CUDA, and write a report."""
    if reason := missing_for_cuda(import_onnxruntime()):
        raise click.ClickException(f"the proof needs a GPU: {reason}")
    network = load_checkpoint(checkpoint).model
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for graph in ("fast", "plain"):
            path = Path(folder) / f"{graph}.onnx"
            export_onnx(network, path, graph="fast" if graph == "fast" else "plain")
            files[graph] = ModelFile.read(path)
        try:
            found = run_proof(files, network, "cuda")
        except ProviderError as error:
            raise click.ClickException(str(error)) from error
    write_report(found, report)
    click.echo(str(found))
    click.echo(f"wrote {report}: please send it back")
    if not found:
        raise click.ClickException("the proof failed; see above")


if __name__ == "__main__":
    main()
