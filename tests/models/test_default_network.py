"""The trained network that the repository ships, and the model file that `make export` makes of it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from sketch_export.weights import weights_sha256
from sketch_infer import Classifier, read_sketches
from sketch_models import SketchRNNConfig, load_checkpoint
from tests.support import ROOT, SAMPLES, Run

CHECKPOINT = ROOT / "models" / "quickdraw-40" / "model.safetensors"


@pytest.mark.parametrize(
    ("name", "n_classes", "stored"), [("quickdraw-40", 40, {"F16"}), ("quickdraw-345", 345, {"F16", "F32", "I8"})]
)
def test_a_checkpoint_is_what_its_card_says(name: str, n_classes: int, stored: set[str]) -> None:
    path = ROOT / "models" / name / "model.safetensors"
    card = (path.parent / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: cc-by-4.0\n")
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert path.stat().st_size < 4e6
    checkpoint = load_checkpoint(path)
    assert checkpoint.model.config == SketchRNNConfig(3, 256, n_classes)
    assert checkpoint.labels is not None
    assert list(checkpoint.labels) == sorted(checkpoint.labels)
    assert "CC BY 4.0" in checkpoint.metadata["provenance"]
    assert checkpoint.metadata["training"].startswith("sketch-train ")
    assert {"seed", "metrics", "temperature", "reject_below"} <= checkpoint.metadata.keys()
    with safe_open(path, framework="pt") as file:
        assert {file.get_slice(tensor).get_dtype() for tensor in file.keys()} == stored  # noqa: SIM118


def test_the_default_model_is_made_of_it(default_onnx: Path) -> None:
    checkpoint, metadata = load_checkpoint(CHECKPOINT), Classifier(default_onnx, "cpu").metadata
    assert metadata.weights_sha256 == weights_sha256(checkpoint.model)
    assert metadata.labels == checkpoint.labels
    assert not metadata.random_weights


def test_it_names_the_sample_drawings(sketch_infer: Run, default_onnx: Path) -> None:
    words = [json.loads(line)["word"] for line in (SAMPLES / "drawings.ndjson").read_text().splitlines()]
    for name in ("drawings.ndjson", "drawings.npy"):
        result = sketch_infer(SAMPLES / name, "--model", default_onnx)
        assert [json.loads(line)["label"] for line in result.stdout.splitlines()] == words
        assert "random" not in result.stderr


@pytest.mark.parametrize(("word", "least"), [("bicycle", 0.9), ("apple", 0.9), ("cat", 0.7)])
def test_real_drawings_are_mostly_named(default_onnx: Path, drawings_folder: Path, word: str, least: float) -> None:
    sketches = [sketch.strokes for sketch in read_sketches(str(drawings_folder / f"{word}.ndjson.gz"))]
    labels = Classifier(default_onnx, "cpu").predict(sketches).labels
    assert np.mean([label == word for label in labels]) > least
