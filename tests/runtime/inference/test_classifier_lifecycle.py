"""Threads, pickles, files that are replaced, and the end of a classifier."""

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sketch_infer import Classifier, ClassifierStateError, ModelFileError
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.self_check import self_check
from sketch_infer.model.model_file import ModelFile
from tests import tiny


def test_threads_share_one(tiny_onnx: Path, tiny_strokes: FloatArray) -> None:
    classifier = Classifier(tiny_onnx, "cpu", threads=2)
    expected = classifier.predict(tiny_strokes).logits

    def one_and_many(number: int) -> bool:
        row = number % len(tiny_strokes)
        alone, together = classifier.predict(tiny_strokes[row]).logits, classifier.predict(tiny_strokes).logits
        return bool((alone[0] == expected[row]).all() and (together == expected).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one_and_many, range(64)))


def test_an_iterator_of_sketches(tiny_onnx: Path, tiny_strokes: FloatArray) -> None:
    classifier = Classifier(tiny_onnx, "cpu")
    sketches = (sketch[: 5 + number] for number, sketch in enumerate(tiny_strokes))
    expected = classifier.predict([sketch[: 5 + number] for number, sketch in enumerate(tiny_strokes)])
    assert (classifier.predict(sketches).logits == expected.logits).all()
    assert len(classifier.predict(iter([]))) == 0


def test_a_pickled_copy_answers_the_same(
    tiny_onnx: Path, tiny_strokes: FloatArray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tiny_onnx.parent)
    content = pickle.dumps(Classifier(tiny_onnx.name, "cpu", batch_size=4, threads=1))
    assert len(content) < 1000  # the file's name, and not the file
    monkeypatch.chdir(tmp_path)
    copy: Classifier = pickle.loads(content)  # noqa: S301  # our own
    expected = Classifier(tiny_onnx, "cpu").predict(tiny_strokes).logits
    assert (copy.predict(tiny_strokes).logits == expected).all()
    assert copy.metadata.labels == tiny.LABELS


def test_a_pickled_copy_refuses_another_model(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny.MODEL.read_bytes())
    content = pickle.dumps(Classifier(path, "cpu"))
    path.write_bytes(tiny.OTHER.read_bytes())
    with pytest.raises(ModelFileError, match="expected the pickled classifier's model, found another one"):
        pickle.loads(content)  # noqa: S301  # our own


def test_closing(tiny_onnx: Path, tiny_strokes: FloatArray) -> None:
    with Classifier(tiny_onnx, "cpu") as classifier:
        assert len(classifier.predict(tiny_strokes)) == len(tiny_strokes)
    classifier.close()
    with pytest.raises(ClassifierStateError, match="this classifier was closed; open another one"):
        classifier.predict(tiny_strokes)
    assert classifier.metadata.labels == tiny.LABELS
    with pytest.raises(ClassifierStateError):
        pickle.dumps(classifier)


def replace_after_reading(monkeypatch: pytest.MonkeyPatch, path: Path, content: bytes) -> None:
    """Put another file in the place of one that was read, as a deployment may at any moment."""
    read = ModelFile.read

    def read_and_replace(model: str | Path | ModelFile) -> ModelFile:
        file = read(model)
        path.with_suffix(".new").write_bytes(content)
        path.with_suffix(".new").replace(path)
        return file

    monkeypatch.setattr(ModelFile, "read", read_and_replace)


def test_a_model_that_is_replaced_while_it_is_opened(
    tmp_path: Path, tiny_onnx: Path, tiny_strokes: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, expected = tmp_path / "model.onnx", Classifier(tiny_onnx, "cpu")
    shutil.copy(tiny_onnx, path)
    replace_after_reading(monkeypatch, path, tiny.OTHER.read_bytes())
    classifier = Classifier(path, "cpu", threads=2)
    assert classifier.content_sha256 == expected.content_sha256
    assert (classifier.predict(tiny_strokes).logits == expected.predict(tiny_strokes).logits).all()
    for row in tiny_strokes[:3]:  # from the second on two threads share a sketch: not of the file that is there now
        assert (classifier.predict(row).logits == expected.predict(row).logits).all()


def test_a_model_that_is_replaced_during_a_self_check(
    tmp_path: Path, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    shutil.copy(tiny_onnx, path)
    replace_after_reading(monkeypatch, path, b"no model")
    report = self_check(path, "cpu")
    assert report
    assert report.facts["content"] == f"sha256 {Classifier(tiny_onnx, 'cpu').content_sha256}"
