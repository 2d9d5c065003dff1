"""No time counts before its own outputs were found right."""

import math
from collections.abc import Mapping

from sketch_infer.checks.parity.compare import compare_outputs
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE, INT8_AGREEMENT

from .candidates import LOW_PRECISION, OPENVINO_BF16, OURS_FP32, OURS_INT8
from .messages import Outputs
from .workloads import Workload

PEER_TOLERANCE = 1e-3
"""What a float32 peer may be off, in units of the row's scale: one that misses our own bound is still worth comparing
with, but the table says how far off it is."""

MIN_AGREEMENT = {OURS_INT8: INT8_AGREEMENT, OPENVINO_BF16: 0.97}
"""Share of real drawings to which int8 and bfloat16 must give the class that eager PyTorch gives."""


class WrongAnswerError(Exception):
    """A candidate's outputs are not the network's."""


class Judge:
    """Holds outputs to eager PyTorch's.

    Attributes:
        deviation: by candidate, the largest |output - eager| so far, in units of the row's scale.
        agreement: by candidate, the smallest share of the bulk drawings with eager's class.
    """

    def __init__(self, references: Mapping[str, Outputs]) -> None:
        self._references = references
        self.deviation: dict[str, float] = {}
        self.agreement: dict[str, float] = {}

    def check(self, candidate: str, workload: Workload, outputs: Outputs, rows: int | None = None) -> None:
        """Compare the outputs of one run, or of one on the workload's first rows.

        Raises:
            WrongAnswerError: if they are off by more than the candidate's bound, or not of eager's shape.
        """
        bound = math.inf if candidate in LOW_PRECISION else bound_of(candidate)
        expected = {name: values[:rows] for name, values in self._references[workload.name].items()}
        report = compare_outputs(workload.name, expected, outputs, tolerance=bound)
        deviation = max(row.max_scaled for row in report.rows)
        self.deviation[candidate] = max(deviation, self.deviation.get(candidate, 0.0))
        if not report:
            raise WrongAnswerError(report.summary)
        if workload.name != "bulk" or rows is not None:
            return
        agreement = min(row.top1_agreement for row in report.rows)
        self.agreement[candidate] = min(agreement, self.agreement.get(candidate, 1.0))
        least = MIN_AGREEMENT.get(candidate, 0.0)
        if workload.judged and agreement < least:
            raise WrongAnswerError(f"{agreement:.2%} of the drawings get eager's class, {least:.0%} must")


def bound_of(candidate: str) -> float:
    """Return the bound on a float32 candidate's deviation."""
    return FP32_TOLERANCE if candidate == OURS_FP32 else PEER_TOLERANCE
