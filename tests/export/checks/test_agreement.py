"""`sketch-export verify --strokes FOLDER` and the reports of `onnx` and `verify`."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sketch_export import export_onnx
from sketch_export.checks.agreement import Disagreement, agreement_tables, compare_agreement
from sketch_export.sample_drawings import DRAWINGS
from sketch_infer.checks.report import Report, SketchAnswer
from sketch_infer.checks.report_page import to_html, write_report
from sketch_infer.checks.self_check import self_check
from sketch_infer.errors import InputError
from sketch_infer.html.sketch_svg import sketch_svg
from sketch_infer.model.model_file import ModelFile
from sketch_models import save_checkpoint
from tests import tiny
from tests.networks import make_model
from tests.support import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "labeled"
    path.mkdir()
    for label, drawings in zip(tiny.LABELS, DRAWINGS.values(), strict=False):
        lines = [json.dumps({"word": label, "recognized": True, "drawing": drawings[: 2 + row]}) for row in range(4)]
        (path / f"{label}.ndjson").write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "weights.safetensors", make_model())
    return tmp_path / "weights.safetensors"


def test_labels_accuracy_and_rows(tiny_onnx: Path, folder: Path) -> None:
    eager, agreements, _ = compare_agreement([ModelFile.read(tiny_onnx)], make_model(), folder)
    (agreement,) = agreements.values()
    assert agreement.agreement == 1.0
    assert agreement.evaluation.top1 == eager.top1
    assert agreement.disagreements == ()
    assert all(agreement.checks)
    assert [row[4] for row in agreement_tables(eager, agreements, [])[0].rows] == ["", "100.0000%"]


def test_another_network_disagrees_clearly(tiny_onnx: Path, folder: Path) -> None:
    other = make_model()
    other.fc_mu1.bias.data[:] = 0.0
    other.fc_mu1.bias.data[0] = 30.0
    eager, agreements, _ = compare_agreement([ModelFile.read(tiny_onnx)], other, folder)
    (agreement,) = agreements.values()
    labels, rows = agreement.checks
    assert agreement.agreement < 1
    assert not labels
    assert f"{len(agreement.disagreements)} others are more than near ties" in labels.found
    assert rows
    margins = [one.eager_margin for one in agreement.disagreements]
    assert margins == sorted(margins, reverse=True)
    assert agreement.disagreements[0].eager == "ant"
    assert "drawings named differently" in str(agreement_tables(eager, agreements, [])[1])


def test_a_near_tie_may_fall_otherwise(tiny_onnx: Path, folder: Path) -> None:
    _, agreements, _ = compare_agreement([ModelFile.read(tiny_onnx)], make_model(), folder)
    (agreement,) = agreements.values()
    clear = disagreement_by(1.0)
    assert replace(agreement, disagreements=(disagreement_by(1e-5),)).checks[0]
    assert not replace(agreement, disagreements=(clear,)).checks[0]
    assert not replace(agreement, precision="int8", agreement=0.98).checks[0]
    assert not replace(agreement, coupling={"alone": 0.0, "beside an outlier": 0.1}).checks[1]


def disagreement_by(margin: float) -> Disagreement:
    return Disagreement("ant 0", "ant", "bee", margin, 1e-6, 1.0)


def test_files_of_other_labels_are_not_compared(tiny_onnx: Path, folder: Path, tmp_path: Path) -> None:
    export_onnx(make_model(), tmp_path / "other.onnx")
    with pytest.raises(InputError, match=r"other\.onnx: expected the labels of"):
        compare_agreement([ModelFile.read(tiny_onnx), ModelFile.read(tmp_path / "other.onnx")], make_model(), folder)


def test_verify_with_everything(
    sketch_export: Run, tiny_onnx: Path, tiny_plain_onnx: Path, folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    page = tmp_path / "proof.html"
    arguments = ["--checkpoint", checkpoint, "--strokes", folder, "--layers", "--report", page]
    result = sketch_export("verify", tiny_onnx, tiny_plain_onnx, *arguments)
    assert result.exit_code == 0, result.output
    assert "Behavior on 20 labeled drawings" in result.stdout
    assert "tiny_plain.onnx: batch 7" in result.stdout
    text = page.read_text()
    assert text.index("PASS on CPUExecutionProvider") < text.index("Layers of tiny.onnx on its probes")


def test_the_export_s_report(sketch_export: Run, checkpoint: Path, tmp_path: Path) -> None:
    output, report = tmp_path / "model.onnx", tmp_path / "report.json"
    result = sketch_export("onnx", "--checkpoint", checkpoint, "--output", output, "--report", report)
    assert result.exit_code == 0, result.output
    found = json.loads(report.read_text())
    assert found["holds"] is True
    assert {row["case"] for row in found["parity"]["rows"]} >= {"batch 1", "batch 64"}
    assert found["versions"].keys() >= {"torch", "onnx", "numpy"}
    assert all(sum(row["histogram"]) == np.prod(row["eager_shape"]) for row in found["parity"]["rows"])


class Page(HTMLParser):
    """Collects tags, and what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href")]


