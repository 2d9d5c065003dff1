"""How many cores this process may use."""

import math
import os
from pathlib import Path

_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Of control groups v2: quota and period in microseconds, or "max" and the period."""


def usable_cores() -> int:
    """Return how many cores this process may keep busy: its affinity, and its container's limit rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CPU_LIMIT.read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or no limit
        return cores
