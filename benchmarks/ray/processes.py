"""A command and all processes that it starts: how long, how much memory, how much of the processor."""

import os
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("sketch-infer"))
EVERY = 0.5
"""Seconds between two looks."""


def watch(*arguments: object) -> dict[str, float]:
    """Run the command; return seconds and peak memory, in MB, shared pages counted once."""
    started, peak = time.perf_counter(), 0
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    with subprocess.Popen([COMMAND, *map(str, arguments), "--quiet"], env=environment) as process:
        while process.returncode is None:
            peak = max(peak, sum(map(_memory, _family(process.pid))))
            with suppress(subprocess.TimeoutExpired):
                process.wait(EVERY)
        seconds = time.perf_counter() - started
    assert process.returncode == 0, arguments
    return {"seconds": seconds, "peak_mb": peak / 1024}


def _family(root: int) -> list[int]:
    """Return the numbers of the processes that one started, itself included."""
    children: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:  # it has ended
                continue
            children[int(parent)].append(int(folder.name))
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children[process]
    return found


def _memory(process: int) -> int:
    """Return a process's memory in kB, pages that n processes share counted as 1 / n."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
