"""The runtime beside eager PyTorch: in the library, and `sketch-infer --compare-eager`."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.bulk import forms
from sketch_infer import Classifier
from sketch_infer.array_types import FloatArray
from sketch_infer.inference.providers import CPU
from sketch_models import run_eager
from tests import tiny
from tests.networks import make_model
from tests.support import Run


def test_predictions_are_eagers(tiny_onnx: Path, tiny_strokes: FloatArray) -> None:
    classifier = Classifier(tiny_onnx, "cpu", batch_size=4)
    predictions = classifier.predict(tiny_strokes)
    eager = run_eager(make_model(), tiny_strokes)
    assert len(predictions) == 9
    np.testing.assert_allclose(predictions.logits, eager["logits"], atol=1e-6)
    np.testing.assert_allclose(predictions.log_probs, eager["log_probs"], atol=1e-6)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-6)
    assert predictions.labels == [tiny.LABELS[column] for column in eager["logits"].argmax(axis=1)]
    assert classifier.provider == CPU
    assert classifier.cuda_missing == ""


class TestCompareEager:
    @pytest.fixture
    def checkpoint(self, tmp_path: Path) -> Path:
        torch.save(make_model().state_dict(), tmp_path / "weights.pt")
        return tmp_path / "weights.pt"

    def test_same_network(self, sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, checkpoint: Path) -> None:
        result = sketch_infer(
            strokes_file, "--model", tiny_onnx, "--compare-eager", checkpoint, "--batch-size", 2, "--format", "json"
        )
        assert result.exit_code == 0
        assert len(json.loads(result.stdout)) == 7
        rows = [line.split() for line in result.stderr.splitlines() if line.startswith("7 sketches")]
        assert [(row[2], row[3], row[-1]) for row in rows] == [
            (name, "7x5", "100%") for name in ("log_probs", "logits")
        ]
        assert "PASS" in result.stderr

    def test_other_weights(self, sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, tmp_path: Path) -> None:
        torch.save(make_model(seed=1).state_dict(), tmp_path / "other.pt")
        result = sketch_infer(strokes_file, "--model", tiny_onnx, "--compare-eager", tmp_path / "other.pt")
        assert result.exit_code == 1
        assert "FAIL" in result.stderr
        assert "would pass" in result.stderr
        output = tmp_path / "out.csv"
        options = ["--compare-eager", tmp_path / "other.pt", "--output", output]
        assert sketch_infer(strokes_file, "--model", tiny_onnx, *options).exit_code == 1
        assert not output.exists()

    def test_no_rows(self, sketch_infer: Run, tiny_onnx: Path, tmp_path: Path, checkpoint: Path) -> None:
        np.save(tmp_path / "none.npy", np.zeros((0, 24, 3)))
        result = sketch_infer(tmp_path / "none.npy", "--model", tiny_onnx, "--compare-eager", checkpoint)
        assert result.exit_code == 2
        assert "no sketches to compare" in result.stderr

    def test_a_network_of_another_length(
        self, sketch_infer: Run, default_onnx: Path, strokes_file: Path, checkpoint: Path
    ) -> None:
        result = sketch_infer(strokes_file, "--model", default_onnx, "--compare-eager", checkpoint)
        assert result.exit_code == 2
        assert "its network does not fit the model file" in result.stderr

    def test_without_torch(
        self, sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "sketch_models"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "torch", None)
        result = sketch_infer(strokes_file, "--model", tiny_onnx, "--compare-eager", checkpoint)
        assert result.exit_code == 1
        assert "torch is not installed; install it with: pip install torch" in result.stderr


def test_answers_that_differ_from_eager_leave_nothing_to_resume(
    sketch_infer: Run, tiny_onnx: Path, tmp_path: Path
) -> None:
    lines = forms.write_lines(tmp_path / "many.ndjson", forms.simplified(4000, seed=9))
    torch.save(make_model(seed=1).state_dict(), tmp_path / "other.pt")
    options = ("--model", tiny_onnx, "--compare-eager", tmp_path / "other.pt", "-q")
    assert sketch_infer(lines, *options, "--output", tmp_path / "out.jsonl").exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many.ndjson", "other.pt"]
