"""The golden vectors, to which the preparation in points files is held, are what `sketch_infer` makes today."""

import json

import numpy as np

from sketch_infer import default_model, drawing_to_sketch
from sketch_infer.inference.session import Session
from tests.golden.__main__ import FILE, golden_text


def test_the_committed_vectors_are_what_the_generator_makes() -> None:
    committed, made = (json.loads(text) for text in (FILE.read_text(encoding="utf-8"), golden_text()))
    assert [case["name"] for case in committed["cases"]] == [case["name"] for case in made["cases"]]
    for case, again in zip(committed["cases"], made["cases"], strict=True):
        assert case["raw"] == again["raw"]
        assert case["simplified"] == again["simplified"], case["name"]
        assert case["cut"] == again["cut"]
        np.testing.assert_allclose(case["rows"], again["rows"], rtol=0, atol=1e-7)


def test_the_vectors_are_of_the_default_network_and_hold_what_matters() -> None:
    golden = json.loads(FILE.read_text(encoding="utf-8"))
    assert golden["sequence_length"] == Session(default_model(), "cpu").metadata.sequence_length
    rows = [len(case["rows"]) for case in golden["cases"]]
    assert min(rows) == 1
    assert max(rows) > golden["sequence_length"] - 1
    assert any(case["cut"] for case in golden["cases"])
    for case in golden["cases"]:
        sketch = drawing_to_sketch(case["simplified"])[: golden["sequence_length"]]
        np.testing.assert_allclose(case["rows"], sketch, rtol=0, atol=1e-7)
    assert FILE.stat().st_size < 300_000
