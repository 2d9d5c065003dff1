"""From seconds to medians, ratios and verdicts: arithmetic alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from .candidates import FP32_PEERS, OPENVINO_BF16, OURS_FP32, OURS_INT8, PLAIN
from .cold import IMPORTS
from .measurement import Measurement, Timing

SINGLE_P50, SINGLE_P99, FILE, MEMORY = "one sketch, p50", "one sketch, p99", "file", "peak memory"


@dataclass(frozen=True)
class Row:
    """One figure of all candidates.

    Attributes:
        name, unit: what it is.
        values: by candidate; those that were not measured are missing.
        more_is_better: whether a larger value wins.
        configurations: by candidate, the variant that the value is of, for rows that several compete in.
    """

    name: str
    unit: str
    values: Mapping[str, float]
    more_is_better: bool = False
    configurations: Mapping[str, str] = field(default_factory=dict)

    def best(self, candidates: Sequence[str]) -> str | None:
        """Return the best of these candidates; None when none of them was measured."""
        measured = [name for name in candidates if name in self.values]
        pick = max if self.more_is_better else min
        return pick(measured, key=lambda name: self.values[name]) if measured else None

    def ratio(self, ours: str, others: Sequence[str] = FP32_PEERS) -> float | None:
        """Return how many times better a candidate is than the best of others; None when one side is missing."""
        other = self.best(others)
        if other is None or ours not in self.values:
            return None
        better, worse = self.values[ours], self.values[other]
        return better / worse if self.more_is_better else worse / better


@dataclass(frozen=True)
class Target:
    """A bound on a figure.

    Attributes:
        name: the figure.
        value: what was found; None if it was not measured.
        bound: what it must reach, or stay below.
        at_least: whether `bound` is the least allowed value, or the largest.
    """

    name: str
    value: float | None
    bound: float
    at_least: bool = True

    @property
    def met(self) -> bool | None:
        """Whether the figure is within its bound; None if it was not measured."""
        if self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def percentile_ms(rounds: Sequence[Sequence[float]], percent: float) -> float:
    """Return the median over the rounds of a round's percentile, in milliseconds."""
    return 1e3 * median(float(np.percentile(calls, percent)) for calls in rounds)


def make_rows(measured: Measurement, dense: Sequence[str], bulk: str, n_drawings: int) -> list[Row]:
    """Return the figures of all candidates, each from its best variant.

    Args:
        measured: what the workers gave.
        dense: names of the workloads of dense batches.
        bulk: name of the bulk workload.
        n_drawings: sketches in it.
    """
    figures: list[tuple[str, str, str, Callable[[Timing], float]]] = [
        (SINGLE_P50, "ms", "one sketch", lambda timing: percentile_ms(timing.rounds, 50)),
        (SINGLE_P99, "ms", "one sketch", lambda timing: percentile_ms(timing.rounds, 99)),
        *((name, "ms", name, lambda timing: 1e3 * timing.seconds) for name in dense),
        (bulk, "/s", bulk, lambda timing: n_drawings / timing.seconds),
    ]
    rows = []
    for name, unit, workload, figure in figures:
        more_is_better = unit == "/s"
        values: dict[str, float] = {}
        configurations = {}
        for (variant, measured_on), timing in measured.timings.items():
            if measured_on != workload:
                continue
            value, known = figure(timing), values.get(variant.candidate)
            if known is None or (value > known if more_is_better else value < known):
                values[variant.candidate] = value
                batches = f", batches of {timing.chunk}" if timing.chunk else ""
                configurations[variant.candidate] = f"{variant}{batches}"
        rows.append(Row(name, unit, values, more_is_better, configurations))
    rows.append(Row(FILE, "MB", {name: size / 1e6 for name, size in measured.file_bytes.items()}))
    rows.append(Row(MEMORY, "MB", {name: size / 1e6 for name, size in measured.peak_rss.items()}))
    return rows


def make_targets(rows: Sequence[Row], cold: Mapping[str, float], dense: Sequence[str], bulk: str) -> list[Target]:
    """Hold the figures to what they are meant to reach; the share of MatMul stands apart."""
    by_name = {row.name: row for row in rows}
    least = [(SINGLE_P50, 2.5, 6.0), *((name, 1.0, 1.7) for name in dense), (bulk, 3.0, 5.5)]
    targets = []
    for name, fp32, int8 in least:
        targets.append(Target(f"{name}: {OURS_FP32} / best fp32 peer", by_name[name].ratio(OURS_FP32), fp32))
        if name in dense:  # follows from the line above, but still says something where that one fails
            targets.append(Target(f"{name}: {OURS_FP32} / plain ORT", by_name[name].ratio(OURS_FP32, PLAIN), 1.0))
        targets.append(Target(f"{name}: {OURS_INT8} / best fp32 peer", by_name[name].ratio(OURS_INT8), int8))
    bf16 = by_name[bulk].ratio(OURS_INT8, [OPENVINO_BF16])
    targets.append(Target(f"{bulk}: {OURS_INT8} / {OPENVINO_BF16}", bf16, 2.3))
    for ours, megabytes in ((OURS_FP32, 4.0), (OURS_INT8, 1.3)):
        times = cold[ours] / cold[IMPORTS] if ours in cold else None
        targets.append(Target(f"cold process: {ours} / imports alone", times, 1.4, at_least=False))
        targets.append(Target(f"file: {ours}, MB", by_name[FILE].values.get(ours), megabytes, at_least=False))
    return targets


@dataclass(frozen=True)
class Share:
    """What the bulk run makes of the machine.

    Attributes:
        threads: that the bulk run kept busy, and the matrix product was given.
        needed_gflops: work that the sketches need, for each second of our float32 run, in GFLOP/s.
        matmul_gflops: what ONNX Runtime makes of a large float32 product.
    """

    threads: int
    needed_gflops: float
    matmul_gflops: float

    @property
    def target(self) -> Target:
        """The bound on their quotient."""
        return Target("bulk: needed GFLOP/s / MatMul's", self.needed_gflops / self.matmul_gflops, 0.8)


def make_share(measured: Measurement, bulk: str, flops: float, matmul_flops: float) -> Share | None:
    """Compare our float32 bulk run with a large product on as many threads; None if it was not measured."""
    ours = [
        timing for (variant, name), timing in measured.timings.items() if (variant.candidate, name) == (OURS_FP32, bulk)
    ]
    products = {variant.threads: timing for (variant, name), timing in measured.timings.items() if name == "MatMul"}
    if not ours or not products:
        return None
    # The most of all rounds: a busy machine takes cores away, and never gives more than were asked for.
    busy = round(max(ours[0].cores))
    threads = max((count for count in products if count and count <= busy), default=1)
    return Share(threads, flops / ours[0].seconds / 1e9, matmul_flops / products[threads].seconds / 1e9)
