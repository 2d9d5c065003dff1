"""Models by name, and predictions among some of a model's classes."""

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sketch_infer import Classifier, InputError, ModelFileError, installed_model, installed_models
from sketch_infer.inference import installed
from tests import tiny
from tests.support import Run

Strokes = npt.NDArray[np.float32]


@pytest.fixture
def two_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_onnx: Path) -> Path:
    """Have two models in the place of those of this installation, and lack the others."""
    paths = {("quickdraw-40", "fp32"): tiny.OTHER, ("quickdraw-345", "fp32"): tiny_onnx}
    monkeypatch.setattr(installed, "_path", lambda *key: paths.get(key, tmp_path / "none.onnx"))
    return tiny_onnx


def test_a_model_is_found_by_its_name(two_installed: Path) -> None:
    assert installed_model("quickdraw-345") == two_installed
    assert Classifier("quickdraw-345", "cpu").classes == tiny.LABELS
    assert Classifier(provider="cpu").classes == tiny.OTHER_LABELS
    assert pickle.loads(pickle.dumps(Classifier("quickdraw-345", "cpu"))).classes == tiny.LABELS  # noqa: S301  # our own
    with pytest.raises(ModelFileError, match="no int8 model quickdraw-345; run `make export`"):
        installed_model("quickdraw-345", "int8")
    with pytest.raises(ModelFileError, match="expected a model named quickdraw-40 or quickdraw-345, found 'quickdraw'"):
        installed_model("quickdraw")


@pytest.mark.usefixtures("two_installed")
def test_a_path_is_no_name(
    sketch_infer: Run, strokes_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quickdraw-345").write_text("a file")
    assert Classifier("quickdraw-345", "cpu").classes == tiny.LABELS
    assert sketch_infer(strokes_file, "--model", "quickdraw-345").exit_code == 0
    for path in ("./quickdraw-345", Path("quickdraw-345")):
        with pytest.raises(ModelFileError, match="quickdraw-345"):
            Classifier(path, "cpu")
    refused = sketch_infer(strokes_file, "--model", "./quickdraw-345")
    assert refused.exit_code == 2
    assert "quickdraw-345" in refused.stderr


@pytest.mark.usefixtures("two_installed")
def test_models_are_listed(sketch_infer: Run) -> None:
    assert [(found.name, found.precision, found.metadata.labels) for found in installed_models()] == [
        ("quickdraw-40", "fp32", tiny.OTHER_LABELS),
        ("quickdraw-345", "fp32", tiny.LABELS),
    ]
    result = sketch_infer("--models")
    assert result.exit_code == 0
    assert [line.split()[:3] for line in result.stdout.splitlines()[1:]] == [
        ["quickdraw-40", "fp32", "5"],
        ["quickdraw-345", "fp32", "5"],
    ]


def test_an_installation_without_models(sketch_infer: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installed, "_path", lambda *_: tmp_path / "none.onnx")
    result = sketch_infer("--models")
    assert result.exit_code == 2
    assert result.stderr == "Error: this installation has no models; run `make export`\n"


def test_labels_restrict_the_choice(tiny_onnx: Path, tiny_strokes: Strokes) -> None:
    chosen = ["eel", "bee", "dog"]
    columns = [tiny.LABELS.index(label) for label in chosen]
    every, among = Classifier(tiny_onnx, "cpu"), Classifier(tiny_onnx, "cpu", labels=chosen)
    assert among.classes == tuple(chosen)
    whole, some = every.predict(tiny_strokes), among.predict(tiny_strokes)
    assert some.classes == tuple(chosen)
    np.testing.assert_array_equal(some.logits, whole.logits[:, columns])
    shares = whole.probabilities[:, columns]
    np.testing.assert_allclose(some.probabilities, shares / shares.sum(axis=1, keepdims=True), rtol=1e-5)
    assert some.log_probs.dtype == np.float32
    assert len(among.predict(tiny_strokes[:0])) == 0
    assert pickle.loads(pickle.dumps(among)).classes == tuple(chosen)  # noqa: S301  # our own


def test_columns_that_cannot_be_chosen_are_refused(tiny_onnx: Path, tiny_strokes: Strokes) -> None:
    found = Classifier(tiny_onnx, "cpu").predict(tiny_strokes)
    for columns in ([], [0, 0], [5], [-1], [True, False]):
        with pytest.raises(ValueError, match="expected positions among 5 classes, each once"):
            found.among(columns)
    assert found.among((4, 0)).classes == (tiny.LABELS[4], tiny.LABELS[0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["cat", "doge"], "expected labels among the model's 5 classes, found 'doge'; did you mean 'dog'?"),
        (["cat", "zzz"], "found 'zzz'$"),
        (["cat", "cat"], "expected each label once, found repeated: cat"),
        (["cat"], "expected at least 2 labels to choose among, found cat"),
        ([], "expected at least 2 labels to choose among, found none"),
        ("cat,dog", "expected a list of labels, found the text 'cat,dog'"),
    ],
)
def test_labels_that_cannot_be_chosen_are_refused(tiny_onnx: Path, labels: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        Classifier(tiny_onnx, "cpu", labels=labels)


def test_labels_of_the_command(sketch_infer: Run, tiny_onnx: Path, strokes_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("dog\nant\n\nbee\n")
    run = (strokes_file, "--model", tiny_onnx, "--format", "csv")
    by_word, by_file = sketch_infer(*run, "--labels", "dog, ant,bee"), sketch_infer(*run, "--labels", file)
    assert by_word.exit_code == 0, by_word.stderr
    assert by_word.stdout == by_file.stdout
    header, *rows = by_word.stdout.splitlines()
    assert header.endswith("label_3,probability_3")
    for row in rows:
        cells = row.split(",")
        assert sorted(cells[2::2]) == ["ant", "bee", "dog"]
        assert sum(map(float, cells[3::2])) == pytest.approx(1, abs=1e-5)


def test_labels_are_the_classifiers_own(tiny_onnx: Path) -> None:
    chosen = ["eel", "bee"]
    among = Classifier(tiny_onnx, "cpu", labels=chosen)
    chosen[:] = ["ant", "cat"]
    assert pickle.loads(pickle.dumps(among)).classes == ("eel", "bee")  # noqa: S301  # our own
    assert Classifier(tiny_onnx, "cpu", labels=iter(["eel", "bee"])).classes == ("eel", "bee")  # type: ignore[arg-type]


def test_a_file_of_a_models_name_is_found_from_another_folder(
    tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "quickdraw-40").write_bytes(tiny_onnx.read_bytes())
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(Classifier(Path("quickdraw-40"), "cpu"))
    monkeypatch.chdir("/")
    assert pickle.loads(pickled).classes == tiny.LABELS  # noqa: S301  # our own


def test_more_labels_than_a_file_name_is_long(sketch_infer: Run, strokes_file: Path, tiny_onnx: Path) -> None:
    labels = ",".join(["ant", "bee", *(" " * 100 for _ in range(3)), "cat"])
    result = sketch_infer(strokes_file, "--model", tiny_onnx, "--labels", labels)
    assert result.exit_code == 2
    assert "expected labels among the model's 5 classes, found ''" in result.stderr