def test_the_page_stands_alone(tiny_onnx: Path, tmp_path: Path) -> None:
    report = self_check(tiny_onnx, "cpu")
    write_report(report, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    page = Page()
    page.feed(text)
    assert page.loaded == []
    assert not {"script", "link", "img"} & set(page.tags)
    assert page.tags.count("figure") == 12
    assert 'class="verdict good"' in text
    assert "https:" not in text
    assert "http:" not in text
    assert "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'" in text


def test_a_failed_report_says_so_first(tiny_onnx: Path, tmp_path: Path) -> None:
    report = self_check(tiny_onnx, "cpu")
    failed = replace(report, checks=(replace(report.checks[0], holds=False, found="<two> wheels"), *report.checks[1:]))
    write_report(failed, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert 'class="verdict bad"' in text
    assert "FAIL: one ONNX Runtime: &lt;two&gt; wheels" in text


def test_a_report_without_parity_does_not_hold(tmp_path: Path) -> None:
    report = Report("Check", {}, ())
    assert not report
    assert report.summary == "FAIL: nothing was compared"
    write_report(report, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["parity"] is None


def test_a_sketch_is_drawn_line_by_line() -> None:
    strokes = np.array([[1, 0, 0], [0, 1, 1], [-1, 0, 0], [0, -0.5, 1]], np.float32)
    path = re.search(r'd="([^"]*)"', sketch_svg(strokes, size=112))
    assert path
    assert re.sub(r"\.0", "", path[1]) == "M6 6L106 6L106 106M6 106L6 56"
    assert "path" not in sketch_svg(strokes[:0])


def test_different_answers_are_marked() -> None:
    strokes = np.ones((2, 3), np.float32)
    same = SketchAnswer("cat", strokes, (("cat", 0.9), ("dog", 0.1)), (("cat", 0.9), ("dog", 0.1)))
    other = replace(same, onnx=(("dog", 0.6), ("cat", 0.4)))
    assert 'class="marked"' not in to_html(Report("", {}, (), sketches=(same,)))
    assert 'class="marked"' in to_html(Report("", {}, (), sketches=(other,)))


def test_drawings_that_are_left_out_are_named(tiny_onnx: Path, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "drawings")
    (tmp_path / "drawings" / "bee.ndjson").write_text('{"drawing": [[[1], [2]]]}\n[]\n')
    eager, agreements, left_out = compare_agreement([ModelFile.read(tiny_onnx)], make_model(), tmp_path / "drawings")
    assert left_out == [
        "bee.ndjson:1: expected a drawing of at least 2 points, found 1",
        "bee.ndjson:2: expected a JSON object, found an array; write one object a line",
    ]
    table = agreement_tables(eager, agreements, left_out)[-1]
    assert table.title == "2 drawings left out because they cannot be used"
    assert "bee.ndjson:1: expected a drawing" in str(table)
