"""One target in a process of its own: `python -m fuzz.worker TARGET SEEDS RESULT [libFuzzer options]`."""

import json
import random
import resource
import sys
import time
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sketch_infer", "sketch_search"]):
    from .targets import make_targets

MAX_GROWTH = 48 * 2**10
"""KiB by which one input, all of which are below 100 KB, may raise the process's peak of memory."""
ADDRESS_SPACE = 16 * 2**30
"""Bytes of address space, libFuzzer's own tables among it: a MemoryError instead of a machine without memory."""


def main(name: str, folder: Path, result: Path, options: list[str]) -> None:
    """Fuzz until libFuzzer ends the process; what it does not measure itself is written to `result`."""
    target = make_targets(folder)[name]
    warnings.simplefilter("error")  # a warning is a line that nobody asked for
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for content in target.seeds():
        target.run(content)  # imports what is imported late
    slowest = 0.0

    def run(data: bytes) -> None:
        nonlocal slowest
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        target.run(data)
        seconds = time.perf_counter() - start
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert growth < MAX_GROWTH, f"memory grew by {growth / 1024:.0f} MiB on {len(data)} bytes"
        if seconds > slowest:
            slowest = seconds
            result.write_text(json.dumps({"slowest_ms": round(1e3 * seconds, 1), "slowest_bytes": len(data)}))

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)  # noqa: S311 not for secrets
        return target.mutate(data, rng, lambda part: bytes(atheris.Mutate(part, max(1, max_size))))[:max_size]

    atheris.Setup([sys.argv[0], *options], run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
