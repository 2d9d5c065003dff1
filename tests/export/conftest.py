"""Fixtures of the exporter's tests: the tiny models are not the committed ones, but what it writes today."""

import functools
from pathlib import Path

import pytest
import torch

from sketch_export import export_onnx
from sketch_export.cli import main as export_cli
from sketch_models import SketchRNN
from tests import tiny
from tests.networks import make_model
from tests.support import Run, run_command

torch.set_num_threads(1)  # networks this small only wait for further threads


@pytest.fixture
def tiny_model() -> SketchRNN:
    return make_model()


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    assert export_onnx(make_model(), path, tiny.LABELS)
    return path


@pytest.fixture(scope="session")
def tiny_plain_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny_plain.onnx"
    assert export_onnx(make_model(), path, tiny.LABELS, graph="plain")
    return path


@pytest.fixture(scope="session")
def tiny_onnx_with_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny_state.onnx"
    assert export_onnx(make_model(), path, tiny.LABELS, initial_state=True)
    return path


@pytest.fixture
def sketch_export() -> Run:
    return functools.partial(run_command, export_cli.main)
