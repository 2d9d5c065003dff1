"""Every error this project raises on purpose.

    SketchError                      exit code
    ├── InputError      (ValueError)     2       strokes, labels or a stroke file that cannot be used
    ├── ModelFileError  (ValueError)     2       a model file or checkpoint that cannot be used
    ├── OutputError     (OSError)        2       a result that cannot be written
    ├── ClassifierStateError (RuntimeError) 1    a classifier that was closed, or copied by a fork
    ├── SkippedError    (RuntimeError)   1       sketches that could not be used were left out, as asked for
    ├── DependencyError (ImportError)    1       a package that the asked-for work needs is not installed
    ├── ProviderError   (RuntimeError)   1       the asked-for execution provider did not start
    ├── EngineError     (RuntimeError)   1       the cluster that was to run the work did not, or broke off
    └── ParityError     (AssertionError) 1       outputs or shapes differ from eager PyTorch

Each message is one line: what was expected, what was found, what to do. The commands print it and exit
with the class's code; a library user may catch the built-in base instead.
"""


def printable(text: str, most: int = 60) -> str:
    """Return what a file says of itself as a message may quote it: cut short, and escaped where it is no plain text."""
    return text[:most] if text[:most].isprintable() else repr(text)[:most]


class SketchError(Exception):
    """Base of all errors of this project; `exit_code` is what the commands end with."""

    exit_code = 1


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
    """Sketches that could not be used were left out, as asked for."""


class DependencyError(SketchError, ImportError):
    """A package that the asked-for work needs is not installed."""


class ProviderError(SketchError, RuntimeError):
    """The asked-for execution provider did not start."""


class EngineError(SketchError, RuntimeError):
    """The cluster that was to run the work did not, or broke off."""


class ParityError(SketchError, AssertionError):
    """Outputs or shapes differ from eager PyTorch."""
