"""The benchmark's arithmetic; nothing here takes a time."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench.candidates import COLUMNS, FP32_PEERS, OURS_FP32, OURS_INT8, Variant
from benchmarks.bench.cold import IMPORTS
from benchmarks.bench.judge import Judge, WrongAnswerError
from benchmarks.bench.measurement import Measurement, Timing
from benchmarks.bench.pieces import Results, put_together, row_of
from benchmarks.bench.report import Report
from benchmarks.bench.results import Row, Share, Target, make_rows, make_share, make_targets, percentile_ms
from benchmarks.bench.workloads import (
    Workload,
    dense_strokes,
    make_workloads,
    needed_flops,
    read_drawings,
    sketch_lengths,
)
from sketch_infer import InputError
from tests.support import ROOT, SAMPLES

DENSE = ["dense 8", "dense 64"]
NOWHERE = Path()


def test_drawings_are_read_in_a_seeded_order() -> None:
    drawings = read_drawings(SAMPLES, 5, 196)
    assert drawings.shape == (5, 196, 3)
    assert np.array_equal(drawings, read_drawings(SAMPLES, 5, 196))


def test_a_folder_without_drawings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        read_drawings(tmp_path, 5, 196)


def test_lengths_end_at_the_last_row_that_is_not_zero() -> None:
    strokes = np.zeros((4, 6, 3), np.float32)
    strokes[1, 0, 0] = strokes[2, 3, 2] = strokes[3, 5, 1] = 1
    assert sketch_lengths(strokes).tolist() == [0, 1, 4, 6]
    assert sketch_lengths(dense_strokes(3, 9)).tolist() == [9, 9, 9]


def test_flops_by_hand() -> None:
    per_step = 2 * (4 * 2 * 2 + 4 * 2 * 33) + 2 * 2 * 5
    lengths = np.array([0, 3, 12])
    for settling, steps in {0: (1 + 0) + (3 + 3) + (10 + 10), 4: (1 + 4) + (3 + 7) + (10 + 10)}.items():
        assert needed_flops(lengths, hidden_size=2, classes=5, steps=10, settling=settling) == steps * per_step


def test_percentiles_are_medians_over_rounds() -> None:
    rounds = [[0.001, 0.002, 0.003], [0.004, 0.005, 0.009], [0.1, 0.2, 0.3]]
    assert percentile_ms(rounds, 50) == pytest.approx(5)
    assert percentile_ms(rounds, 100) == pytest.approx(9)


def test_ratios_are_above_one_where_ours_is_better() -> None:
    latency = Row("one sketch", "ms", {OURS_FP32: 2.0, "eager": 6.0, "OpenVINO": 3.0, "OV bf16": 1.0})
    assert latency.best(FP32_PEERS) == "OpenVINO"
    assert latency.ratio(OURS_FP32) == 1.5
    assert latency.ratio(OURS_FP32, ["OV bf16"]) == 0.5
    throughput = Row("bulk", "/s", {OURS_FP32: 900.0, "eager": 300.0, "OpenVINO": 450.0}, more_is_better=True)
    assert throughput.best(FP32_PEERS) == "OpenVINO"
    assert throughput.ratio(OURS_FP32) == 2.0
    assert throughput.ratio(OURS_INT8) is None
    assert Row("bulk", "/s", {OURS_FP32: 1.0}).ratio(OURS_FP32) is None


def test_targets_are_bounds_on_either_side() -> None:
    assert Target("ratio", 2.0, 2.0).met is True
    assert Target("ratio", 1.99, 2.0).met is False
    assert Target("size", 18.0, 18.0, at_least=False).met is True
    assert Target("size", 18.1, 18.0, at_least=False).met is False
    assert Target("size", None, 18.0).met is None


def measured(with_int8: bool = True) -> Measurement:
    """Ours at 1 s, int8 at half of it, every peer at 3 s with one thread and 2 s with two, on each workload."""
    variants = {Variant(OURS_FP32, "ours", NOWHERE): 1.0}
    if with_int8:
        variants[Variant(OURS_INT8, "ours", NOWHERE)] = 0.5
    for candidate in (*FP32_PEERS, "OV bf16"):
        for threads in (1, 2):
            variants[Variant(candidate, "eager", NOWHERE, threads)] = 4.0 - threads
    measurement = Measurement(Judge({}))
    for variant, seconds in variants.items():
        for name in ("one sketch", *DENSE, "bulk"):
            measurement.timings[variant, name] = Timing(
                16, rounds=[[seconds], [99.0], [seconds]], cores=[1.8, 1.2, 1.9]
            )
        measurement.file_bytes[variant.candidate] = 18_000_000
        measurement.judge.deviation[variant.candidate] = 5e-6
        measurement.judge.agreement[variant.candidate] = 0.98765
    for threads in (1, 2):
        product = Timing(None, rounds=[[0.2 / threads] * 5] * 3, cores=[1.0 * threads])
        measurement.timings[Variant("MatMul", "matmul", NOWHERE, threads), "MatMul"] = product
    return measurement


def test_the_best_variant_counts() -> None:
    single, _, _, _, bulk, file, memory = make_rows(measured(), DENSE, "bulk", n_drawings=2000)
    assert (single.values["eager"], single.configurations["eager"]) == (2000.0, "2 threads, batches of 16")
    assert (bulk.values["eager"], bulk.values[OURS_INT8]) == (1000.0, 4000.0)
    assert bulk.configurations["eager"] == "2 threads, batches of 16"
    assert file.values["eager"] == 18.0
    assert memory.values == {}


def test_targets_of_what_was_not_measured_have_no_verdict() -> None:
    cold = {OURS_FP32: 0.27, "torch script": 2.0, IMPORTS: 0.2}
    rows = make_rows(measured(with_int8=False), DENSE, "bulk", n_drawings=2000)
    verdicts = {target.name: target.met for target in make_targets(rows, cold, DENSE, "bulk")}
    assert {name for name, met in verdicts.items() if met is None} == {name for name in verdicts if OURS_INT8 in name}
    assert verdicts["one sketch, p50: ours / best fp32 peer"] is False  # 2.0 of 2.5
    assert verdicts["bulk: ours / best fp32 peer"] is False  # 2.0 of 3.0
    assert verdicts["cold process: ours / imports alone"] is True
    assert verdicts["file: ours, MB"] is False  # 18 of 4


def test_the_share_is_taken_of_a_product_on_as_many_threads() -> None:
    assert make_share(measured(), "bulk", flops=8e9, matmul_flops=1e9) == Share(2, 8.0, 10.0)
    assert Share(2, 8.0, 10.0).target.met is True
    assert make_share(Measurement(Judge({})), "bulk", 1.0, 1.0) is None


def test_the_report_fits_a_terminal_and_json() -> None:
    cold = {OURS_FP32: 0.27, OURS_INT8: 0.25, "torch script": 2.0, IMPORTS: 0.2}
    rows = make_rows(measured(), DENSE, "bulk", n_drawings=2000)
    targets = make_targets(rows, cold, DENSE, "bulk")
    report = Report({"rounds": 3}, {}, measured(), rows, targets, Share(2, 8.0, 10.0), cold, ["something is missing"])
    text = report.text(with_targets=True)
    assert text.startswith(report.text().split("\n\n")[0])
    assert "MISSED" in text
    assert "MISSED" not in report.text()
    assert all(name in text.splitlines()[0] for name in COLUMNS)
    assert max(map(len, text.splitlines())) <= 120
    assert "note: something is missing" in text
    values = json.loads(json.dumps(report.to_json()))
    assert values["ratios"]["bulk"] == {OURS_FP32: 2.0, OURS_INT8: 4.0, "ours int8 / OV bf16": 4.0}
    assert [target["met"] for target in values["targets"]] == [target.met for target in targets]


def outputs(logits: list[list[float]]) -> dict[str, np.ndarray]:
    return dict.fromkeys(("log_probs", "logits"), np.array(logits, np.float32))


REFERENCE = outputs([[0.0, 1.0]] * 100)
ALMOST = outputs([[1e-4, 1.0]] * 100)
OFTEN = outputs([[0.0, 1.0]] * 99 + [[1.0, 0.0]])
SELDOM = outputs([[0.0, 1.0]] * 96 + [[1.0, 0.0]] * 4)
DRAWINGS = Workload("bulk", np.empty((100, 196, 3), np.float32), judged=True)


def test_float32_is_held_to_bounds_and_peers_to_looser_ones() -> None:
    judge = Judge({"bulk": REFERENCE})
    judge.check("eager", DRAWINGS, ALMOST)
    assert judge.deviation["eager"] == pytest.approx(1e-4, rel=1e-3)
    for candidate, found in ((OURS_FP32, ALMOST), ("eager", SELDOM), (OURS_FP32, outputs([[0.0, 1.0]]))):
        with pytest.raises(WrongAnswerError):
            judge.check(candidate, DRAWINGS, found)
    judge.check(OURS_FP32, DRAWINGS, outputs([[0.0, 1.0]] * 7), rows=7)


def results(machine: str, row: str, value: float) -> Results:
    """Results of a run that measured one of two rows."""
    rows = {name: {"unit": "ms", "values": {"ours": value} if name == row else {}} for name in ("bulk", "dense 8")}
    return {
        "machine": machine,
        "settings": {"rounds": 2},
        "medians": rows,
        "configurations": {row: {"ours": row}},
        "ratios": {name: rows[name]["values"] for name in rows},
        "targets": [{"name": "t", "value": None}],
        "correctness": {"deviation": {"ours": value}, "agreement": {}},
        "idle_cores": {},
        "others_cores": 0.0,
        "cold_seconds": {},
        "share_of_matmul": None,
        "notes": [f"{row} is noted"],
    }


def test_runs_of_one_workload_are_put_together() -> None:
    old, new = results("here", "bulk", 1.0), results("here", "dense 8", 2.0)
    old["targets"][0]["value"], old["cold_seconds"] = 3.0, {"ours": 0.1}
    together = put_together(new, old)
    assert [row_of(together, name).values for name in ("bulk", "dense 8")] == [{"ours": 1.0}, {"ours": 2.0}]
    assert row_of(together, "bulk").configurations == {"ours": "bulk"}
    assert together["targets"] == [{"name": "t", "value": 3.0}]
    assert together["cold_seconds"] == {"ours": 0.1}
    assert together["correctness"]["deviation"] == {"ours": 2.0}
    assert together["notes"] == ["bulk is noted", "dense 8 is noted"]


@pytest.mark.parametrize("changed", [{"machine": "elsewhere"}, {"settings": {"rounds": 1}}])
def test_runs_elsewhere_or_with_other_settings_are_not(changed: dict[str, object]) -> None:
    new = results("here", "dense 8", 2.0)
    assert put_together(new, {**results("here", "bulk", 1.0), **changed}) == new


@pytest.mark.parametrize("candidate", [OURS_INT8, "OV bf16"])
def test_low_precision_is_held_to_classes_of_real_drawings(candidate: str) -> None:
    judge = Judge({"bulk": REFERENCE, "dense 8": REFERENCE})
    judge.check(candidate, DRAWINGS, OFTEN)
    assert judge.agreement[candidate] == pytest.approx(0.99)
    judge.check(candidate, Workload("dense 8", DRAWINGS.strokes), SELDOM)
    judge.check(candidate, Workload("bulk", DRAWINGS.strokes), SELDOM)
    with pytest.raises(WrongAnswerError, match=r"96\.00%"):
        judge.check(candidate, DRAWINGS, SELDOM)
    with pytest.raises(WrongAnswerError, match="NaN"):
        judge.check(candidate, DRAWINGS, outputs([[np.nan, 1.0]] * 100))


def test_batch_sizes() -> None:
    single, dense, bulk = make_workloads(np.zeros((300, 196, 3), np.float32), 10)
    sizes = {workload.name: Variant("ORT", "onnxruntime", NOWHERE, 2).chunks(workload) for workload in [*dense, bulk]}
    assert sizes == {"dense 8": [None], "dense 64": [16, None], "dense 512": [16, 64, 256, None], "bulk": [16, 64, 256]}
    streams = Variant("OpenVINO", "openvino", NOWHERE, 2, streams=2)
    assert (streams.chunks(single), streams.chunks(dense[0])) == ([], [4])
    assert Variant(OURS_FP32, "ours", NOWHERE).chunks(bulk) == [None]
    assert Variant("compile", "compiled", NOWHERE, 2).chunks(dense[2]) == [None]
    assert single.strokes.shape == (10, 196, 3)


def test_the_parent_loads_nothing_heavy_before_it_needs_to() -> None:
    code = (
        "import sys, benchmarks.bench.measure, benchmarks.bench.worker, benchmarks.bench.report\n"
        "print([name for name in ('torch', 'openvino', 'matplotlib', 'onnxruntime') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
