"""The parity of an opened model file with eager PyTorch on the probes that it carries."""

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.checks.parity.compare import compare_outputs
from sketch_infer.checks.parity.report import ParityReport
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE, INT8_TOLERANCE
from sketch_infer.errors import ModelFileError
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import OUTPUTS

PROBE_BATCHES = (1, 2, 3, 7)
"""Batch sizes that the probes run at, beside all at once."""


def check_probes(session: Session) -> tuple[ParityReport, dict[str, FloatArray] | None]:
    """Run the probes at several batch sizes and compare with eager PyTorch's recorded outputs.

    Every call has exactly its batch's rows: the probes are repeated from the first to fill the last one.

    Returns:
        the comparison, and the outputs of all probes in one batch by name (None if their shapes differ).
    """
    probes, report = session.metadata.probes, ParityReport((), session.provider)
    tolerance = FP32_TOLERANCE if session.metadata.precision == "fp32" else INT8_TOLERANCE
    answers: dict[str, FloatArray] | None = None
    count, expected = len(probes.names), probes.answers()
    for batch in (*PROBE_BATCHES, count):
        case = "all probes" if batch == count else f"batch {batch}"
        rows = np.arange(-(-count // batch) * batch) % count
        try:
            chosen = [probes.sketches[int(row)] for row in rows]
            calls = [session.run(chosen[at : at + batch], outputs=session.outputs) for at in range(0, len(rows), batch)]
        except ModelFileError as error:
            report += ParityReport.of_failure(case, str(error))
            continue
        outputs = {name: np.concatenate([call[name] for call in calls]) for name in session.outputs}
        eager = {name: expected[name][rows] for name in session.outputs}
        report += compare_outputs(case, eager, outputs, tolerance=tolerance)
        if batch == count and all(outputs[name].shape == eager[name].shape for name in OUTPUTS):
            answers = outputs
    return report, answers
