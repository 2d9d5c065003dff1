"""`--engine ray` and what goes with it, of the command `sketch-infer`; ray itself is not imported here."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sketch_infer.readers.sketch import InputFormat


@dataclass(frozen=True)
class RayOptions:
    """What was given beside `--engine ray`."""

    address: str | None
    actors: int | None
    overwrite: bool
    in_order: bool
    logits: bool


@dataclass(frozen=True)
class RayJob:
    """What all options say of a job, as they say it."""

    sources: tuple[str, ...]
    output: Path
    model: Path
    input_format: InputFormat
    on_error: str
    top_k: int
    batch_size: int
    cuda: bool
    quiet: bool
    verbose: bool
    ray: RayOptions


_OPTIONS = (
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="What runs the work: this process; or Ray Data, on this machine or a cluster, with a folder of parquet "
        "shards as --output (docs/ray.md; needs sketch-infer[ray]).",
    ),
    click.option(
        "--ray-address",
        metavar="ADDRESS",
        envvar="RAY_ADDRESS",
        help="With --engine ray: the cluster to run on; by default a Ray that is started for this run.",
    ),
    click.option(
        "--actors",
        type=click.IntRange(min=1),
        help="With --engine ray: processes that classify, a core each; by default one a core, or a GPU.",
    ),
    click.option("--overwrite", is_flag=True, help="With --engine ray: take the place of an earlier run's --output."),
    click.option("--in-order", is_flag=True, help="With --engine ray: write the rows in the order of the input."),
    click.option("--logits", is_flag=True, help="With --engine ray: write a column of logits, too."),
)

_LOCAL = {
    "format_": ("--format", "it writes parquet"),
    "resume": ("--resume", "it runs again what fails by itself, and leaves a whole folder or none"),
    "evaluate": ("--evaluate", "it writes predictions to count later"),
    "threads": ("--threads", "each of its --actors has one thread"),
    "compare_eager": ("--compare-eager", "its workers have no torch"),
    "self_check": ("--self-check", "it is of one machine; run it on each"),
    "report": ("--report", "it goes with --self-check"),
}
"""Options of the local engine by their parameters' names, and why Ray does without."""


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, which the command gets as `ray`: RayOptions, or None for the local engine."""

    @functools.wraps(command)
    def with_engine(
        *args: Any,
        engine: str,
        ray_address: str | None,
        actors: int | None,
        overwrite: bool,
        in_order: bool,
        logits: bool,
        **others: Any,
    ) -> Any:
        ray = RayOptions(ray_address, actors, overwrite, in_order, logits)
        context = click.get_current_context()
        if engine == "local":
            for name in ("ray_address", "actors", "overwrite", "in_order", "logits"):
                if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                    raise click.UsageError(f"--{name.replace('_', '-')} goes with --engine ray")
            return command(*args, ray=None, **others)
        for name, (option, why) in _LOCAL.items():
            if others[name]:
                raise click.UsageError(f"{option} goes with --engine local; of Ray: {why}")
        if not others["strokes"]:
            raise click.UsageError("expected STROKES, files to classify")
        if "-" in others["strokes"]:
            raise click.UsageError("--engine ray reads files, which its workers open; - is this process's own")
        if not others["output"]:
            raise click.UsageError("--engine ray goes with --output DIR, a folder for its parquet shards")
        return command(*args, ray=ray, **others)

    for option in reversed(_OPTIONS):
        with_engine = option(with_engine)
    return with_engine
