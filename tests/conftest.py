"""Fixtures of all tests. Imports neither PyTorch nor the exporter: a device runs tests/runtime without them."""

import functools
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from sketch_infer import ModelFileError, default_model
from sketch_infer.array_types import FloatArray
from sketch_infer.cli import main as infer_cli
from tests import tiny
from tests.support import ROOT, Run, random_sketches, run_command

# The same examples every time, so that a change is to blame for a failure; the other profile looks further.
hypothesis.settings.register_profile("default", max_examples=4, derandomize=True, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=60, deadline=None)
hypothesis.settings.load_profile("default")


@pytest.fixture(scope="session")
def tiny_onnx() -> Path:
    return tiny.MODEL


@pytest.fixture(scope="session")
def tiny_onnx_with_state() -> Path:
    return tiny.WITH_STATE


@pytest.fixture
def tiny_strokes() -> FloatArray:
    return random_sketches(9, tiny.LENGTH, seed=5)


@pytest.fixture
def strokes_file(tmp_path: Path) -> Path:
    np.save(tmp_path / "strokes.npy", random_sketches(7, tiny.LENGTH, seed=5))
    return tmp_path / "strokes.npy"


@pytest.fixture(scope="session")
def default_onnx() -> Path:
    """The model that `make export` wrote; `make test` writes it first where it is missing."""
    try:
        return default_model()
    except ModelFileError as error:
        pytest.skip(f"no default model: {error}")


@pytest.fixture
def sketch_infer() -> Run:
    return functools.partial(run_command, infer_cli.main)


@pytest.fixture(scope="session")
def drawings_folder() -> Path:
    """Real drawings of the default network's classes that it was not trained on."""
    return ROOT / "benchmarks" / "data" / "quickdraw_test"
