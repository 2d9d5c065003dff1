"""What ends a command early: Ctrl-C, a service manager, a closed terminal."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

_AGAIN = 0.01
"""Seconds after which a postponed interruption is tried again."""

_PATIENCE = 1.0
"""Seconds for which it is postponed at most. Thread code that still runs then is waiting, which is a safe place."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGINT, SIGTERM and SIGHUP, at a moment when that does no harm.

    Python raises it between any two instructions. If these are the ones with which `threading` takes a lock, nobody
    gives that lock back, and the thread that works for us waits for it forever, and we for the thread.
    """
    before: dict[signal.Signals, Any] = {}
    first: float | None = None

    def stop(_number: int, frame: FrameType | None) -> None:
        nonlocal first
        first = time.monotonic() if first is None else first
        if alarm in before and time.monotonic() - first < _PATIENCE and _in_thread_code(frame):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
            return
        for number in before:
            # Of the others, one is enough: a service manager may send both. A second Ctrl-C is meant.
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_IGN)
        raise KeyboardInterrupt

    alarm: signal.Signals | None = getattr(signal, "SIGALRM", None)  # not on Windows
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGALRM", "SIGHUP", "SIGINT", "SIGTERM"):
            number: signal.Signals | None = getattr(signal, name, None)
            # Whoever started us may have had a signal ignored, as nohup does.
            if number and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        if alarm in before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_thread_code(frame: FrameType | None) -> bool:
    """Return whether a function of Python's own thread modules is running, here or further up the stack."""
    while frame:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in ("threading", "concurrent", "queue"):
            return True
        frame = frame.f_back
    return False
