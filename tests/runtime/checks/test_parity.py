import re

import numpy as np
import numpy.typing as npt
import pytest

from sketch_infer import ParityReport, compare_outputs
from sketch_infer.checks.parity.tolerances import FP32_TOLERANCE

Outputs = dict[str, npt.NDArray[np.float32]]


def outputs(rows: int = 4, classes: int = 3, scale: float = 1.0) -> Outputs:
    logits = np.random.default_rng(0).uniform(-1, 1, (rows, classes)) * scale
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return {"log_probs": log_probs.astype(np.float32), "logits": logits.astype(np.float32)}


def test_equal_outputs_pass() -> None:
    report = compare_outputs("case", outputs(), outputs())
    assert report
    assert report.summary.startswith("PASS")
    assert [(row.max_abs, row.top1_agreement) for row in report.rows] == [(0, 1), (0, 1)]


def test_a_difference_fails_and_names_the_tolerance_that_would_pass() -> None:
    found = outputs()
    found["logits"][2, 1] += 3e-5
    report = compare_outputs("case", outputs(), found)
    assert not report
    assert [bool(row) for row in report.rows] == [True, False]
    assert report.rows[1].max_scaled == pytest.approx(3e-5, rel=0.01)


@pytest.mark.parametrize("size", np.geomspace(1.1e-5, 2, 60))
def test_the_tolerance_that_is_said_to_pass_passes(size: float) -> None:
    found = outputs()
    found["logits"][2, 1] += size
    named = re.search(r"a tolerance of (\S+) would pass", compare_outputs("case", outputs(), found).summary)
    assert named
    assert compare_outputs("case", outputs(), found, tolerance=float(named[1]))
    assert not compare_outputs("case", outputs(), found, tolerance=0.98 * float(named[1]))


def test_the_tolerance_grows_with_the_rows_logits_and_no_others() -> None:
    expected = outputs()
    expected["logits"][0, 0] = 50
    found = {name: array.copy() for name, array in expected.items()}
    found["logits"][0, 1] += 40 * FP32_TOLERANCE
    assert compare_outputs("case", expected, found)
    found["logits"][1, 1] += 40 * FP32_TOLERANCE
    assert not compare_outputs("case", expected, found)


def test_shape_and_dtype_must_agree() -> None:
    short = {name: array[:1] for name, array in outputs().items()}
    assert "shape (1, 3), expected (4, 3)" in compare_outputs("case", outputs(), short).summary
    double = {name: array.astype(np.float64) for name, array in outputs().items()}
    assert "dtype float64, expected float32" in compare_outputs("case", outputs(), double).summary


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("in_both", [False, True])
def test_what_is_not_finite_fails_even_when_equal(value: float, in_both: bool) -> None:
    expected, found = outputs(), outputs()
    found["log_probs"][1, 1] = value
    if in_both:
        expected["log_probs"][1, 1] = value
    with np.errstate(invalid="ignore"):
        assert "NaN or infinite" in compare_outputs("case", expected, found).summary


def test_farther_from_the_truth_than_eager_fails() -> None:
    truth = {name: array.astype(np.float64) for name, array in outputs().items()}
    eager, found = outputs(), outputs()
    eager["logits"] += np.float32(1e-6)
    found["logits"] -= np.float32(2.8e-6)
    assert compare_outputs("case", eager, found, truth)
    found["logits"] -= np.float32(1e-6)
    assert compare_outputs("case", eager, found)
    assert "from float64, where eager's own" in compare_outputs("case", eager, found, truth).summary
    both = compare_outputs("case", eager, found, truth, tolerance=1e-7).summary
    assert "would pass" in both
    assert "from float64" in both


def test_no_rows_are_equal_but_nothing_compared_is_no_proof() -> None:
    assert compare_outputs("case", outputs(0), outputs(0))
    assert not ParityReport(())
    assert ParityReport(()).summary.startswith("FAIL")


def test_a_run_without_outputs_fails() -> None:
    report = compare_outputs("good", outputs(), outputs()) + ParityReport.of_failure("bad", "it broke")
    assert not report
    assert report.summary == "FAIL: bad, none: it broke"
    assert str(report).splitlines()[3].endswith("FAIL")


def test_the_table_fits_a_terminal() -> None:
    case = f"{'folder/' * 20}drawings.ndjson (300 sketches)"
    report = compare_outputs(case, outputs(), outputs(), outputs(), tolerance=1e-5)
    report += compare_outputs("other", outputs(), {name: -values for name, values in outputs().items()}, outputs())
    lines = report.to_text(width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("...")
    assert sum(line.startswith("FAIL: other, ") for line in lines) == 2
    assert case in str(report)


def test_one_failure_fails_the_sum() -> None:
    good = compare_outputs("good", outputs(), outputs())
    bad = compare_outputs("bad", outputs(), {name: array + 1 for name, array in outputs().items()})
    assert good + good
    assert not good + bad
    assert (good + bad).summary.startswith("FAIL: bad, log_probs")
    table = str(good + bad)
    assert table.count("\n") == 6  # header, four outputs, the other output's problem, the verdict
    assert table.splitlines()[1].split()[:3] == ["good", "log_probs", "4x3"]
