"""What the commands of this project share: how errors reach the user, and common options."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click

from sketch_infer.cli.interruption import interruptible
from sketch_infer.errors import InputError, OutputError, SketchError
from sketch_infer.inference.providers import PROVIDER_CHOICES
from sketch_infer.untrusted import one_line

REPORT_SUFFIXES = (".html", ".json")


class _Failure(click.ClickException):
    """One of this project's errors, on its way to stderr."""

    def __init__(self, error: SketchError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]  # click types it as a class variable

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error."""
        click.echo(
            f"{click.style('Error:', fg='red')} {self.format_message()}", file=file, err=file is None, color=_color()
        )


def _color() -> bool | None:
    """Return False where the user wants no colors (no-color.org), else None: colors on a terminal alone."""
    return False if os.environ.get("NO_COLOR") else None


def say(text: str, err: bool = False) -> None:
    """Print lines to stdout (or stderr) in which names of files and labels cannot command the terminal."""
    click.echo("\n".join(map(one_line, text.split("\n"))), err=err)


def terminal_width(err: bool = False) -> int | None:
    """Return the columns of the terminal that stdout (or stderr) is; None where it is a file or a pipe."""
    stream = sys.stderr if err else sys.stdout
    if not stream or not stream.isatty():
        return None
    import shutil  # late, as a pipe does without it

    return shutil.get_terminal_size().columns


def note(text: str) -> None:
    """Print one line to stderr, where no results are; a word that ends in a colon at its start is colored."""
    text = one_line(text)
    kind, colon, rest = text.partition(": ")
    if colon and kind in ("warning", "note"):
        text = f"{click.style(kind + ':', fg='yellow' if kind == 'warning' else 'cyan')} {rest}"
    click.echo(text, err=True, color=_color())


class _ErrorsToExitCodes(click.Command):
    """Turns this project's errors into one line on stderr and the error's exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command; what standard output has no letters for (on Windows, or in LANG=C) is escaped."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments; options like --version do their work here."""
        with _errors_to_exit_codes():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        ctx.color = _color()
        with _errors_to_exit_codes():
            try:
                with interruptible():
                    result = super().invoke(ctx)
            except click.UsageError as error:
                raise click.UsageError(one_line(error.format_message()), error.ctx) from error
            if sys.stdout:
                sys.stdout.flush()  # else a full disk would show as a traceback at exit
        return result


@contextlib.contextmanager
def _errors_to_exit_codes() -> Iterator[None]:
    try:
        yield
    except SketchError as error:
        raise _Failure(error) from error
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # `| head`: click ends quietly
        raise _Failure(_whose_fault(error)) from error


def _whose_fault(error: OSError) -> SketchError:
    """Return what the system's error is about: the file that it names, or else standard output."""
    reason = error.strerror or error
    if error.filename is not None:
        return InputError(f"{error.filename}: cannot be read: {reason}")
    with contextlib.suppress(OSError, AttributeError):  # what is left in the buffer cannot be written either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OutputError(f"standard output cannot be written: {reason}")


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
        help="Where to run. auto uses CUDA if it starts, otherwise the CPU; cuda fails if CUDA does not start.",
    )(command)


def report_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--report FILE`."""

    def check_suffix(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
        if path and path.suffix not in REPORT_SUFFIXES:
            raise click.BadParameter(f"expected a file that ends in {' or '.join(REPORT_SUFFIXES)}, found {path}")
        return path

    return click.option(
        "--report",
        type=click.Path(path_type=Path),
        callback=check_suffix,
        help="Also write the full results to this file: .html for people, .json for programs.",
    )(command)


def sign_key_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--sign-key KEY`, which signs `what` is written."""
    return click.option(
        "--sign-key",
        metavar="KEY",
        type=click.Path(path_type=Path),
        help=f"Sign {what} with this Ed25519 private key (PEM). The signature is written to FILE.sig (needs the "
        "package cryptography).",
    )


def refuse_one_file(option: str, path: Path | None, other_option: str, other: Path | None) -> None:
    """Stop before one output takes the place of another, under whichever name.

    Raises:
        click.UsageError: if `path` and `other` are the same file.
    """
    if path and other and os.path.realpath(path) == os.path.realpath(other):
        raise click.UsageError(f"{option} {path} is also the {other_option}; name another file")


def refuse_overwriting(output: Path | None, inputs: Iterable[str | Path | None], option: str = "--output") -> None:
    """Stop before an output takes the place of one of the inputs, under whichever name.

    Raises:
        click.UsageError: if `output` is one of the inputs that exist.
    """
    with contextlib.suppress(OSError):  # names too long and the like are refused where they are opened
        for path in inputs:
            if output and path and output.exists() and Path(path).exists() and output.samefile(path):
                raise click.UsageError(f"{option} {output} is also an input; name another file")
