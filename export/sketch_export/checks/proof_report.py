"""A proof as a report to print, to keep or to read as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch

from sketch_infer import __version__
from sketch_infer.checks.environment import describe_machine, describe_python_packages
from sketch_infer.checks.parity.probes import check_probes
from sketch_infer.checks.parity.report import ParityReport
from sketch_infer.checks.report import Check, Report, Table, sketch_answers
from sketch_infer.inference.session import Session
from sketch_infer.model.model_file import ModelFile


def proof_report(
    title: str,
    proofs: Mapping[ModelFile, ParityReport],
    checks: Sequence[Check] = (),
    tables: Sequence[Table] = (),
) -> Report:
    """Put the proofs of model files, and what else was found, into one report.

    Args:
        title: what was proven.
        proofs: by file; each case gets its file's name where there are several.
        checks: what has to hold beside the proofs.
        tables: further figures.
    """
    parity, facts = ParityReport(()), {"sketch-export": __version__, "machine": describe_machine()}
    for file, proof in proofs.items():
        name, checked = Path(file.name).name, file.check()
        prefix = f"{name}: " if len(proofs) > 1 else ""
        rows = tuple(replace(row, case=prefix + row.case) for row in proof.rows)
        parity += replace(proof, rows=rows, notes=())
        facts |= {
            name: f"{len(file.content) / 1e6:.1f} MB, {checked.metadata.precision}",
            f"{name}, weights": f"sha256 {checked.metadata.weights_sha256}",
            f"{name}, content": f"sha256 {checked.content_sha256}",
        } | {f"{name}, note": note for note in proof.notes}
    first = Session(next(iter(proofs)), "cpu")
    answers = check_probes(first)[1]
    tools = {package: version(package) for package in ("onnx", "onnxscript", "onnx-ir")}
    return Report(
        title,
        facts,
        tuple(checks),
        parity,
        tuple(tables),
        sketch_answers(first.metadata, answers) if answers is not None else (),
        describe_python_packages() | {"torch": torch.__version__} | tools,
    )
