"""The measurement: all candidates in turn, round after round, so that what disturbs the machine disturbs them alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from .candidates import OURS_FP32, OURS_INT8, Variant, matmul_variants
from .judge import Judge, WrongAnswerError
from .machine import busy_core_seconds
from .measurement import Measurement, Timing
from .messages import Answer, Outputs
from .pool import RUN_LIMIT_S, Worker, WorkerError
from .workloads import Workload

PAUSE_S = 0.05
"""Rest before each run. Thread pools of OpenMP, TBB and ONNX Runtime spin for some milliseconds after their work before
they sleep; in that time the next candidate would share its cores with the one before. Their spinning stays as it is
during a run, because default options are part of what is measured. `Measurement.idle_cores` shows that they do sleep:
at most 0.03 of a core, as measured."""

COMPILE_LIMIT_S = 150.0
"""All that torch.compile may take to compile its shapes, for each thread count."""

TRIAL_ROWS = 512
"""Drawings on which batch sizes for bulk are tried."""

LEFT_BEHIND = 1.5
"""A variant that takes so many times as long as its candidate's fastest in the trial is not measured further: one
thread takes twice as long as two for large batches, and two thirds of all time would go there."""

MATMUL = Workload("MatMul", np.zeros((5, 1, 3), np.float32), one_by_one=True)
"""Five products."""


class Measurer:
    """Asks the workers.

    Args:
        workloads: the rows, bulk last.
        references: eager PyTorch's outputs by the workloads' names.
        scratch: folder for temporary files.
        say: prints progress.
    """

    def __init__(
        self,
        workloads: Sequence[Workload],
        references: Mapping[str, Outputs],
        scratch: Path,
        say: Callable[[str], None],
    ) -> None:
        self._workloads, self._bulk = list(workloads), workloads[-1]
        self._scratch, self._say = scratch, say
        self.result = Measurement(Judge(references))

    def run(self, variants: Sequence[Variant], rounds: int) -> Measurement:
        """Open all variants, check them, and measure them."""
        with ExitStack() as stack:
            workers = [worker for variant in variants if (worker := self._open(variant, stack))]
            for workload in self._workloads:
                self._drop_slow(workload)
            self._say("warming up on all sketches")
            for worker in workers:
                self._measure(worker, self._bulk, counts=False)
            workers += self._open_matmul(stack)
            for number in range(rounds):
                self._say(f"round {number + 1} of {rounds}")
                order = workers if number % 2 == 0 else workers[::-1]  # nobody always follows the same neighbor
                for workload in [*self._workloads, MATMUL]:
                    for worker in order:
                        self._measure(worker, workload)
        if self._bulk.judged:  # the bulk workload, not the last of other ones
            self._measure_memory()
        return self.result

    def _open(self, variant: Variant, stack: ExitStack) -> Worker | None:
        """Start a worker and choose its batch size for each workload, its answers checked."""
        self._say(f"opening {variant.candidate}, {variant}")
        started = time.monotonic()
        try:
            worker = stack.enter_context(Worker(variant, self._scratch))
        except WorkerError as error:
            self._fail(variant, f"does not open: {error}")
            return None
        self.result.file_bytes[variant.candidate] = worker.opened.file_bytes
        for workload in self._workloads:
            limit = RUN_LIMIT_S
            if variant.engine == "compiled":
                limit = COMPILE_LIMIT_S - (time.monotonic() - started)
            if limit <= 0:
                self._drop(variant, workload, WorkerError(f"compiling took {COMPILE_LIMIT_S:.0f} s before its turn"))
                continue
            try:
                worker.give(workload)
                trials = [self._try(worker, workload, chunk, limit) for chunk in variant.chunks(workload)]
            except (WorkerError, WrongAnswerError) as error:
                self._drop(variant, workload, error)
                continue
            if trials:
                self.result.timings[variant, workload.name] = min(trials, key=lambda timing: timing.trial)
        return worker

    def _try(self, worker: Worker, workload: Workload, chunk: int | None, limit_s: float) -> Timing:
        """Run one batch, for what happens only once to a shape, and then the trial."""
        self._run(worker, workload, chunk, rows=1 if workload.one_by_one else chunk, limit_s=limit_s)
        answer = self._run(worker, workload, chunk, rows=TRIAL_ROWS if workload is self._bulk else None)
        return Timing(chunk, float(np.median(answer.seconds)))

    def _drop_slow(self, workload: Workload) -> None:
        fastest: dict[str, float] = {}
        timings = {variant: timing for (variant, name), timing in self.result.timings.items() if name == workload.name}
        for variant, timing in timings.items():
            fastest[variant.candidate] = min(timing.trial, fastest.get(variant.candidate, timing.trial))
        for variant, timing in timings.items():
            if timing.trial > LEFT_BEHIND * fastest[variant.candidate]:
                del self.result.timings[variant, workload.name]

    def _open_matmul(self, stack: ExitStack) -> list[Worker]:
        workers = [stack.enter_context(Worker(variant, self._scratch)) for variant in matmul_variants()]
        for worker in workers:
            worker.give(MATMUL)
            self._run(worker, MATMUL, None)
            self.result.timings[worker.variant, MATMUL.name] = Timing(None)
        return workers

    def _measure(self, worker: Worker, workload: Workload, counts: bool = True) -> None:
        timing = self.result.timings.get((worker.variant, workload.name))
        if timing is None:
            return
        self._rest()
        try:
            answer = self._run(worker, workload, timing.chunk)
        except (WorkerError, WrongAnswerError) as error:
            self._drop(worker.variant, workload, error)
            return
        if counts:
            timing.rounds.append(answer.seconds)
            timing.cores.append(answer.cores)
            candidate = worker.variant.candidate
            self.result.idle_cores[candidate] = max(answer.idle_cores, self.result.idle_cores.get(candidate, 0.0))

    def _rest(self) -> None:
        """Pause, and count what others do meanwhile."""
        started, busy = time.monotonic(), busy_core_seconds()
        time.sleep(PAUSE_S)
        if busy is not None and (busy_now := busy_core_seconds()) is not None:
            self.result.rest_busy += busy_now - busy
            self.result.rest_seconds += time.monotonic() - started

    def _run(
        self,
        worker: Worker,
        workload: Workload,
        chunk: int | None,
        rows: int | None = None,
        limit_s: float = RUN_LIMIT_S,
    ) -> Answer:
        """Run once and check the answer."""
        answer = worker.run(workload, chunk, rows, limit_s)
        if workload is not MATMUL:
            self.result.judge.check(worker.variant.candidate, workload, answer.outputs, rows)
        return answer

    def _measure_memory(self) -> None:
        """Run bulk once more in a fresh process of each candidate's fastest variant: earlier runs leave no trace."""
        self._say("memory")
        timings = [(variant, one) for (variant, name), one in self.result.timings.items() if name == self._bulk.name]
        fastest = {variant.candidate: (variant, one) for variant, one in sorted(timings, key=lambda x: -x[1].seconds)}
        for candidate, (variant, timing) in fastest.items():
            with Worker(variant, self._scratch) as worker:
                worker.give(self._bulk)
                self.result.peak_rss[candidate] = worker.run(self._bulk, timing.chunk).peak_rss

    def _drop(self, variant: Variant, workload: Workload, error: Exception) -> None:
        # Who is wrong once is fast nowhere.
        dropped = self._workloads if isinstance(error, WrongAnswerError) else [workload]
        for one in dropped:
            self.result.timings.pop((variant, one.name), None)
        self._fail(variant, f"is left out of {', '.join(one.name for one in dropped)}: {error}")

    def _fail(self, variant: Variant, text: str) -> None:
        note = f"{variant.candidate} ({variant}) {text}"
        self._say(note)
        self.result.notes.append(note)
        if variant.candidate in (OURS_FP32, OURS_INT8):
            self.result.failed.append(variant.candidate)
