"""The preparation of pen points as a graph: the numpy code's rows, bit for bit, and NaN for what cannot be used."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from sketch_export import export_onnx, prove
from sketch_export.checks.layers import compare_layers
from sketch_export.pen_points.compose import INSIDE
from sketch_export.pen_points.examples import proof_points
from sketch_infer import InputError, ModelFileError
from sketch_infer.array_types import FloatArray
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.tensors import OUTPUTS, STEPS, STROKES, points_feeds
from sketch_infer.strokes.pen_lines import PenLines
from sketch_infer.strokes.pen_points import network_input, to_pen_points
from sketch_models import SketchRNN
from tests import tiny
from tests.golden.__main__ import FILE as GOLDEN
from tests.networks import make_model
from tests.support import ROOT, Run

PAIRS = ROOT.parent / "shared" / "quickdraw" / "raw_simplified_pairs.ndjson.gz"

CAT = proof_points(1, seed=3)[0]


@pytest.fixture(scope="module")
def points_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("points") / "points.onnx"
    assert export_onnx(make_model(), path, tiny.LABELS, input_form="points")
    return path


@pytest.fixture(scope="module")
def session(points_onnx: Path) -> Session:
    return Session(points_onnx, "cpu")


class Opened:
    """The file, opened without this package."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])

    def prepare(self, drawings: Sequence[FloatArray]) -> FloatArray:
        strokes: FloatArray = self._session.run([STROKES], points_feeds(drawings))[0]
        return strokes

    def steps(self, drawings: Sequence[FloatArray]) -> list[int]:
        steps: list[int] = self._session.run([STEPS], points_feeds(drawings))[0].tolist()
        return steps


@pytest.fixture(scope="module")
def opened(points_onnx: Path) -> Opened:
    return Opened(points_onnx)


def test_scribbles_give_the_rows_of_the_numpy_code(opened: Opened) -> None:
    drawings = proof_points(300)
    np.testing.assert_array_equal(opened.prepare(drawings), network_input(drawings, tiny.LENGTH))


def test_the_golden_vectors_give_the_rows_of_the_numpy_code(opened: Opened) -> None:
    cases = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
    drawings = to_pen_points(PenLines.of([case["raw"] for case in cases]))
    prepared = opened.prepare(drawings)
    np.testing.assert_array_equal(prepared, network_input(drawings, tiny.LENGTH))
    for case, rows in zip(cases, prepared, strict=True):
        expected = np.zeros_like(rows)
        expected[: len(case["rows"])] = case["rows"][: tiny.LENGTH]
        np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-6, err_msg=case["name"])
    n_corners = [sum(len(x) for x, _ in case["simplified"]) for case in cases]
    assert opened.steps(drawings) == [corners - 1 for corners in n_corners]


@pytest.mark.skipif(not PAIRS.exists(), reason="needs the raw/simplified pairs of the shared Quick, Draw! data")
def test_real_drawings_give_the_rows_of_the_numpy_code(opened: Opened) -> None:
    with gzip.open(PAIRS, "rt") as file:
        drawings = to_pen_points(PenLines.of([json.loads(line)["raw"] for line in file]))
    assert len(drawings) == 7860
    for at in range(0, len(drawings), 131):
        block = drawings[at : at + 131]
        np.testing.assert_array_equal(opened.prepare(block), network_input(block, tiny.LENGTH))


def test_a_row_does_not_depend_on_its_neighbours(session: Session) -> None:
    drawings = [*proof_points(40, seed=1), CAT * np.array([1e30, 1e30, 1], np.float32)]
    together = session.run(drawings)["logits"]
    backwards = session.run(drawings[::-1])["logits"][::-1]
    alone = np.concatenate([session.run([drawing])["logits"] for drawing in drawings])
    np.testing.assert_array_equal(together, backwards)
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("unit", [2.0**-100, 1e-30, 1e30])
def test_the_unit_does_not_matter(session: Session, unit: float) -> None:
    drawing = CAT.round() * np.array([unit, unit, 1])
    found, expected = session.run([drawing.astype(np.float32)]), session.run([CAT.round()])
    np.testing.assert_allclose(found["logits"], expected["logits"], rtol=0, atol=1e-4)


def changed(row: int, column: int, value: float) -> FloatArray:
    drawing = CAT.copy()
    drawing[row, column] = value
    return drawing


