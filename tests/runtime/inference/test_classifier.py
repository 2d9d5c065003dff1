from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sketch_infer import Classifier, InputError, ModelFileError, Predictions, TruncationWarning, default_model
from sketch_infer.inference import installed as installed_module
from sketch_infer.inference import sessions
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.inference.session import Session
from tests import tiny
from tests.support import random_sketches

Strokes = npt.NDArray[np.float32]


@pytest.fixture
def classifier(tiny_onnx: Path) -> Classifier:
    return Classifier(tiny_onnx, "cpu", batch_size=4)


def test_top_k_is_sorted_stable_and_bounded() -> None:
    probabilities = np.array([[0.1, 0.4, 0.1, 0.4]], np.float32)
    predictions = Predictions(np.log(probabilities), np.log(probabilities), ("a", "b", "c", "d"))
    assert [label for label, _ in predictions.top_k(10)[0]] == ["b", "d", "a", "c"]
    (((label, probability),),) = predictions.top_k(1)
    assert label == "b"
    assert probability == pytest.approx(0.4)
    with pytest.raises(ValueError, match="k >= 1"):
        predictions.top_k(0)


def test_predictions_print_as_one_line_and_one_drawing_has_one_label() -> None:
    probabilities = np.array([[0.125, 0.875], [0.75, 0.25], [0.5, 0.5], [0.5, 0.5]], np.float32)
    predictions = Predictions(np.log(probabilities), np.log(probabilities), ("ant", "bee"))
    assert repr(predictions) == "<Predictions for 4 sketches: bee 87.5%, ant 75.0%, ant 50.0%, ...>"
    one = Predictions(predictions.log_probs[:1], predictions.logits[:1], predictions.classes)
    assert repr(one) == "<Predictions for 1 sketch: bee 87.5%>"
    assert one.label == "bee"
    assert one.probability == pytest.approx(0.875)
    none = Predictions(predictions.log_probs[:0], predictions.logits[:0], predictions.classes)
    assert repr(none) == "<Predictions for 0 sketches>"
    for several in (predictions, none):
        with pytest.raises(ValueError, match=rf"expected one sketch, found {len(several)}"):
            _ = several.label


def test_every_form_of_the_same_strokes_gives_the_same(classifier: Classifier, tiny_strokes: Strokes) -> None:
    expected = classifier.predict(tiny_strokes).logits
    forms = [
        list(tiny_strokes),
        tuple(tiny_strokes),
        tiny_strokes.tolist(),
        tiny_strokes.astype(np.float64),
        np.pad(tiny_strokes, ((0, 0), (0, 30), (0, 0))),  # zero rows beyond the network's length lose nothing
    ]
    for form in forms:
        np.testing.assert_array_equal(classifier.predict(form).logits, expected)
    for row, sketch in enumerate(tiny_strokes):
        np.testing.assert_array_equal(classifier.predict(sketch).logits, expected[row : row + 1])
        np.testing.assert_array_equal(classifier.predict(sketch.tolist()).logits, expected[row : row + 1])


def test_mixed_lengths_are_padded(classifier: Classifier, tiny_strokes: Strokes) -> None:
    lengths = [0, 1, 5, 24]
    padded = tiny_strokes[:1].repeat(4, axis=0)
    for row, length in enumerate(lengths):
        padded[row, length:] = 0
    mixed = [tiny_strokes[0, :length] for length in lengths]
    np.testing.assert_array_equal(classifier.predict(mixed).logits, classifier.predict(padded).logits)


def test_cutting_warns(classifier: Classifier, tiny_strokes: Strokes) -> None:
    long = np.concatenate([tiny_strokes[0], tiny_strokes[0]])
    with pytest.warns(TruncationWarning, match="cut 1 of 2 sketches to 24 points"):
        predictions = classifier.predict([long, tiny_strokes[0]])
    np.testing.assert_array_equal(predictions.logits[0], predictions.logits[1])


@pytest.mark.parametrize("nothing", [[], np.zeros((0, 24, 3)), np.zeros((0, 7, 3), np.int64)])
def test_no_sketches(classifier: Classifier, nothing: npt.ArrayLike) -> None:
    predictions = classifier.predict(nothing)
    assert predictions.log_probs.shape == predictions.logits.shape == (0, 5)
    assert predictions.logits.dtype == np.float32
    assert predictions.top_k() == []


@pytest.mark.parametrize(
    ("strokes", "words"),
    [
        (np.zeros((2, 24, 4)), r"found shape \(2, 24, 4\)"),
        ([np.zeros((4, 3)), np.zeros((4, 2))], r"sketch 1: .*found shape \(4, 2\)"),
        ([np.zeros((4, 3)), np.zeros((1, 4, 3))], r"sketch 1: expected shape \(T, 3\)"),
        ([np.zeros((4, 3)), np.full((4, 3), np.nan)], "sketch 1: .*in points 0, 1, 2, 3;"),
        ("strokes", "found <U7"),
        (None, "found object"),
        (3.5, r"found shape \(\)"),
        ([np.array(1.0)], r"found shape \(\)"),
    ],
)
def test_what_predict_refuses(classifier: Classifier, strokes: npt.ArrayLike, words: str) -> None:
    with pytest.raises(InputError, match=words):
        classifier.predict(strokes)


