"""What the commands of this project share: how errors reach the user, and common options."""

from collections.abc import Callable
from typing import Any

import click

from .errors import SketchError
from .providers import PROVIDER_CHOICES


class _Failure(click.ClickException):
    """One of this project's errors, on its way to stderr."""

    def __init__(self, error: SketchError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]  # click types it as a class variable


class _ErrorsToExitCodes(click.Command):
    """Turns this project's errors into one line on stderr and the error's exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SketchError as error:
            raise _Failure(error) from error


class Command(_ErrorsToExitCodes):
    """A click command that reports this project's errors."""


class Group(_ErrorsToExitCodes, click.Group):
    """A click group that reports this project's errors for all its commands."""


def provider_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--provider auto|cpu|cuda`."""
    return click.option(
        "--provider",
        type=click.Choice(PROVIDER_CHOICES),
        default="auto",
        show_default=True,
        help="Where to run: cuda or fail, cpu, or auto: CUDA where it starts, else the CPU.",
    )(command)
