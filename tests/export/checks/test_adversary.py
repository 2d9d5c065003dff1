"""The search for sketches on which ONNX Runtime and float64 part."""

import json
from pathlib import Path

import numpy as np

from benchmarks.adversary.__main__ import RESULTS, Judged, judge, search, to_markdown
from benchmarks.adversary.kernel import measure_activations
from benchmarks.adversary.search import climb
from sketch_infer.inference.session import Session
from tests.docs.pages import read_page
from tests.networks import make_model
from tests.support import random_sketches


def test_climbing_never_gets_worse_and_stays_in_range() -> None:
    start = random_sketches(3, 24, seed=1).clip(-1, 1)
    best, scores = climb(lambda strokes: np.abs(strokes).sum(axis=(1, 2)), start, 50, seed=0)
    assert (scores > np.abs(start).sum(axis=(1, 2))).all()
    assert np.abs(best).max() <= 1
    np.testing.assert_array_equal(scores, np.abs(best).sum(axis=(1, 2)))
    again, _ = climb(lambda strokes: np.abs(strokes).sum(axis=(1, 2)), start, 50, seed=0)
    np.testing.assert_array_equal(again, best)


def test_the_activations_of_onnx_runtime_are_the_coarser_ones() -> None:
    tanh, sigmoid = measure_activations()
    assert tanh.pytorch < 1e-7 < tanh.onnxruntime < 1e-6
    assert sigmoid.onnxruntime < 1e-6


def test_a_small_search(tiny_onnx: Path) -> None:
    model, session = make_model(), Session(tiny_onnx, "cpu")
    worst = judge(model, {"fast": session}, search(model, session, rounds=3, seed=0))
    start = judge(model, {"fast": session}, search(model, session, rounds=0, seed=0))
    assert 0 < start.onnx["fast"] <= worst.onnx["fast"] < 1e-5
    assert 0 < worst.eager < 1e-5
    assert worst.apart["fast"] <= worst.onnx["fast"] + worst.eager
    assert worst.same_label


def test_the_table_of_the_docs_is_of_the_results() -> None:
    found = json.loads(RESULTS.read_text())
    assert to_markdown({graph: Judged(**one) for graph, one in found["worst"].items()}) in read_page("docs/proof.md")
    for one in found["activations"]:
        assert f"{one['onnxruntime']:.1e}".replace("e-0", "e-") in read_page("docs/proof.md")
