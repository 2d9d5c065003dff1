"""Sketches that are probably none of a model's classes."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from sketch_export.exporter import seal
from sketch_infer import Classifier, InputError
from tests.support import Run

Strokes = npt.NDArray[np.float32]


@pytest.fixture
def rejecting(tmp_path: Path, tiny_onnx: Path, tiny_strokes: Strokes) -> Path:
    """Make a model that rejects half of `tiny_strokes`."""
    best = Classifier(tiny_onnx, "cpu").predict(tiny_strokes).probabilities.max(axis=1)
    model = onnx.load(tiny_onnx)
    (entry,) = [entry for entry in model.metadata_props if entry.key == "sketch_infer.reject_below"] or [
        model.metadata_props.add(key="sketch_infer.reject_below")
    ]
    entry.value = str(float(np.median(best)))
    seal(model, tmp_path / "rejecting.onnx")
    return tmp_path / "rejecting.onnx"


def test_the_least_sure_are_rejected(rejecting: Path, tiny_strokes: Strokes) -> None:
    predictions = Classifier(rejecting, "cpu", reject=True).predict(tiny_strokes)
    best = predictions.probabilities.max(axis=1)
    assert predictions.rejected is not None
    assert predictions.rejected.dtype == bool
    assert 0 < predictions.rejected.sum() < len(best)
    assert best[predictions.rejected].max() < best[~predictions.rejected].min()
    assert Classifier(rejecting, "cpu").predict(tiny_strokes).rejected is None


def test_without_a_threshold_nothing_is_rejected_silently(tiny_onnx: Path, rejecting: Path) -> None:
    with pytest.raises(InputError, match="this model has no threshold"):
        Classifier(tiny_onnx, "cpu", reject=True)
    with pytest.raises(InputError, match="rejecting needs all of the model's classes"):
        Classifier(rejecting, "cpu", labels=["cat", "dog"], reject=True)


def test_a_rejected_sketch_has_no_label_in_any_format(
    rejecting: Path, tiny_strokes: Strokes, sketch_infer: Run, tmp_path: Path
) -> None:
    np.save(tmp_path / "strokes.npy", tiny_strokes)
    predictions = Classifier(rejecting, "cpu", reject=True).predict(tiny_strokes)
    assert predictions.rejected is not None
    expected = [None if no else label for no, label in zip(predictions.rejected, predictions.labels, strict=True)]
    command = (tmp_path / "strokes.npy", "--model", rejecting, "--reject")

    def output(suffix: str) -> Path:
        path: Path = tmp_path / f"out.{suffix}"
        result = sketch_infer(*command, "--output", path)
        assert result.exit_code == 0, result.stderr
        return path

    records = json.loads(output("json").read_text())
    assert [record["label"] for record in records] == expected
    assert all(record["top"][0]["probability"] == record["probability"] for record in records)
    assert [json.loads(line)["label"] for line in output("jsonl").read_text().splitlines()] == expected
    rows = list(csv.DictReader(io.StringIO(output("csv").read_text())))
    assert [row["label"] or None for row in rows] == expected
    table = sketch_infer(*command, "--format", "table").stdout.splitlines()[1:]
    assert ["none of these" in line for line in table] == predictions.rejected.tolist()
    with np.load(output("npz")) as arrays:
        assert [label or None for label in arrays["labels"].tolist()] == expected
    assert output("html").read_text().count('data-answer="none of these"') == predictions.rejected.sum()


def test_parquet_has_null(rejecting: Path, tiny_strokes: Strokes, sketch_infer: Run, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="parquet needs pyarrow")
    np.save(tmp_path / "strokes.npy", tiny_strokes)
    arguments = (tmp_path / "strokes.npy", "--model", rejecting, "--reject", "--output", tmp_path / "out.parquet")
    assert sketch_infer(*arguments).exit_code == 0
    predictions = Classifier(rejecting, "cpu", reject=True).predict(tiny_strokes)
    assert predictions.rejected is not None
    labels = parquet.read_table(tmp_path / "out.parquet")["label"].to_pylist()
    assert [label is None for label in labels] == predictions.rejected.tolist()
