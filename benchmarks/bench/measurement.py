"""What a run of the benchmark gathers."""

from dataclasses import dataclass, field
from statistics import median

from .candidates import Variant
from .judge import Judge


@dataclass
class Timing:
    """One variant on one workload.

    Attributes:
        chunk: its batch size; None for the whole call at once.
        trial: median seconds of a call, when the batch size was chosen.
        rounds: for each round, the seconds of every call.
        cores: for each round, the cores that were busy on average.
    """

    chunk: int | None
    trial: float = 0.0
    rounds: list[list[float]] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median over the rounds of a round's median call."""
        return median(median(calls) for calls in self.rounds)


Timings = dict[tuple[Variant, str], Timing]
"""By variant and name of the workload."""


@dataclass
class Measurement:
    """All that the workers gave.

    Attributes:
        judge: how right the answers were.
        timings: those of every pair that was measured in all rounds.
        file_bytes, peak_rss: by candidate; the memory is that of a fresh process after one bulk run.
        idle_cores: by candidate, the most cores that were ever busy while it should have slept.
        rest_seconds, rest_busy: the pauses in which no candidate ran, and the core-seconds that others used in them.
        notes: what was left out, and why.
        failed: our own candidates that gave wrong answers or none.
    """

    judge: Judge
    timings: Timings = field(default_factory=dict)
    file_bytes: dict[str, int] = field(default_factory=dict)
    peak_rss: dict[str, int] = field(default_factory=dict)
    idle_cores: dict[str, float] = field(default_factory=dict)
    rest_seconds: float = 0.0
    rest_busy: float = 0.0
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def others_cores(self) -> float:
        """Cores that other processes kept busy on average; 0 where that cannot be told."""
        return self.rest_busy / self.rest_seconds if self.rest_seconds else 0.0
