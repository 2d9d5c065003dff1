"""A signal ends a command at a moment that leaves no lock taken."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import TracebackType

import click
import pytest
from click.testing import CliRunner, Result

from sketch_infer.cli.console import Command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"]


@pytest.fixture(autouse=True)
def default_handlers() -> Iterator[None]:
    """Python's own handlers, as a command has them: Ray leaves one of its own where other tests have used it."""
    own = dict.fromkeys((signal.SIGTERM, signal.SIGHUP, signal.SIGALRM), signal.SIG_DFL)
    before = {number: signal.signal(number, handler) for number, handler in own.items()}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(body: Callable[[], None]) -> Result:
    return CliRunner().invoke(click.command(cls=Command)(body))


class InterruptedLock:
    """A lock that is interrupted between the instruction that takes it and the one that would see to its release."""

    def __init__(self, with_signal: int) -> None:
        self.lock, self.signal = threading.Lock(), with_signal
        self.release, self.locked = self.lock.release, self.lock.locked

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        return self.lock.acquire(blocking, timeout)

    def __enter__(self) -> bool:
        self.lock.acquire()
        if self.signal:
            number, self.signal = self.signal, 0
            signal.raise_signal(number)
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lock.release()


@pytest.mark.parametrize("name", SIGNALS)
def test_a_lock_of_thread_code_is_given_back_first(name: str) -> None:
    lock = InterruptedLock(getattr(signal, name))

    def body() -> None:
        condition = threading.Condition(lock)  # type: ignore[arg-type]  # as a Future has one
        while True:
            with condition:
                pass

    result = run(body)
    assert result.exit_code == 1
    assert "Aborted!" in result.output
    assert not lock.locked()


@pytest.mark.parametrize("name", SIGNALS)
def test_thread_code_that_waits_is_interrupted_all_the_same(name: str) -> None:
    waiting = threading.Event()

    def body() -> None:
        threading.Timer(0.1, os.kill, [os.getpid(), getattr(signal, name)]).start()
        assert waiting.wait(timeout=30), "was not interrupted"

    result = run(body)
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
    assert "Aborted!" in result.output


def test_handlers_are_put_back() -> None:
    numbers = [getattr(signal, name) for name in (*SIGNALS, "SIGALRM")]
    before = [signal.getsignal(number) for number in numbers]
    assert run(lambda: None).exit_code == 0
    assert run(lambda: signal.raise_signal(signal.SIGTERM)).exit_code == 1
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert run(lambda: signal.raise_signal(signal.SIGHUP)).exit_code == 0
    finally:
        signal.signal(signal.SIGHUP, before)
