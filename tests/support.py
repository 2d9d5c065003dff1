"""What the tests share; needs no PyTorch, so that the runtime's tests run on a device."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from sketch_infer import InputError
from sketch_infer.readers.sketch import Reading
from sketch_infer.strokes.preprocess import INPUT_SIZE, FloatArray

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "runtime" / "samples"

Run = Callable[..., Result]


def run_command(command: object, *args: object, stdin: bytes | None = None) -> Result:
    """Run a click command in this process; what is not one of its own exits is raised."""
    result = CliRunner().invoke(command, [str(arg) for arg in args], input=stdin)  # type: ignore[arg-type]
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def random_sketches(n: int, length: int, seed: int = 0) -> FloatArray:
    """Sketches without meaning, float32 (n, length, 3): the first one full, the others of any length, zeros behind."""
    random = np.random.default_rng(seed)
    strokes = random.normal(0, 0.2, (n, length, INPUT_SIZE)).astype(np.float32)
    strokes[:, :, 2] = random.random((n, length)) < 0.1
    lengths = random.integers(0, length + 1, n)
    lengths[:1] = length
    strokes[np.arange(length) >= lengths[:, None]] = 0
    return strokes


class Listening(Reading):
    """Goes on with what cannot be used, and keeps all that it hears."""

    skips = True

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.notes: list[str] = []
        self.bytes = 0

    def bad(self, error: InputError) -> None:
        self.errors.append(str(error))

    def advance(self, n_bytes: int) -> None:
        self.bytes += n_bytes

    def note(self, text: str) -> None:
        self.notes.append(text)
