"""The proof on the device: does this file, under this ONNX Runtime, on this provider, answer as eager PyTorch did?"""

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np

from sketch_infer._version import __version__
from sketch_infer.checks.environment import (
    describe_machine,
    describe_python_packages,
    installed_wheels,
    missing_cuda_libraries,
    runtime_limits,
)
from sketch_infer.checks.node_placement import check_placement, describe_nodes, place_nodes
from sketch_infer.checks.parity.probes import check_probes
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE
from sketch_infer.checks.report import Check, Report, sketch_answers
from sketch_infer.checks.row_coupling import row_coupling
from sketch_infer.checks.signing import read_verify_key, verify_file
from sketch_infer.errors import InputError, ModelFileError, ProviderError, SignatureError, SketchError, require_file
from sketch_infer.inference.cuda import CUDA, INSTALL_CUDA
from sketch_infer.inference.providers import CPU, ProviderChoice, import_onnxruntime
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import POINTS
from sketch_infer.model.model_file import ModelFile
from sketch_infer.strokes.preprocess import as_strokes

MIN_PROBES = 8

_TIMED_RUNS = 100

_TIMED_SECONDS = 5
"""A slow device is timed over each probe twice, however long that takes, and over more while this lasts."""


def self_check(model: Path, provider: ProviderChoice = "auto", verify_key: Path | None = None) -> Report:
    """Check a model file where it is to run, without torch.

    Args:
        model: the file.
        provider: "cuda", which then has to start; "cpu"; or "auto", which takes what starts.
        verify_key: the public key that has to have signed the file; None for no matter who made it.

    Returns:
        all that was found; true when every check and the parity with eager PyTorch on the file's probes hold.

    Raises:
        ModelFileError: if there is no such file.
        InputError: if there is no such key.
        DependencyError: if onnxruntime, or for the key cryptography, is not installed.
    """
    require_file(model, "a model file")
    key = read_verify_key(verify_key) if verify_key else None
    facts = {
        "path": str(model),
        "sketch-infer": __version__,
        "machine": describe_machine(),
        "ONNX Runtime": _describe_runtime(),
    }
    checks = [_check_wheels()]
    try:
        file = ModelFile.read(model)  # once: all that follows is of these bytes
        facts["file"] = f"sha256 {sha256(file.content).hexdigest()}"
        if key:
            verify_file(model, file.content, key)
            checks.append(Check("signature", True, f"by the key in {verify_key}"))
        session = Session(file, provider)
    except (ModelFileError, ProviderError, SignatureError) as error:
        names: dict[type, str] = {ProviderError: "provider", SignatureError: "signature"}
        name = names.get(type(error), "model file")
        facts |= _describe_providers(None)
        failed = Check(name, False, str(error).removeprefix(f"{model}: "))
        return Report(f"Self-check of {model.name}", facts, (*checks, failed), versions=describe_python_packages())
    facts |= _describe_providers(session) | _describe_model(file, session)
    checks += [Check("provider", True, f"{session.provider} runs"), Check("model file", True, "as it was exported")]
    probes = session.metadata.probes
    many = len(probes.names) >= MIN_PROBES
    checks.append(Check("probes", many, f"{len(probes.names)} sketches (expected {MIN_PROBES} or more)"))
    parity, answers = check_probes(session)
    if parity:
        for check in (_check_bad_strokes, _check_no_rows, _check_rows):
            checks.append(_guarded(check, session))
        placement = place_nodes(file, session)
        checks.append(check_placement(session, placement))
        facts["nodes that ran"] = "; ".join(f"{provider}: {describe_nodes(ops)}" for provider, ops in placement.items())
        facts["one sketch"] = _time_one(session)
    return Report(
        f"Self-check of {model.name}",
        facts,
        tuple(checks),
        parity,
        sketches=sketch_answers(session.metadata, answers) if answers is not None else (),
        versions=describe_python_packages()
        | {f"exported by {k}": v for k, v in session.metadata.tool_versions.items()},
    )


def _guarded(check: Callable[[Session], Check], session: Session) -> Check:
    try:
        return check(session)
    except SketchError as error:
        return Check(check.__name__.removeprefix("_check_").replace("_", " "), False, str(error))