UNUSABLE = {
    "no point": CAT[:0],
    "one point": CAT[:1],
    "x is NaN": changed(3, 0, np.nan),
    "y is infinite": changed(0, 1, np.inf),
    "y is minus infinite": changed(-1, 1, -np.inf),
    "pen is NaN": changed(5, 2, np.nan),
    "pen is no bit": changed(5, 2, 0.5),
    "too many points": np.zeros((50_001, 3), np.float32),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_drawing_that_cannot_be_used_gets_nan_and_nobody_else(session: Session, opened: Opened, name: str) -> None:
    alone = session.run([CAT])
    found = session.run([UNUSABLE[name], CAT, UNUSABLE[name]])
    for output in OUTPUTS:
        assert np.isnan(found[output][[0, 2]]).all()
        np.testing.assert_array_equal(found[output][1], alone[output][0])
    assert np.isnan(opened.prepare([UNUSABLE[name], CAT])[0]).all()
    assert opened.steps([UNUSABLE[name], CAT])[0] == 0
    with pytest.raises(InputError):
        network_input([UNUSABLE[name]], tiny.LENGTH)  # numpy refuses the same


def test_the_fewest_and_the_most_points_are_answered(session: Session) -> None:
    steps = np.random.default_rng(0).normal(0, 5, (50_000, 2))
    many = np.column_stack([steps.cumsum(axis=0), np.zeros(50_000)]).astype(np.float32)
    drawings = (CAT[:2], np.repeat(CAT[:1], 9, axis=0), many)
    assert np.isfinite(session.run(drawings)["logits"]).all()


def test_no_drawing_gives_no_row(session: Session) -> None:
    assert {name: array.shape for name, array in session.run([]).items()} == dict.fromkeys(OUTPUTS, (0, 5))


@pytest.mark.parametrize(
    "counts",
    [[], [0], [len(CAT) - 1], [len(CAT) + 1], [-1, len(CAT) + 1], [len(CAT), len(CAT)], [2**62] * 4, [2**63 - 1] * 2],
)
def test_counts_that_do_not_fit_are_an_error(points_onnx: Path, counts: list[int]) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    plain = onnxruntime.InferenceSession(points_onnx, options, ["CPUExecutionProvider"])
    with pytest.raises(Exception, match="they_must_add_up_to_n_points"):
        plain.run(None, {"points": CAT, "counts": np.array(counts, np.int64)})


@pytest.mark.parametrize("options", [{"precision": "int8"}, {"graph": "plain"}, {"opset": 20}])
def test_every_graph_and_precision_reads_points(tmp_path: Path, options: dict[str, str]) -> None:
    path = tmp_path / "points.onnx"
    assert export_onnx(make_model(), path, tiny.LABELS, input_form="points", random_weights=True, **options)  # type: ignore[arg-type]
    session = Session(path, "cpu")
    assert session.metadata.input_form == "points"
    assert session.run(proof_points(3))["logits"].shape == (3, 5)


def test_layers_and_proof_of_a_points_file(points_onnx: Path, tiny_model: SketchRNN) -> None:
    layers = compare_layers(points_onnx, tiny_model)
    assert all(layers)
    assert layers[0].tensor == INSIDE.format(STROKES)
    assert layers[0].max_abs == 0
    with pytest.raises(ModelFileError, match="reads pen points"):
        prove(points_onnx, tiny_model, extra=("some", np.zeros((1, tiny.LENGTH, 3), np.float32)))


def test_the_command_writes_it(sketch_export: Run, tmp_path: Path) -> None:
    path = tmp_path / "points.onnx"
    refused = sketch_export("onnx", "--random-weights", "--input", "points", "--initial-state", "--output", path)
    assert refused.exit_code == 2
    assert "--input points takes no --initial-state" in refused.stderr
    assert not path.exists()


def test_the_commands_that_compare_strokes_refuse_it(sketch_export: Run, points_onnx: Path, tmp_path: Path) -> None:
    folder = ROOT / "benchmarks" / "data" / "quickdraw_test"
    refused = sketch_export("evaluate", points_onnx, folder)
    assert refused.exit_code == 2
    assert "reads pen points; evaluate the file without --input points" in refused.stderr
    checkpoint = tmp_path / "weights.pt"
    torch.save(make_model().state_dict(), checkpoint)
    refused = sketch_export("verify", points_onnx, "--checkpoint", checkpoint, "--strokes", folder, "--provider", "cpu")
    assert refused.exit_code == 2
    assert "reads pen points" in refused.stderr
