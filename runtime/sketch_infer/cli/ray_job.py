"""`sketch-infer --engine ray`: a Ray to run on, the job, and what the user is told of it."""

import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import ray

from sketch_infer.cli.console import note
from sketch_infer.cli.ray_options import RayJob
from sketch_infer.errors import EngineError, SketchError, SkippedError
from sketch_infer.inference.cores import usable_cores
from sketch_infer.ray.dataset import predict_dataset
from sketch_infer.ray.shards import refuse_taken, write_dataset
from sketch_infer.ray.source import read_dataset


def run(job: RayJob) -> None:
    """Run the job.

    Raises:
        SkippedError: if rows or files were skipped.
        EngineError: if Ray cannot be reached, or breaks off.
        SketchError: as the one-process engine does.
    """
    refuse_taken(job.output, job.ray.overwrite)  # before Ray, which takes seconds to start
    with _ray(job), _errors_of_ray():
        sketches = read_dataset(job.sources, input_format=job.input_format, on_error=job.on_error)
        sketches.context.enable_progress_bars = not job.quiet and (job.verbose or sys.stderr.isatty())
        found = predict_dataset(
            sketches,
            job.model,
            actors=job.ray.actors,
            num_gpus=1 if job.cuda else 0,
            top_k=job.top_k,
            logits=job.ray.logits,
            batch_size=job.batch_size,
            on_error=job.on_error,
        )
        written = write_dataset(found, job.output, overwrite=job.ray.overwrite, in_order=job.ray.in_order)
    if written.n_cut:
        note(f"warning: cut {written.n_cut} of {written.n_sketches} sketches to the network's length")
    if written.n_errors:
        raise SkippedError(
            f"skipped {written.n_errors} that cannot be used, for example {written.reason}; {job.output}/_errors names "
            f"all; {written.n_sketches} were classified"
        )


@contextmanager
def _ray(job: RayJob) -> Iterator[None]:
    """Use the process's Ray, or join the cluster at the address, or start a Ray on this machine and stop it."""
    for handler in logging.getLogger("ray.data").handlers:
        if handler.name == "console" and not job.verbose:
            handler.setLevel(logging.CRITICAL)  # what fails is raised, in one line; Ray's own log files have the rest
    if ray.is_initialized():
        yield
        return
    quietly = {"log_to_driver": job.verbose, "logging_level": logging.INFO if job.verbose else logging.ERROR}
    try:
        with nullcontext() if job.verbose else _without_backend_log():
            if job.ray.address:
                _knock(job.ray.address)
                ray.init(job.ray.address, **quietly)
            else:
                os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
                ray.init("local", num_cpus=usable_cores(), include_dashboard=False, **quietly)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"at {job.ray.address}" if job.ray.address else "on this machine"
        raise EngineError(f"Ray {where} did not start: {_first_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Find out in seconds what Ray would find out in minutes.

    Raises:
        OSError: if nothing listens at an address of host and port.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@contextmanager
def _without_backend_log() -> Iterator[None]:
    """Start Ray's C++ part without its log on stderr, of which no option of `ray.init` knows.

    It would tell of each data set that actors may not restart when the model's bytes are lost; those are kept by this
    process, without which there is no job.
    """
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)  # the level itself is announced there
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _errors_of_ray() -> Iterator[None]:
    """Raise what failed on a worker as it was raised there, and what failed in Ray as one line."""
    try:
        with warnings.catch_warnings():
            # One file or a short one: fewer blocks than actors are no mistake.
            warnings.filterwarnings("ignore", "The minimum number of concurrent actors", UserWarning)
            yield
    except SketchError as error:
        raise _bare(error) or error from error
    except (ray.exceptions.RayError, ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise _bare(error) or EngineError(f"Ray broke off: {_first_line(error)}") from error


def _bare(error: BaseException | None) -> SketchError | None:
    """Return this project's error among the causes of Ray's."""
    while error is not None:
        inner = getattr(error, "cause", None) or error.__cause__
        if isinstance(error, SketchError) and not isinstance(error, ray.exceptions.RayError):
            return type(error)(_first_line(error))  # Ray adds lines about its retries
        error = inner
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
