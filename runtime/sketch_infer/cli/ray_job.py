"""`sketch-infer --engine ray`: a Ray to run on, the job, and what the user is told of it."""

import logging
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

# First, because it says what to install where Ray is missing.
from sketch_infer.ray import predict_dataset, read_dataset, write_dataset

# isort: split
import ray

from sketch_infer.cli.console import note
from sketch_infer.cli.options import Options
from sketch_infer.errors import EngineError, SketchError, SkippedError
from sketch_infer.inference.cores import usable_cores
from sketch_infer.model.labels import parse_labels
from sketch_infer.ray.shards import refuse_taken


def run(options: Options, model: Path, output: Path) -> None:
    """Classify `options.strokes` into the folder `output`.

    Raises:
        SkippedError: if rows or files were skipped.
        EngineError: if Ray cannot be reached, or breaks off.
        SketchError: as the one-process engine does.
    """
    refuse_taken(output, options.overwrite)  # before Ray, which takes seconds to start
    with _ray(options), _errors_of_ray():
        sketches = read_dataset(options.strokes, input_format=options.input_format, on_error=options.on_error)
        sketches.context.enable_progress_bars = not options.quiet and (options.verbose or sys.stderr.isatty())
        found = predict_dataset(
            sketches,
            model,
            actors=options.actors,
            num_gpus=1 if options.provider == "cuda" else 0,
            labels=parse_labels(options.labels),
            reject=options.reject,
            top_k=options.top_k,
            logits=options.logits,
            batch_size=options.batch_size,
            on_error=options.on_error,
        )
        written = write_dataset(found, output, overwrite=options.overwrite, in_order=options.in_order)
    if written.n_cut:
        note(f"warning: cut {written.n_cut} of {written.n_sketches} sketches to the network's length")
    if written.n_errors:
        raise SkippedError(
            f"skipped {written.n_errors} that could not be used, for example {written.reason}; {output}/_errors lists "
            f"all; {written.n_sketches} were classified"
        )


@contextmanager
def _ray(options: Options) -> Iterator[None]:
    """Use the process's Ray, or join the cluster at the address, or start a Ray on this machine and stop it."""
    for handler in logging.getLogger("ray.data").handlers:
        if handler.name == "console" and not options.verbose:
            handler.setLevel(logging.CRITICAL)  # what fails is raised, in one line; Ray's own log files have the rest
    if ray.is_initialized():
        yield
        return
    quietly = {"log_to_driver": options.verbose, "logging_level": logging.INFO if options.verbose else logging.ERROR}
    try:
        with nullcontext() if options.verbose else _without_backend_log():
            if options.ray_address:
                _knock(options.ray_address)
                ray.init(options.ray_address, **quietly)
            else:
                os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
                ray.init("local", num_cpus=usable_cores(), include_dashboard=False, **quietly)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"at {options.ray_address}" if options.ray_address else "on this machine"
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
        raise _bare(error) or EngineError(f"Ray failed: {_first_line(error)}") from error


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
