"""What the docs say of other engines is what `make engines` found."""

import json

from benchmarks.engines.__main__ import to_markdown
from benchmarks.engines.ask import FILES, Found
from tests.support import ROOT

RESULTS = [Found(**values) for values in json.loads((ROOT / "benchmarks" / "results" / "engines.json").read_text())]


def test_the_docs_have_the_recorded_table() -> None:
    assert to_markdown(RESULTS) in (ROOT / "docs" / "onnxruntime.md").read_text(encoding="utf-8")


def test_onnx_runtime_is_right_and_so_is_every_engine_on_the_plain_file() -> None:
    right = {(one.engine.split(" ")[0], one.file) for one in RESULTS if one.verdict == "right"}
    assert {("ONNX", file) for file in FILES} <= right
    assert all(one.verdict == "right" for one in RESULTS if one.file == "plain")


def test_the_table_shows_what_was_refused() -> None:
    found = [Found("A 1", "fast", "wrong", 3.4), Found("A 1", "plain", "right", 1e-6), Found("A", "int8", "refused")]
    assert to_markdown(found).splitlines()[2] == "| A 1 | wrong (3e+00) | right (1e-06) | refused |"
