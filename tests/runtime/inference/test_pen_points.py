"""A model file that reads pen points, behind the same library and command."""

import json
from pathlib import Path

import numpy as np
import pytest

from sketch_infer import Classifier, InputError, ProviderError, TruncationWarning, drawing_to_sketch
from sketch_infer.checks.self_check import self_check
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.pen_points import from_pen_points, network_input, to_pen_points
from tests import tiny
from tests.support import SAMPLES, Run

DRAWINGS = [
    json.loads(line)["drawing"] for line in (SAMPLES / "drawings.ndjson").read_text(encoding="utf-8").splitlines()
]
HOUSE = [[[0, 0, 100, 100, 0], [50, 120, 120, 50, 50]], [[0, 50, 100], [50, 0, 50]]]


@pytest.fixture(scope="module")
def of_points() -> Classifier:
    return Classifier(tiny.OF_POINTS, "cpu")


@pytest.fixture(scope="module")
def of_strokes() -> Classifier:
    return Classifier(tiny.MODEL, "cpu")


@pytest.mark.filterwarnings("ignore::sketch_infer.TruncationWarning")
def test_drawings_get_the_answers_of_the_model_of_strokes(of_points: Classifier, of_strokes: Classifier) -> None:
    found, expected = (one.predict_drawings([HOUSE, *DRAWINGS]) for one in (of_points, of_strokes))
    np.testing.assert_allclose(found.logits, expected.logits, rtol=0, atol=1e-6)
    assert len(of_points.predict_drawings([])) == 0


@pytest.mark.parametrize(("unit", "offset"), [(1, 0), (0.001, 1e6), (1e200, 0), (1e-200, 0), (3e-7, -4)])
def test_any_unit_and_place_will_do(unit: float, offset: float) -> None:
    drawing = [[(np.array(axis) * unit + offset).tolist() for axis in stroke] for stroke in HOUSE]
    sketch = drawing_to_sketch(HOUSE)
    found = network_input(to_pen_points(PenLines.of([drawing])), len(sketch))[0]
    np.testing.assert_allclose(found, sketch, rtol=0, atol=1.5 / 255)  # a corner is rounded to a whole unit


def test_rows_of_x_y_and_pen_are_drawings_for_both_models(of_points: Classifier, of_strokes: Classifier) -> None:
    house = np.array(
        [[0, 50, 0], [0, 120, 0], [100, 120, 0], [100, 50, 0], [0, 50, 1], [0, 50, 0], [50, 0, 0], [100, 50, 0]],
        np.float32,
    )
    expected = of_strokes.predict_drawing(HOUSE).logits
    for classifier in (of_points, of_strokes):
        np.testing.assert_allclose(classifier.predict_points([house, house]).logits[1:], expected, rtol=0, atol=1e-6)
        assert len(classifier.predict_points([])) == 0
        with pytest.raises(InputError, match="drawing 1: expected a pen of 1 on the last point of a stroke"):
            classifier.predict_points([house, house * 2])
        with pytest.raises(InputError, match="drawing 0: expected at least 2 points"):
            classifier.predict_points([house[:1]])


def test_what_is_cut_is_told_once(
    of_points: Classifier, of_strokes: Classifier, sketch_infer: Run, tmp_path: Path
) -> None:
    zigzag = [[list(range(0, 200, 4)), [0, 60] * 25]]
    points = to_pen_points(PenLines.of([HOUSE, zigzag]))
    for classifier in (of_points, of_strokes):
        with pytest.warns(TruncationWarning, match="cut 1 of 2 sketches to 24 points"):
            classifier.predict_points(points)
    raw = tmp_path / "raw.ndjson"
    raw.write_text("".join(json.dumps({"drawing": one}) + "\n" for one in (HOUSE, zigzag)))
    answered = sketch_infer(raw, "--model", tiny.OF_POINTS, "--provider", "cpu")
    assert answered.exit_code == 0
    assert answered.stderr.count("cut 1 of 2 sketches to the network's 24 points") == 1
    assert "TruncationWarning" not in answered.stderr


def test_pen_points_and_lines_are_the_same_drawings() -> None:
    lines = PenLines.of([HOUSE, *DRAWINGS])
    again = from_pen_points(to_pen_points(lines))
    np.testing.assert_array_equal(again.line_starts, lines.line_starts)
    np.testing.assert_array_equal(again.drawing_lines, lines.drawing_lines)


def test_strokes_are_refused_and_not_taken_for_points(of_points: Classifier) -> None:
    with pytest.raises(InputError, match=r"tiny_points\.onnx reads pen points, not strokes: call predict_drawings"):
        of_points.predict(np.zeros((5, 3)))


def test_what_the_file_would_answer_with_nan_is_refused(of_points: Classifier) -> None:
    line = [list(range(50_001)), [0, 1] * 25_000 + [0]]
    with pytest.raises(InputError, match="expected a drawing of at most 50000 points, found 50001"):
        of_points.predict_drawing([line])
    with pytest.raises(InputError, match="expected a drawing of at least 2 points, found 0"):
        of_points.predict_drawing([])


def test_cuda_is_refused() -> None:
    with pytest.raises(ProviderError):
        Classifier(tiny.OF_POINTS, "cuda")
    assert Classifier(tiny.OF_POINTS).provider == "CPUExecutionProvider"


def test_the_self_check_proves_it() -> None:
    report = self_check(tiny.OF_POINTS, "cpu")
    assert report
    assert {"NaN in the points", "no sketches", "rows are independent"} <= {check.name for check in report.checks}


def test_the_command_reads_drawings_with_it(sketch_infer: Run, tmp_path: Path) -> None:
    raw = tmp_path / "raw.ndjson"
    raw.write_text(
        "".join(json.dumps({"drawing": [[[x * 1.5 for x in xs], ys] for xs, ys in one]}) + "\n" for one in DRAWINGS)
    )
    answers = [
        sketch_infer(raw, "--model", model, "--format", "jsonl", "--provider", "cpu")
        for model in (tiny.OF_POINTS, tiny.MODEL)
    ]
    assert [answer.exit_code for answer in answers] == [0, 0]
    labels = [[json.loads(line)["label"] for line in answer.stdout.splitlines()] for answer in answers]
    assert labels[0] == labels[1]
    assert len(labels[0]) == len(DRAWINGS)


def test_the_command_refuses_strokes_for_it(sketch_infer: Run) -> None:
    found = sketch_infer(SAMPLES / "drawings.npy", "--model", tiny.OF_POINTS, "--provider", "cpu")
    assert found.exit_code == 2
    assert "drawings.npy: sketch 0: expected a drawing for a model that reads pen points, found strokes" in found.stderr
    assert not found.stdout
