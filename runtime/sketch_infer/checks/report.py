"""What a check found, to print, to keep as JSON and to read as a page."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sketch_infer.array_types import FloatArray
from sketch_infer.checks.parity.report import ParityReport
from sketch_infer.inference.predictions import Predictions
from sketch_infer.model.contract.metadata import ModelMetadata
from sketch_infer.strokes.pen_points import network_input
from sketch_infer.tables import format_table, wrap
from sketch_infer.untrusted import one_line


@dataclass(frozen=True)
class Check:
    """One thing that has to hold, and what was found."""

    name: str
    holds: bool
    found: str

    def __bool__(self) -> bool:
        return self.holds


@dataclass(frozen=True)
class SketchAnswer:
    """A sketch, float32 (T, 3), with the most likely classes of eager PyTorch and of the model file."""

    name: str
    strokes: FloatArray
    eager: tuple[tuple[str, float], ...]
    onnx: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Table:
    """Further figures; `marked` are the rows that a reader should see first."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[int] = frozenset()

    def to_text(self, width: int | None = None) -> str:
        """Return the title and the table, in lines of at most `width` columns."""
        rows = [[*row, "<--" if number in self.marked else ""] for number, row in enumerate(self.rows)]
        return f"{self.title}\n{format_table([*self.header, ''], rows, width)}"


@dataclass(frozen=True)
class Report:
    """All that a check found; true when all of it holds.

    Attributes:
        title: what was checked.
        facts: what there is to know, by name.
        checks: what has to hold.
        parity: the comparison with eager PyTorch; None if it did not come to that.
        tables: further figures.
        sketches: the probes with both answers.
        versions: of the packages that took part.
    """

    title: str
    facts: Mapping[str, str]
    checks: tuple[Check, ...]
    parity: ParityReport | None = None
    tables: tuple[Table, ...] = ()
    sketches: tuple[SketchAnswer, ...] = ()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return all(self.checks) and bool(self.parity)

    @property
    def summary(self) -> str:
        """One line: the verdict, and the first thing that does not hold."""
        for check in self.checks:
            if not check:
                return f"FAIL: {check.name}: {check.found}"
        return self.parity.summary if self.parity is not None else "FAIL: nothing was compared"

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, width: int | None = None) -> str:
        """Return all but the sketches and versions, the verdict last.

        Args:
            width: what a line may take, as on a terminal; None for no limit.
        """
        names = max(len(name) for name in [*self.facts, *(check.name for check in self.checks)])

        def lines(entries: Mapping[str, str]) -> str:
            return "\n".join(
                wrap(f"  {one_line(name).ljust(names)}  {one_line(found)}", width) for name, found in entries.items()
            )

        parts = [one_line(self.title), lines(self.facts)]
        if self.parity is not None:
            parity = self.parity.to_text(width)
            # A verdict that all holds is repeated below.
            parts.append(parity.removesuffix(wrap(self.parity.summary, width)).rstrip() if self.parity else parity)
        parts += [table.to_text(width) for table in self.tables]
        parts.append(lines({check.name: f"{'ok' if check else 'FAIL'}: {check.found}" for check in self.checks}))
        return "\n\n".join([*(part for part in parts if part), wrap(one_line(self.summary), width)])

    def to_json(self) -> str:
        """Return all of it as JSON text; numbers that are not finite become null."""
        values = dataclasses.asdict(dataclasses.replace(self, tables=(), sketches=()))
        values["tables"] = [dataclasses.asdict(table) | {"marked": sorted(table.marked)} for table in self.tables]
        values["sketches"] = [
            {"name": sketch.name, "strokes": sketch.strokes.tolist(), "eager": sketch.eager, "onnx": sketch.onnx}
            for sketch in self.sketches
        ]
        if self.parity is not None:
            for row, comparison in zip(values["parity"]["rows"], self.parity.rows, strict=True):
                row["problem"] = comparison.problem
        return json.dumps({"holds": bool(self), "summary": self.summary} | _finite(values), indent=2)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sketch_answers(
    metadata: ModelMetadata, outputs: Mapping[str, FloatArray], top: int = 3
) -> tuple[SketchAnswer, ...]:
    """Put eager PyTorch's answers to the probes and a model file's side by side.

    Args:
        metadata: of the model file.
        outputs: what the file says of its own probes, by output name, float32 (P, classes).
        top: classes per sketch.
    """
    probes = metadata.probes
    drawn = network_input(probes.sketches, metadata.sequence_length)
    eager = Predictions(probes.outputs["log_probs"], probes.outputs["logits"], metadata.labels)
    onnx = Predictions(outputs["log_probs"], outputs["logits"], metadata.labels)
    return tuple(
        SketchAnswer(name, strokes[strokes.any(axis=1).nonzero()[0]], tuple(expected), tuple(found))
        for name, strokes, expected, found in zip(probes.names, drawn, eager.top_k(top), onnx.top_k(top), strict=True)
    )
