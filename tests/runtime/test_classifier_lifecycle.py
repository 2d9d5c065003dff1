"""Threads, pickles, forks and the end of a classifier."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sketch_infer import Classifier, ClassifierStateError, ModelFileError
from sketch_infer.strokes.preprocess import FloatArray
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_is_refused(tiny_onnx: Path) -> None:
    code = f"""
import os, numpy
from sketch_infer import Classifier, ClassifierStateError
classifier = Classifier({str(tiny_onnx)!r}, "cpu")
classifier.predict(numpy.zeros((4, 24, 3)))
child = os.fork()
if not child:
    try:
        classifier.predict(numpy.zeros((4, 24, 3)))
    except ClassifierStateError as error:
        print(error, flush=True)
        os._exit(0)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
assert len(classifier.predict(numpy.zeros((4, 24, 3)))) == 4
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "copied by a fork into" in result.stdout
    assert "open one in each process" in result.stdout
