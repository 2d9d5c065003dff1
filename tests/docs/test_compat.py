"""What the docs and the metadata say of ONNX Runtime releases is what `make compat` found."""

import json
import tomllib

from benchmarks.compat.__main__ import RELEASES, Release, to_markdown
from tests.docs.pages import read_page
from tests.support import ROOT

RESULTS = [Release(**values) for values in json.loads((ROOT / "benchmarks" / "results" / "compat.json").read_text())]


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_the_docs_have_the_recorded_table() -> None:
    assert to_markdown(RESULTS) in read_page("docs/onnxruntime.md")
    assert tuple(one.onnxruntime for one in RESULTS) == RELEASES


def test_at_least_four_releases_hold_up_to_the_newest() -> None:
    holding = [one for one in RESULTS if one.holds]
    assert len(holding) >= 4
    assert holding == RESULTS[-len(holding) :]


def test_the_lower_bound_follows() -> None:
    metadata = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())
    (requirement,) = metadata["project"]["optional-dependencies"]["cpu"]
    oldest = min(version(one.onnxruntime) for one in RESULTS if one.holds)
    assert requirement == f"onnxruntime>={oldest[0]}.{oldest[1]}"
    assert not any(one.holds for one in RESULTS if version(one.onnxruntime)[:2] < oldest[:2])


def test_a_failing_release_does_not_hold() -> None:
    failing = Release("1.0", "1.26", "3.11", "9e-07", "FAIL: Error: it cannot be; do this", "9e-07", "2e-2", "")
    assert not failing.holds
    assert "| it cannot be |" in to_markdown([failing])
