"""`sketch-export onnx --sign-key`, and the table of a fleet's receipts."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.networks import make_model
from tests.signing_keys import write_keys
from tests.support import Run


@pytest.fixture
def receipts(sketch_infer: Run, tiny_onnx: Path, tmp_path: Path) -> list[Path]:
    keys = write_keys(tmp_path)
    paths = [tmp_path / f"{name}.json" for name in ("one", "two", "three")]
    arguments = ("--self-check", "--model", tiny_onnx, "--attest", paths[0], "--sign-key", keys.private)
    assert sketch_infer(*arguments).exit_code == 0
    for other in paths[1:]:
        shutil.copyfile(paths[0], other)
        shutil.copyfile(f"{paths[0]}.sig", f"{other}.sig")
    return paths


def test_receipts_become_one_table(sketch_export: Run, receipts: list[Path], tmp_path: Path) -> None:
    result = sketch_export("receipts", *receipts, "--verify-key", tmp_path / "public.pem")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1 + 3 + 2
    assert result.stdout.endswith("\n3 of 3 passed, on 1 different file\n")


def test_a_failed_one_is_named(sketch_export: Run, receipts: list[Path]) -> None:
    failed = json.loads(receipts[1].read_text()) | {
        "verdict": "fail",
        "summary": "FAIL: probes: none",
        "device": "pi-7",
    }
    receipts[1].write_text(json.dumps(failed))
    result = sketch_export("receipts", *receipts)
    assert result.exit_code == 1
    assert "2 of 3 passed" in result.stdout
    assert result.stderr == "Error: 1 of 3 failed: pi-7: FAIL: probes: none\n"


def test_a_damaged_or_an_edited_one_is_refused(sketch_export: Run, receipts: list[Path], tmp_path: Path) -> None:
    edited = json.loads(receipts[1].read_text()) | {"device": "pi-7"}
    receipts[1].write_text(json.dumps(edited))
    result = sketch_export("receipts", *receipts, "--verify-key", tmp_path / "public.pem")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "two.json.sig is not this key's signature of it" in result.stderr
    receipts[1].write_text(receipts[0].read_text()[:-9])
    result = sketch_export("receipts", *receipts)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "two.json: expected a receipt of `sketch-infer --attest`, found no JSON" in result.stderr


def test_an_export_is_signed(sketch_export: Run, sketch_infer: Run, tmp_path: Path) -> None:
    keys = write_keys(tmp_path)
    checkpoint, output = tmp_path / "weights.pt", tmp_path / "model.onnx"
    torch.save(make_model().state_dict(), checkpoint)
    arguments = ("onnx", "--checkpoint", checkpoint, "--output", output, "--sequence-length", 24)
    result = sketch_export(*arguments, "--sign-key", keys.public)
    assert result.exit_code == 2
    assert not output.exists()  # the key is read before the proof
    result = sketch_export(*arguments, "--sign-key", keys.private)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith(f"wrote {output}.sig\n")
    assert sketch_infer("--list-labels", "--model", output, "--verify-key", keys.public).exit_code == 0