def _check_wheels() -> Check:
    wheels = installed_wheels()
    found = " and ".join(f"{name} {version}" for name, version in wheels.items())
    if len(wheels) > 1:
        fix = f"pip uninstall {' '.join(wheels)}, then install one"
        return Check("one ONNX Runtime", False, f"{found} overwrite each other; {fix}")
    return Check("one ONNX Runtime", True, found or "of no known package")


def _check_bad_strokes(session: Session) -> Check:
    good = session.metadata.probes.sketches[0]
    bad = good.copy()
    bad[0, 0] = np.nan
    if session.metadata.input_form == POINTS:
        # Whoever calls the file without this package relies on the file itself.
        found = session.run([good, bad, good])["log_probs"]
        holds = np.isnan(found[1]).all() and np.isfinite(found[[0, 2]]).all()
        return Check("NaN in the points", bool(holds), f"answers {'NaN' if holds else 'wrong'} for its drawing alone")
    try:
        as_strokes(bad)
    except InputError:
        return Check("NaN in the strokes", True, "refused")
    return Check("NaN in the strokes", False, "accepted: its answers would look plausible and be wrong")


def _check_no_rows(session: Session) -> Check:
    shapes = {name: values.shape for name, values in session.run(session.metadata.probes.sketches[:0]).items()}
    expected = (0, len(session.metadata.labels))
    return Check("no sketches", set(shapes.values()) == {expected}, f"outputs of shape {expected}")


def _check_rows(session: Session) -> Check:
    coupling = row_coupling(session, session.metadata.probes.sketches)
    worst = max(coupling.values())
    how = "alone, in another order and beside an outlier"
    if worst <= FP32_TOLERANCE:
        found = "equal bit for bit" if worst == 0 else f"within {worst:.1e} of the row's scale"
        return Check("rows are independent", True, f"{found} {how}")
    moved = ", ".join(f"{name} {value:.1e}" for name, value in coupling.items())
    return Check("rows are independent", False, f"a row's answer changes: {moved} (tolerance {FP32_TOLERANCE:.0e})")


def _time_one(session: Session) -> str:
    sketches, milliseconds = session.metadata.probes.sketches, []
    until = time.perf_counter() + _TIMED_SECONDS
    for run in range(_TIMED_RUNS):
        if run >= 2 * len(sketches) and time.perf_counter() > until:
            break
        row = run % len(sketches)
        start = time.perf_counter()
        session.run(sketches[row : row + 1])
        milliseconds.append(1e3 * (time.perf_counter() - start))
    p50, p90 = np.percentile(milliseconds[len(sketches) :], [50, 90])
    return f"{p50:.2f} ms in the median, {p90:.2f} ms at the 90th percentile (one thread, the probes)"


def _describe_runtime() -> str:
    version = import_onnxruntime().__version__
    limits = runtime_limits()
    wheels = " + ".join(installed_wheels()) or "no known package"
    opset, ir_version = limits.opset or "?", limits.ir_version or "?"
    return f"{version} from {wheels}; opens opsets up to {opset}, IR versions up to {ir_version}"


def _describe_providers(session: Session | None) -> dict[str, str]:
    built_in = import_onnxruntime().get_available_providers()
    found = []
    for name in built_in:
        if name not in (CPU, CUDA):
            found.append(f"{name} is built in and not used")
        elif session and name == session.provider:
            found.append(f"{name} runs")
        elif name == CUDA and session and session.cuda_missing:
            found.append(f"{name} is built in and does not start: {session.cuda_missing}")
        else:
            found.append(f"{name} is built in")
    facts = {"providers": "; ".join(found)}
    if missing := missing_cuda_libraries():
        facts["CUDA libraries"] = f"missing {', '.join(missing)}; for a GPU: {INSTALL_CUDA} (libcuda: NVIDIA's driver)"
    return facts


def _describe_model(file: ModelFile, session: Session) -> dict[str, str]:
    metadata, header = session.metadata, file.header
    trained = "random weights" if metadata.random_weights else "trained"
    return {
        "model": f"{len(file.content) / 1e6:.1f} MB, {metadata.precision}, {trained}, "
        f"{len(metadata.labels)} classes, opset {header.opsets.get('', 0)}, IR version {header.ir_version}",
        "weights": f"sha256 {metadata.weights_sha256}",
        "content": f"sha256 {session.content_sha256}",
    }
