import functools
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import numpy.typing as npt
import pytest
import torch
from click.testing import CliRunner, Result

from sketch_export import cli as export_cli
from sketch_export import export_onnx
from sketch_export.proof import proof_strokes
from sketch_infer import InputError, default_model
from sketch_infer.cli import main as infer_cli
from sketch_infer.readers.sketch import Reading
from sketch_models import SketchRNN, SketchRNNConfig

# The same examples every time, so that a change is to blame for a failure; the other profile looks further.
hypothesis.settings.register_profile("default", max_examples=4, derandomize=True, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=60, deadline=None)
hypothesis.settings.load_profile("default")

torch.set_num_threads(1)  # networks this small only wait for further threads

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "runtime" / "samples"

TINY = SketchRNNConfig(input_size=3, hidden_size=6, output_size=5, sequence_length=24)
"""Small enough to export in seconds; long enough for every kernel."""
TINY_LABELS = ("ant", "bee", "cat", "dog", "eel")


def make_model(config: SketchRNNConfig = TINY, seed: int = 0) -> SketchRNN:
    torch.manual_seed(seed)
    return SketchRNN.from_config(config).eval()


def float64_weights(model: SketchRNN) -> dict[str, npt.NDArray[np.float64]]:
    return {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}


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


@pytest.fixture
def tiny_model() -> SketchRNN:
    return make_model()


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    assert export_onnx(make_model(), path, TINY_LABELS)
    return path


@pytest.fixture(scope="session")
def tiny_plain_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny_plain.onnx"
    assert export_onnx(make_model(), path, TINY_LABELS, graph="plain")
    return path


@pytest.fixture(scope="session")
def tiny_onnx_with_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny_state.onnx"
    assert export_onnx(make_model(), path, TINY_LABELS, initial_state=True)
    return path


@pytest.fixture
def tiny_strokes() -> npt.NDArray[np.float32]:
    return proof_strokes(9, TINY.sequence_length, seed=5)


@pytest.fixture
def strokes_file(tmp_path: Path) -> Path:
    np.save(tmp_path / "strokes.npy", proof_strokes(7, 24, seed=5))
    return tmp_path / "strokes.npy"


@pytest.fixture(scope="session")
def default_onnx() -> Path:
    """The model that `make export` wrote; `make test` writes it first where it is missing."""
    return default_model()


Run = Callable[..., Result]


def _run(command: object, *args: object, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(command, [str(arg) for arg in args], input=stdin)  # type: ignore[arg-type]
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def sketch_infer() -> Run:
    return functools.partial(_run, infer_cli.main)


@pytest.fixture
def sketch_export() -> Run:
    return functools.partial(_run, export_cli.main)


@pytest.fixture(scope="session")
def quickdraw() -> Path:
    """Real drawings, which are not part of the repository."""
    path = ROOT.parent / "shared" / "quickdraw"
    if not path.is_dir():
        pytest.skip(f"no Quick, Draw! drawings at {path}")
    return path
