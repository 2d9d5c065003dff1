"""The run as text and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sketch_infer.tables import format_table

from .candidates import COLUMNS, FP32_PEERS, LEGEND, LOW_PRECISION, OPENVINO_BF16, OURS_FP32, OURS_INT8
from .cold import IMPORTS
from .judge import MIN_AGREEMENT, Judge, bound_of
from .measurement import Measurement
from .results import Row, Share, Target


@dataclass(frozen=True)
class Report:
    """A finished run.

    Attributes:
        settings: rounds, seed and the kind of drawings.
        machine: what it ran on.
        measured: what the workers gave.
        rows, targets, share: what that comes to.
        cold: median seconds of whole processes.
        notes: what was left out, and why.
    """

    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    measured: Measurement
    rows: Sequence[Row]
    targets: Sequence[Target]
    share: Share | None
    cold: Mapping[str, float]
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return all figures, ready for JSON."""
        return {
            "machine": self.machine,
            "settings": self.settings,
            "medians": {row.name: {"unit": row.unit, "values": _rounded(row.values)} for row in self.rows},
            "configurations": {row.name: row.configurations for row in self.rows if row.configurations},
            "ratios": {row.name: _rounded(_ratios(row)) for row in self.rows},
            "correctness": {
                "deviation": _rounded(self.measured.judge.deviation),
                "bound": {name: bound_of(name) for name in COLUMNS if name not in LOW_PRECISION},
                "agreement": _rounded(self.measured.judge.agreement),
                "least_agreement": MIN_AGREEMENT,
            },
            "cold_seconds": _rounded(self.cold),
            "share_of_matmul": asdict(self.share) if self.share else None,
            "idle_cores": _rounded(self.measured.idle_cores),
            "others_cores": round(self.measured.others_cores, 2),
            "targets": [{**asdict(target), "met": target.met} for target in self.targets],
            "notes": list(self.notes),
        }

    def text(self, with_targets: bool = False) -> str:
        """Return the tables, with that of the targets on request."""
        parts = [self._figures(), LEGEND, self._compared()]
        if processes := self._processes():
            parts.append(processes)
        if with_targets:
            parts.append(self._verdicts())
        if self.notes:
            parts.append("\n".join(f"note: {note}" for note in self.notes))
        return "\n\n".join(parts)

    def _figures(self) -> str:
        columns = [name for name in COLUMNS if any(name in row.values for row in self.rows)]
        lines = [[f"{row.name}, {row.unit}", *(_number(row.values.get(name)) for name in columns)] for row in self.rows]
        judge = self.measured.judge
        lines.append(["off eager, of the scale", *(_deviation(judge, name) for name in columns)])
        agreement = [f"{judge.agreement[name]:.2%}" if name in judge.agreement else "-" for name in columns]
        lines.append(["eager's class", *agreement])
        return format_table([f"rounds: {self.settings['rounds']}, medians", *columns], lines)

    def _compared(self) -> str:
        lines = [
            [
                row.name,
                *(_times(_ratios(row).get(name)) for name in (OURS_FP32, OURS_INT8, f"{OURS_INT8} / {OPENVINO_BF16}")),
                f"{best}, {row.configurations.get(best, '')}".removesuffix(", ")
                if (best := row.best(FP32_PEERS))
                else "-",
            ]
            for row in self.rows
        ]
        header = ["times better than", f"{OURS_FP32} / peer", f"{OURS_INT8} / peer", f"{OURS_INT8} / {OPENVINO_BF16}"]
        return format_table([*header, "the best fp32 peer"], lines)

    def _processes(self) -> str:
        lines = [[name, f"{value:.2f}", f"{value / self.cold[IMPORTS]:.2f}"] for name, value in self.cold.items()]
        parts = [format_table(["whole process, one sketch", "s", "/ imports"], lines)] if lines else []
        if self.share is not None:
            parts.append(
                f"bulk, {OURS_FP32}: {self.share.needed_gflops:.0f} GFLOP/s of needed work; a large MatMul in "
                f"ONNX Runtime reaches {self.share.matmul_gflops:.0f} on as many threads ({self.share.threads})"
            )
        return "\n\n".join(parts)

    def _verdicts(self) -> str:
        verdicts = {True: "met", False: "MISSED", None: "not measured"}
        lines = [
            [
                target.name,
                "-" if target.value is None else f"{target.value:.2f}",
                f"{'>=' if target.at_least else '<='} {target.bound:g}",
                verdicts[target.met],
            ]
            for target in self.targets
        ]
        return format_table(["target", "found", "bound", ""], lines)


def _ratios(row: Row) -> dict[str, float]:
    """Return the ratios of a row that there are."""
    ratios = {
        OURS_FP32: row.ratio(OURS_FP32),
        OURS_INT8: row.ratio(OURS_INT8),
        f"{OURS_INT8} / {OPENVINO_BF16}": row.ratio(OURS_INT8, [OPENVINO_BF16]),
    }
    return {name: ratio for name, ratio in ratios.items() if ratio is not None}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in values.items()}


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _deviation(judge: Judge, candidate: str) -> str:
    return f"{judge.deviation[candidate]:.0e}" if candidate in judge.deviation else "-"
