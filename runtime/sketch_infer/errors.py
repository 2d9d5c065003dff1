"""The errors that this project raises on purpose, but for `sketch_export.NotProvenError`.

    SketchError                      exit code
    ├── InputError      (ValueError)     2       strokes, labels or a stroke file that cannot be used
    ├── ModelFileError  (ValueError)     2       a model file or checkpoint that cannot be used
    ├── OutputError     (OSError)        2       a result that cannot be written
    ├── ClassifierStateError (RuntimeError) 1    a classifier that was closed, or copied by a fork
    ├── SkippedError    (RuntimeError)   1       sketches that could not be used were left out, as asked for
    ├── DependencyError (ImportError)    1       a package that the asked-for work needs is not installed
    ├── ProviderError   (RuntimeError)   1       the asked-for execution provider did not start
    ├── SignatureError  (ValueError)     1       a file that the given key did not sign
    ├── EngineError     (RuntimeError)   1       the cluster that was to run the work did not, or broke off
    └── ParityError     (AssertionError) 1       outputs or shapes differ from eager PyTorch

Each message is one line: what was expected, what was found, what to do. The commands print it and exit
with the class's code; a library user may catch the built-in base instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sketch_infer.untrusted import one_line


class SketchError(Exception):
    """Base of all errors of this project; commands end with its `exit_code`."""

    exit_code = 1

    def __str__(self) -> str:
        return one_line(super().__str__())  # one line, whatever the names of files and columns in it hold


class InputError(SketchError, ValueError):
    """Strokes, labels or a stroke file that cannot be used."""

    exit_code = 2


class ModelFileError(SketchError, ValueError):
    """A model file or checkpoint that cannot be used."""

    exit_code = 2


class OutputError(SketchError, OSError):
    """A result that cannot be written."""

    exit_code = 2


class ClassifierStateError(SketchError, RuntimeError):
    """A classifier that was closed, or copied into another process by a fork."""


class SkippedError(SketchError, RuntimeError):
    """Sketches that could not be used were skipped, as requested."""


class DependencyError(SketchError, ImportError):
    """A package that is needed for this is not installed."""


class ProviderError(SketchError, RuntimeError):
    """The requested execution provider did not start."""


class SignatureError(SketchError, ValueError):
    """A file that the given key did not sign."""


class EngineError(SketchError, RuntimeError):
    """The cluster could not be reached, or failed."""


class ParityError(SketchError, AssertionError):
    """Outputs or shapes differ from eager PyTorch."""


def require_file(path: Path, what: str) -> None:
    """Raise a one-line ModelFileError if there is no file at `path`; `what` names what was expected there."""
    if not path.is_file():
        raise ModelFileError(f"{path}: expected {what}, found {'a folder' if path.is_dir() else 'nothing'}")


@contextmanager
def reading_errors(what: str | Path, error: type[SketchError] = InputError) -> Iterator[None]:
    """Turn an OSError about a file that cannot be read into a one-line error.

    Args:
        what: the file, as the message names it.
        error: the class to raise.
    """
    try:
        yield
    except SketchError:
        raise
    except OSError as reason:
        raise error(f"{what}: cannot be read: {_reason(reason)}") from reason


@contextmanager
def writing_errors(what: str | Path) -> Iterator[None]:
    """Turn an OSError about a file that cannot be written into a one-line `OutputError`.

    Args:
        what: the file, as the message names it.
    """
    try:
        yield
    except (SketchError, BrokenPipeError):  # an OutputError is an OSError, too; a pipe is another output than this file
        raise
    except OSError as reason:
        raise OutputError(f"{what}: cannot be written: {_reason(reason)}") from reason


def _reason(error: OSError) -> str:
    # Libraries raise OSError with texts of several lines and no errno.
    return error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
