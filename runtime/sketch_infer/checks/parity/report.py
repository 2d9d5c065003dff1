"""What comparisons of outputs found: whether they hold, what does not, and the table of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE, TRUTH_FACTOR, TRUTH_FLOOR
from sketch_infer.model.codes import CODE
from sketch_infer.tables import format_table, wrap
from sketch_infer.untrusted import one_line

HISTOGRAM_EDGES = (0.0, *(10.0**exponent for exponent in range(-9, 1)), float("inf"))
"""Differences in units of scale are counted by decades, and all from 1 on together."""


@dataclass(frozen=True)
class OutputParity:
    """The comparison of one output; true when it holds.

    Attributes:
        case: what was run, for example "batch 7".
        output: name of the output.
        eager_shape, onnx_shape: the shapes.
        eager_dtype, onnx_dtype: the dtypes' names.
        max_abs: largest ``|ONNX - eager|``; NaN when the shapes differ or a value is not finite. Of a code, how far
            from 0, the threshold, eager PyTorch's embedding is where a bit differs: a bit may only if it is near.
        max_scaled: the same in units of scale, which is what the tolerance bounds.
        tolerance: the bound on `max_scaled`.
        eager_error, onnx_error: largest distance of each from float64, in units of scale; NaN if not computed.
        top1_agreement: share of rows with the same largest entry, of a code share of equal bits; 1 for no rows.
        min_agreement: the bound on `top1_agreement`.
        failure: why there are no outputs to compare; empty if there are.
        histogram: how many entries differ by how much, in units of scale, between the HISTOGRAM_EDGES.
    """

    case: str
    output: str
    eager_shape: tuple[int, ...]
    onnx_shape: tuple[int, ...]
    eager_dtype: str
    onnx_dtype: str
    max_abs: float
    max_scaled: float
    tolerance: float
    eager_error: float
    onnx_error: float
    top1_agreement: float
    min_agreement: float = 0.0
    failure: str = ""
    histogram: tuple[int, ...] = ()

    @property
    def problem(self) -> str:
        """What does not hold, and which tolerance would pass; empty if all holds."""
        if self.failure:
            return self.failure
        if self.eager_shape != self.onnx_shape:
            return f"shape {self.onnx_shape}, expected {self.eager_shape}"
        if self.eager_dtype != self.onnx_dtype:
            return f"dtype {self.onnx_dtype}, expected {self.eager_dtype}"
        if not np.isfinite(self.max_scaled):
            return "a value is NaN or infinite"
        problems = []
        if self.max_scaled > self.tolerance:
            needed = _round_up(self.max_scaled)
            problems.append(
                f"off by more than {self.tolerance:.0e} of the row's scale; a tolerance of {needed} would pass"
            )
            if self.eager_error > self.tolerance / 4:  # false for NaN: not computed
                own = f"eager PyTorch itself is {self.eager_error:.1e} off float64"
                problems.append(f"{own}: these weights ask for more than float32")
        if self.top1_agreement < self.min_agreement:
            what = "{:.1%} of the bits are equal" if self.output == CODE else "the same label for {:.1%} of rows"
            problems.append(f"{what.format(self.top1_agreement)}, expected {self.min_agreement:.0%}")
        truth_bound = TRUTH_FACTOR * self.eager_error + TRUTH_FLOOR
        if self.onnx_error > truth_bound:  # false for NaN: not computed
            problems.append(
                f"{self.onnx_error:.2e} of the scale from float64, where eager's own {self.eager_error:.2e} allows "
                f"{truth_bound:.2e}"
            )
        return "; ".join(problems)

    def __bool__(self) -> bool:
        return not self.problem


@dataclass(frozen=True)
class ParityReport:
    """Comparisons of ONNX with eager PyTorch; true if all hold, printable as a table.

    Attributes:
        rows: the comparisons.
        provider: the execution provider that the model file ran on, if known.
        notes: facts about the model file beyond its outputs, one line each.
    """

    rows: tuple[OutputParity, ...]
    provider: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of_failure(cls, case: str, reason: str) -> "ParityReport":
        """Report a run that gave no outputs."""
        nan = float("nan")
        return cls((OutputParity(case, "none", (), (), "", "", nan, nan, nan, nan, nan, 0.0, failure=reason),))

    def __bool__(self) -> bool:
        return bool(self.rows) and all(self.rows)

    def __add__(self, other: "ParityReport") -> "ParityReport":
        return ParityReport(self.rows + other.rows, self.provider or other.provider, self.notes + other.notes)

    @property
    def summary(self) -> str:
        """One line: the verdict, and the worst figure or the first problem."""
        if not self.rows:
            return "FAIL: nothing was compared"
        for row in self.rows:
            if not row:
                return f"FAIL: {row.case}, {row.output}: {row.problem}"
        worst = max(self.rows, key=lambda row: row.max_scaled)
        where = f" on {self.provider}" if self.provider else ""
        what = "matches eager PyTorch in shapes, dtypes and values"
        if worst.tolerance > FP32_TOLERANCE:
            what = "matches eager PyTorch in shapes and dtypes, and is close to its values"
        judged = {row.output: row.top1_agreement for row in self.rows if row.min_agreement}
        if judged:
            bits = f" and {judged[CODE]:.1%} of its codes' bits" if CODE in judged else ""
            what = f"matches eager PyTorch in shapes, dtypes and the label of {judged['logits']:.1%} of drawings{bits}"
        difference = f"{worst.max_scaled:.1e} of the row's scale (tolerance {worst.tolerance:.0e})"
        return f"PASS{where}: {what}; largest difference {difference}"

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, width: int | None = None) -> str:
        """Return the table, what does not hold in it, and the verdict.

        Args:
            width: what a line may take, as on a terminal; None for no limit.
        """
        columns: dict[str, Callable[[OutputParity], str]] = {
            "case": lambda row: row.case,
            "output": lambda row: row.output,
            "shape": lambda row: "x".join(map(str, row.onnx_shape)),
            "max diff": lambda row: f"{row.max_abs:.1e}",
            "/ scale": lambda row: f"{row.max_scaled:.1e}",
        }
        note = ""
        if any(np.isfinite(row.onnx_error) for row in self.rows):
            columns["eager*"] = lambda row: f"{row.eager_error:.1e}".replace("nan", "-")
            columns["ONNX*"] = lambda row: f"{row.onnx_error:.1e}".replace("nan", "-")
            note = "* distance from float64, / scale\n"
        columns["top-1"] = lambda row: f"{row.top1_agreement:.2%}".replace("100.00%", "100%")
        columns[""] = lambda row: "" if row else "FAIL"
        cells = [[cell(row) for cell in columns.values()] for row in self.rows]
        problems = [f"FAIL: {row.case}, {row.output}: {row.problem}" for row in self.rows if not row]
        lines = [wrap(one_line(line), width) for line in [*problems[1:], self.summary]]
        return f"{format_table(list(columns), cells, width)}\n{note}{chr(10).join(lines)}"


def _round_up(value: float) -> str:
    """Write a bound with three digits so that the value written is not below it."""
    text = f"{value:.2e}"
    mantissa, exponent = text.split("e")
    return text if float(text) >= value else f"{float(mantissa) + 0.01:.2f}e{exponent}"