def test_settings_are_checked(tiny_onnx: Path) -> None:
    with pytest.raises(ValueError, match="batch_size >= 1"):
        Classifier(tiny_onnx, batch_size=0)
    with pytest.raises(ValueError, match="threads >= 1"):
        Classifier(tiny_onnx, threads=0)
    with pytest.raises(ValueError, match="expected provider auto or cpu or cuda, found 'CUDA'"):
        Classifier(tiny_onnx, "CUDA")  # type: ignore[arg-type]


def test_threads_do_not_change_the_answer(tiny_onnx: Path, tiny_strokes: Strokes) -> None:
    one, two = (Classifier(tiny_onnx, "cpu", threads=threads).predict(tiny_strokes) for threads in (1, 2))
    np.testing.assert_array_equal(one.logits, two.logits)


def test_the_default_model_needs_no_flag(default_onnx: Path) -> None:
    classifier = Classifier(provider="cpu")
    assert len(classifier.metadata.labels) == 40
    assert classifier.metadata.sequence_length == 196
    assert default_model() == default_onnx


def test_no_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed_module, "_FILES", {("quickdraw-40", "fp32"): "none.onnx"})
    with pytest.raises(ModelFileError, match="run `make export` or name a model file"):
        Classifier()


def test_initial_states_are_zero_unless_given(
    tiny_onnx: Path, tiny_onnx_with_state: Path, tiny_strokes: Strokes
) -> None:
    plain = Classifier(tiny_onnx, "cpu").predict(tiny_strokes)
    with_state = Classifier(tiny_onnx_with_state, "cpu").predict(tiny_strokes)
    np.testing.assert_allclose(with_state.logits, plain.logits, atol=1e-6)


def test_session_refuses_what_it_would_have_to_guess(tiny_onnx: Path, tiny_onnx_with_state: Path) -> None:
    strokes = np.zeros((2, 24, 3), np.float32)
    state = {name: np.zeros((2, 2, 6), np.float32) for name in ("h_0", "c_0")}
    with pytest.raises(InputError, match=r"expected float32 strokes \(2, 24, 3\), found float64"):
        Session(tiny_onnx, "cpu").run(strokes.astype(np.float64))
    with pytest.raises(InputError, match=r"found float32 \(2, 23, 3\)"):
        Session(tiny_onnx, "cpu").run(strokes[:, :23])
    with pytest.raises(InputError, match="expected initial states none"):
        Session(tiny_onnx, "cpu").run(strokes, state)
    with pytest.raises(InputError, match=r"expected initial states \{'h_0': \(2, 2, 6\)"):
        Session(tiny_onnx_with_state, "cpu").run(strokes, {"h_0": state["h_0"]})


def test_a_failure_inside_onnx_runtime_is_one_line(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def run(self, *_: object) -> None:
            raise RuntimeError("allocation\nfailed")

    session = Session(tiny_onnx, "cpu")
    monkeypatch.setattr(session, "_session", Failing())
    with pytest.raises(ModelFileError, match="does not run on a batch of 1: allocation failed"):
        session.run(np.zeros((1, 24, 3), np.float32))


def test_a_sketch_at_a_time_gets_the_same_answer_from_two_threads(
    default_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []

    def open_and_note(model: Path, provider: ProviderChoice, threads: int = 1) -> Session:
        opened.append(threads)
        return Session(model, provider, threads)

    monkeypatch.setattr(sessions, "Session", open_and_note)
    sketches = list(random_sketches(4, 196))
    classifier = Classifier(default_onnx, "cpu", threads=2)
    together = classifier.predict(sketches)
    alone = [classifier.predict(sketch) for sketch in sketches]
    assert opened == [1, 2]
    np.testing.assert_array_equal(np.concatenate([prediction.logits for prediction in alone]), together.logits)
    single = Classifier(default_onnx, "cpu", threads=1)
    for sketch in sketches:
        single.predict(sketch)
    assert opened == [1, 2, 1]


@pytest.mark.parametrize("replaced", [True, False])
def test_an_open_model_outlives_its_file(tmp_path: Path, tiny_onnx: Path, replaced: bool) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_onnx.read_bytes())
    classifier = Classifier(path, "cpu", threads=2)
    sketch = random_sketches(1, 24)[0]
    first = classifier.predict(sketch).logits
    if replaced:
        path.write_bytes(tiny.OTHER.read_bytes())
    else:
        path.unlink()
    for _ in range(3):
        np.testing.assert_array_equal(classifier.predict(sketch).logits, first)
