"""Traps that show beside PyTorch alone: each is sprung once as it is, then shown not to reach our users."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sketch_infer import Classifier, InputError
from sketch_models import run_eager
from tests.networks import TINY, make_model


def test_a_batch_of_one_is_baked_in_without_a_warning(tmp_path: Path, tiny_onnx: Path) -> None:
    path = tmp_path / "baked.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            make_model(),
            (torch.zeros(1, TINY.sequence_length, 3),),
            path,
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            dynamo=True,
            verbose=False,
        )
    outputs = onnx.load(path).graph.output
    assert [output.type.tensor_type.shape.dim[0].dim_value for output in outputs] == [1, 1]
    ours = onnx.load(tiny_onnx).graph.output
    assert [output.type.tensor_type.shape.dim[0].dim_param for output in ours] == ["batch", "batch"]
    assert len(Classifier(tiny_onnx, "cpu").predict(np.zeros((5, 24, 3)))) == 5


def test_nan_becomes_plausible_in_onnx_runtime_but_is_refused_here(tiny_onnx: Path) -> None:
    strokes = np.zeros((2, 24, 3), np.float32)
    strokes[1, 3, 0] = np.nan
    session = onnxruntime.InferenceSession(str(tiny_onnx), providers=["CPUExecutionProvider"])
    probabilities = np.exp(session.run(["log_probs"], {"strokes": strokes})[0])
    assert np.isfinite(probabilities).all()
    assert np.isnan(run_eager(make_model(), strokes)["logits"][1]).all()
    with pytest.raises(InputError, match=r"sketch 1: expected finite values .*found NaN"):
        Classifier(tiny_onnx, "cpu").predict(strokes)
