"""The proof on emulated ARM64: its table in the docs, and its own parts on this machine."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.arm64 import emulator, rows
from benchmarks.arm64.__main__ import MACHINES, RESULTS, Found, to_markdown
from benchmarks.arm64.emulator import Emulator, EmulatorError
from sketch_infer.array_types import FloatArray
from sketch_infer.inference.session import Session
from tests import tiny
from tests.docs.pages import read_page


def test_the_table_of_the_docs_is_of_the_results() -> None:
    found = [Found(**one) for one in json.loads(RESULTS.read_text())["found"]]
    assert all(found_one.holds for found_one in found)
    assert {(one.onnxruntime, one.processor) for one in found} == set(MACHINES)
    assert to_markdown(found) in read_page("docs/device.md")


@pytest.mark.parametrize("model", [tiny.MODEL, tiny.OF_POINTS], ids=["strokes", "points"])
def test_rows_are_compared_bit_for_bit(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(model, "cpu")
    assert rows.rows_that_differ(session) == dict.fromkeys(rows.BATCHES, 0)
    run = session.run

    def coupled(sketches: list[FloatArray]) -> dict[str, FloatArray]:
        outputs = run(sketches)
        return outputs | {"logits": np.nextafter(outputs["logits"], np.float32(len(sketches) - 1))}

    monkeypatch.setattr(session, "run", coupled)
    assert min(rows.rows_that_differ(session).values()) > 0


def test_what_the_emulator_needs_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmulatorError, match="expected apt-get, found none: this needs Debian, or an ARM64 machine"):
        Emulator.prepare(tmp_path)
    assert not list(tmp_path.iterdir())


def test_packages_come_from_where_this_machine_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = "Debian stable-security http://near/debian-security/\nOther stable http://x/\nDebian stable http://near/debian/\n"
    monkeypatch.setattr(emulator, "_run", lambda command: sources if "indextargets" in command else "")
    assert emulator._mirror() == "http://near/debian/"
    sources = "Ubuntu noble http://near/ubuntu/\n\n"
    with pytest.raises(EmulatorError, match="expected a Debian mirror among apt-get's sources, found none"):
        emulator._mirror()
