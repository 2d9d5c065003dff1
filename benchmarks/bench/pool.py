"""The parent's end: starting a worker, asking it, and ending it when it takes too long."""

import os
import subprocess
import sys
from multiprocessing import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .candidates import Variant
from .messages import Answer, Failure, Opened, Run, Strokes
from .workloads import Workload

OPENING_LIMIT_S = 120.0
RUN_LIMIT_S = 120.0


class WorkerError(RuntimeError):
    """A worker cannot do what it was asked for; the message says why."""


class Worker:
    """A variant in its process.

    Attributes:
        variant: what runs there.
        opened: what it said of its model.

    Raises:
        WorkerError: if the model does not open.
    """

    def __init__(self, variant: Variant, scratch: Path) -> None:
        self.variant = variant
        self._pipe, theirs = Pipe()
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TORCHINDUCTOR_CACHE_DIR": str(scratch),  # compiled kernels go with the run
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bench.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        try:
            self._send(variant)
            self.opened: Opened = self._receive(OPENING_LIMIT_S)
        except WorkerError:
            self.close()
            raise

    def give(self, workload: Workload) -> None:
        """Hand the worker a workload's strokes.

        Raises:
            WorkerError: if it has ended.
        """
        self._send(Strokes(workload.name, workload.strokes))

    def run(
        self, workload: Workload, chunk: int | None, rows: int | None = None, limit_s: float = RUN_LIMIT_S
    ) -> Answer:
        """Run a workload that was given before, or its first rows, in batches of `chunk`.

        Raises:
            WorkerError: if it fails, or takes longer than the limit, which ends the worker.
        """
        self._send(Run(workload.name, rows, workload.one_by_one, workload.repeats, chunk))
        answer: Answer = self._receive(limit_s)
        return answer

    def close(self) -> None:
        """End the process and wait for it."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _send(self, message: object) -> None:
        try:
            self._pipe.send(message)
        except OSError as error:
            raise WorkerError("its process has ended") from error

    def _receive(self, limit_s: float) -> Any:
        try:
            if not self._pipe.poll(limit_s):
                self.close()
                raise WorkerError(f"took more than {limit_s:.0f} s")
            message = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerError(f"ended with exit code {self._process.wait()}") from error
        if isinstance(message, Failure):
            raise WorkerError(message.reason)
        return message
