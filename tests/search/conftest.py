"""An index of a few real drawings, under the tiny network with codes."""

import functools
import json
from pathlib import Path

import pytest

from sketch_search import cli
from tests import tiny
from tests.support import SAMPLES, Run, run_command

LINES = (SAMPLES / "drawings.ndjson").read_text(encoding="utf-8").splitlines(keepends=True)


@pytest.fixture
def sketch_search() -> Run:
    return functools.partial(run_command, cli.main)


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """The sample drawings, of one word each."""
    (tmp_path / "drawings.ndjson").write_text("".join(LINES), encoding="utf-8")
    return tmp_path / "drawings.ndjson"


@pytest.fixture
def index_file(tmp_path: Path, sketch_search: Run, drawings: Path) -> Path:
    """An index of them."""
    built = sketch_search("build", drawings, "--model", tiny.WITH_CODES, "--output", tmp_path / "drawings.index")
    assert built.exit_code == 0, built.stderr
    return tmp_path / "drawings.index"


def moved(line: str, by: int, mirrored: bool = False) -> str:
    """A drawing with every second point moved by so many pixels, or mirrored, in one line of JSON."""
    record = json.loads(line)
    for stroke in record["drawing"]:
        stroke[0] = [255 - x if mirrored else min(x + by * (number % 2), 255) for number, x in enumerate(stroke[0])]
    return json.dumps(record) + "\n"
