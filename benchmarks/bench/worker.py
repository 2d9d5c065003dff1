"""One candidate in its own process: `python -m benchmarks.bench.worker FD`, spoken to over the pipe of that number."""

import sys
import time
from multiprocessing.connection import Connection

import numpy as np

from sketch_infer.array_types import FloatArray

from .candidates import Variant
from .engines import Engine, open_engine
from .machine import peak_rss
from .messages import Answer, Failure, Opened, Run, Strokes


def serve(pipe: Connection) -> None:
    """Open the variant that comes first, then answer until the pipe closes. Waiting is a blocking read."""
    variant: Variant = pipe.recv()
    try:
        engine = open_engine(variant)
    except Exception as error:  # what a package of others raises is its own affair; the parent prints it
        pipe.send(Failure(_one_line(error)))
        return
    pipe.send(Opened(engine.file_bytes, dict(engine.facts)))
    strokes: dict[str, FloatArray] = {}
    while True:
        idle_since, idle_cpu = time.perf_counter(), time.process_time()
        try:
            request = pipe.recv()
        except EOFError:
            return
        idle_cores = (time.process_time() - idle_cpu) / (time.perf_counter() - idle_since)
        if isinstance(request, Strokes):
            strokes[request.name] = request.strokes
            continue
        try:
            pipe.send(_run(engine, strokes[request.name], request, idle_cores))
        except Exception as error:  # as above
            pipe.send(Failure(_one_line(error)))


def _run(engine: Engine, strokes: FloatArray, request: Run, idle_cores: float) -> Answer:
    strokes = strokes[: request.rows]
    calls = [strokes[row : row + 1] for row in range(len(strokes))] if request.one_by_one else [strokes]
    calls *= request.repeats
    seconds, parts = [], []
    cpu = time.process_time()
    for rows in calls:
        start = time.perf_counter()
        parts.append(engine.predict(rows, request.chunk))
        seconds.append(time.perf_counter() - start)
    cores = (time.process_time() - cpu) / sum(seconds)
    parts = parts[-(len(parts) // request.repeats) :]
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Answer(seconds, outputs, cores, idle_cores, peak_rss())


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
