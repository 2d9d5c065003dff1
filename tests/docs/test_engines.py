"""What the docs say of other engines is what `make engines` found."""

import json
from pathlib import Path

import pytest

from benchmarks.engines.__main__ import to_markdown
from benchmarks.engines.ask import FILES, PROVEN, Found, ask
from benchmarks.engines.web import NotRun, find_node, run_web
from tests.support import ROOT

RESULTS = [Found(**values) for values in json.loads((ROOT / "benchmarks" / "results" / "engines.json").read_text())]
TINY = ROOT / "tests" / "tiny" / "tiny.onnx"


def test_the_docs_have_the_recorded_table() -> None:
    assert to_markdown(RESULTS) in (ROOT / "docs" / "onnxruntime.md").read_text(encoding="utf-8")


def test_onnx_runtime_is_right_and_so_is_every_engine_on_the_plain_file() -> None:
    right = {(one.engine, one.file) for one in RESULTS if one.verdict == "right"}
    assert {(engine, file) for engine in PROVEN for file in FILES} <= right
    assert all(one.verdict == "right" for one in RESULTS if one.file == "plain")


def test_the_table_shows_what_was_refused_and_what_was_not_run() -> None:
    answers = [Found("A", "fast", "wrong", "1", 3.4), Found("A", "plain", "right", "1", 1e-6)]
    missing = [Found("B", file, "not run", reason="needs C") for file in FILES]
    assert to_markdown(
        [*answers, Found("A", "int8", "refused"), Found("A", "points", "refused"), *missing]
    ).splitlines()[2:] == [
        "| A 1 | wrong (3e+00) | right (1e-06) | refused | refused |",
        "| B | not run: needs C | not run: needs C | not run: needs C | not run: needs C |",
    ]


@pytest.mark.parametrize("version", [None, "v18.20.4", "nothing"])
def test_without_a_node_that_can_run_it_the_web_runtime_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    if version:
        (tmp_path / "node").write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask("onnxruntime-web", "fast", TINY) == Found(
        "onnxruntime-web", "fast", "not run", reason="needs Node >= 20"
    )


def test_the_web_runtime_answers_and_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        find_node()
    except NotRun as error:
        pytest.skip(f"onnxruntime-web {error}")
    assert ask("onnxruntime-web", "fast", TINY).verdict == "right"
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    monkeypatch.setattr("benchmarks.engines.ask.ENGINES", {"web": lambda _, feeds: run_web(broken, feeds)})
    found = ask("web", "fast", TINY)
    assert found.verdict == "refused"
    assert "protobuf" in found.reason
