"""The page says what was measured, and its commands and code run."""

import json
import shlex
from pathlib import Path

import pytest

from benchmarks.search import taught
from benchmarks.search.__main__ import to_markdown
from sketch_search import cli
from tests import tiny
from tests.docs.pages import blocks, commands, read_page
from tests.search.conftest import LINES
from tests.support import ROOT, SAMPLES, run_command

PAGE = read_page("docs/sketch-search.md")


def test_the_docs_have_the_recorded_figures() -> None:
    results = ROOT / "benchmarks" / "results"
    assert to_markdown(json.loads((results / "search.json").read_text(encoding="utf-8"))) in PAGE
    recorded = json.loads((results / "taught.json").read_text(encoding="utf-8"))
    assert taught.to_markdown(recorded) in read_page("docs/python.md")


def test_commands_and_code_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    test_drawings = tmp_path / "benchmarks" / "data" / "quickdraw_test"
    test_drawings.mkdir(parents=True)
    (test_drawings / "all.ndjson").write_text("".join(LINES), encoding="utf-8")
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "samples").symlink_to(SAMPLES)
    ran = commands(PAGE)
    assert len(ran) > 4
    for command in ran:
        program, *arguments = shlex.split(command)
        model = ("--model", tiny.WITH_CODES) if arguments[0] in ("build", "query") else ()
        result = run_command(cli.main, *arguments, *model)
        assert (program, result.exit_code) == ("sketch-search", 0), result.stderr
    assert (tmp_path / "similar.html").exists()
    for code in blocks(PAGE, "python"):
        exec(code.replace('"quickdraw-345"', repr(str(tiny.WITH_CODES))), {})  # noqa: S102  # the page's own code
