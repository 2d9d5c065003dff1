"""What the tests share; needs no PyTorch, so that the runtime's tests run on a device."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from sketch_infer.array_types import FloatArray
from sketch_infer.readers.listener import CollectingListener
from sketch_infer.strokes.preprocess import INPUT_SIZE

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
    """Sketches without meaning, float32 (n, length, 3): the first one full, the others of any length, zeros behind.

    None is wider or higher than 1, as drawings are that were scaled.
    """
    random = np.random.default_rng(seed)
    strokes = random.normal(0, 0.2, (n, length, INPUT_SIZE)).astype(np.float32)
    strokes[:, :, 2] = random.random((n, length)) < 0.1
    lengths = random.integers(0, length + 1, n)
    lengths[:1] = length
    strokes[np.arange(length) >= lengths[:, None]] = 0
    strokes[:, :, :2] /= np.maximum(1, np.ptp(strokes[:, :, :2].cumsum(axis=1), axis=1, keepdims=True) * 2)
    return strokes


class Listening(CollectingListener):
    """Goes on with what cannot be used, and counts bytes, too."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    @property
    def messages(self) -> list[str]:
        """What the errors say."""
        return [str(error) for _, error in self.errors]

    def advance(self, n_bytes: int) -> None:
        self.bytes += n_bytes
