"""What this process may use: its affinity, and the limits of the control groups that it is in."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
"""Lines of number, controllers and path: cgroups(7). Version 2 names no controllers, version 1 a hierarchy for some."""

_NO_LIMIT = 2**60
"""Bytes from which on a memory limit of version 1 is none."""


def usable_cores() -> int:
    """Return how many cores this process may keep busy: its affinity, or the tightest limit rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _control_groups("cpu"):
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):  # no such file, or no limit
            cores = min(cores, math.ceil(_cpu_share(group)))
    return max(1, cores)


def memory_limit() -> int:
    """Return the tightest memory limit in bytes; 0 for none."""
    limits = []
    for group in _control_groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                limits.append(int((group / name).read_text()))
    return min((limit for limit in limits if limit < _NO_LIMIT), default=0)


def _control_groups(controller: str) -> Iterator[Path]:
    """Yield the folders of the groups that may limit this process, from the outermost to its own.

    In a container, its own group may be mounted as the root, under a path that only the host knows.
    """
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            roots = {_GROUPS, _GROUPS / "unified"}
        elif controller in controllers.split(","):
            roots = {_GROUPS / controllers, _GROUPS / controller}
        else:
            continue
        parts = [] if "/.." in path else [part for part in path.split("/") if part]
        for root in roots:
            yield from (root.joinpath(*parts[:depth]) for depth in range(len(parts) + 1))


def _cpu_share(group: Path) -> float:
    """Return how many cores a group may use.

    Raises:
        OSError: if the group has no such limits.
        ValueError: if it has none set.
    """
    try:
        quota, period = (group / "cpu.max").read_text().split()  # microseconds, or "max" as the quota
    except OSError:
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    if int(quota) < 0:
        raise ValueError("no limit")
    return int(quota) / int(period)
