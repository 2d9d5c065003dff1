"""Classes taught by a few drawings: answered, refused by distance, saved and loaded."""

import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketch_infer import Classifier, InputError, Predictions
from sketch_infer.inference.taught import ACCEPTED_FROM, Taught
from tests import tiny
from tests.support import SAMPLES

pytestmark = pytest.mark.filterwarnings("ignore:cut:sketch_infer.TruncationWarning")  # the tiny network reads 24 points

LINES = (SAMPLES / "drawings.ndjson").read_text(encoding="utf-8").splitlines()
DRAWINGS = [json.loads(line)["drawing"] for line in LINES]
CAT, BICYCLE = DRAWINGS[3], DRAWINGS[0]


def like(row: int) -> list[Any]:
    """A drawing three times, a bit wider each time."""
    return [[[[x * (1 + by / 50) for x in stroke[0]], stroke[1]] for stroke in DRAWINGS[row]] for by in (0, 1, 2)]


@pytest.fixture
def classifier() -> Classifier:
    return Classifier(tiny.MODEL)


def test_taught_classes_take_the_place_of_the_model_s_own(classifier: Classifier) -> None:
    own = classifier.predict_drawing(CAT)
    classifier.teach("my cat", like(3))
    classifier.teach("my bicycle", like(0))
    found = classifier.predict_drawings([CAT, BICYCLE])
    assert own.classes == tiny.LABELS
    assert found.classes == classifier.classes == ("my cat", "my bicycle")
    assert found.labels == ["my cat", "my bicycle"]
    assert found.rejected is not None
    assert not found.rejected.any()
    assert (found.probabilities.sum(axis=1) < 1).all(), "the rest is for none of these"


def test_a_drawing_far_from_all_means_is_none_of_them() -> None:
    taught = Taught("0" * 64).teach("first", np.array([[3, -1, -1, -1]], np.float32))
    similarity = np.array([ACCEPTED_FROM + 0.01, ACCEPTED_FROM - 0.01], np.float32)
    evidence = np.column_stack([similarity, np.sqrt(1 - similarity**2)])
    rest = evidence.sum(axis=1, keepdims=True) / -2
    logits = np.column_stack([evidence, rest, rest])  # of mean 0: the first class's share of evidence is the similarity
    answer = taught.answer(Predictions(logits, logits, tuple("abcd")))
    assert answer.rejected is not None
    assert answer.rejected.tolist() == [False, True]
    assert (answer.probabilities[:, 0] > 0.5).tolist() == [True, False]


def test_further_examples_count_as_if_they_had_been_there_at_once(classifier: Classifier, tmp_path: Path) -> None:
    classifier.teach("cat", like(3)[:2])
    classifier.teach("cat", like(3)[2:])
    at_once = Classifier(tiny.MODEL)
    at_once.teach("cat", like(3))
    means = []
    for number, one in enumerate((classifier, at_once)):
        one.save_taught(tmp_path / f"{number}.json")
        (saved,) = json.loads((tmp_path / f"{number}.json").read_text())["classes"]
        assert (saved["label"], saved["examples"]) == ("cat", 3)
        means.append(saved["mean"])
    np.testing.assert_allclose(means[0], means[1], atol=1e-6)


def test_saved_and_pickled_classes_give_the_same_answers(classifier: Classifier, tmp_path: Path) -> None:
    classifier.teach("my cat", like(3))
    classifier.teach("my bicycle", like(0))
    expected = classifier.predict_drawings(DRAWINGS)
    classifier.save_taught(tmp_path / "symbols.json")
    for again in (
        Classifier(tiny.MODEL, taught=tmp_path / "symbols.json"),
        pickle.loads(pickle.dumps(classifier)),  # noqa: S301  # what this test has just made
    ):
        found = again.predict_drawings(DRAWINGS)
        assert found.classes == expected.classes
        np.testing.assert_allclose(found.log_probs, expected.log_probs, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "expected taught classes as sketch-infer saves them"),
        ({"model_sha256": "f" * 64}, "expected classes taught with this model .* teach them again"),
        ({"classes": []}, "expected taught classes"),
        ({"classes": [{"label": "x", "examples": 1, "mean": [1.0]}]}, "expected taught classes"),
        ({"classes": [{"label": "x", "examples": 1, "mean": [float("nan")] * 5}]}, "expected taught classes"),
        ({"classes": [{"label": "x", "examples": 1, "mean": [1e308] * 5}]}, "expected taught classes"),
        ({"classes": [{"label": "x", "examples": True, "mean": [0.1] * 5}]}, "expected taught classes"),
        ({"classes": [{"label": "x", "examples": 10**400, "mean": [0.1] * 5}]}, "expected taught classes"),
        ({"classes": [{"label": "", "examples": 1, "mean": [0.1] * 5}]}, "expected taught classes"),
    ],
)
def test_other_files_are_refused(
    classifier: Classifier, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    classifier.teach("cat", like(3))
    path = tmp_path / "symbols.json"
    classifier.save_taught(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=rf"symbols.json: {message}"):
        Classifier(tiny.MODEL, taught=path)


@pytest.mark.parametrize("label", ["", " ", "a\nb"])
def test_a_label_is_a_line_of_text(classifier: Classifier, label: str) -> None:
    with pytest.raises(InputError, match="expected printable text as label"):
        classifier.teach(label, like(3))


def test_what_cannot_be_taught_is_refused(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected drawings to teach 'cat' with, found none"):
        classifier.teach("cat", [])
    with pytest.raises(InputError, match="expected taught classes to save, found none"):
        classifier.save_taught(tmp_path / "symbols.json")
    with pytest.raises(InputError, match="open it without labels and reject"):
        Classifier(tiny.MODEL, labels=["cat", "dog"]).teach("cat", like(3))
    assert classifier.classes == tiny.LABELS


def test_threads_can_teach_one_classifier(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    teach = Taught.teach

    def slowly(taught: Taught, *arguments: Any) -> Taught:
        time.sleep(0.05)  # as long as another thread needs to read what is taught so far
        return teach(taught, *arguments)

    monkeypatch.setattr(Taught, "teach", slowly)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda row: classifier.teach(f"class {row}", like(row)), range(4)))
    assert sorted(classifier.classes) == [f"class {row}" for row in range(4)]


def test_an_empty_path_is_no_file_of_taught_classes() -> None:
    with pytest.raises(InputError):
        Classifier(tiny.MODEL, taught="")
