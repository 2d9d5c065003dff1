"""The self-check refuses every kind of damaged file for the right reason, and passes what is sound."""

from pathlib import Path

import onnx
import pytest

from sketch_export import export_onnx
from sketch_infer.checks.self_check import self_check as run_self_check
from sketch_infer.model.onnx_header import read_header
from tests.export.model_file.damage import DAMAGE
from tests.networks import make_model
from tests.support import Run


@pytest.fixture
def copied(tiny_onnx: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_onnx.read_bytes())
    return path


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused_for_its_reason(sketch_infer: Run, copied: Path, damage: str) -> None:
    apply, reason = DAMAGE[damage]
    apply(copied)
    result = sketch_infer("--self-check", "--model", copied)
    assert result.exit_code == 1
    assert reason in result.stdout.splitlines()[-1]
    assert result.stderr == f"Error: the self-check of {copied} failed; see above\n"


def test_int8_and_initial_states_pass(tmp_path: Path, tiny_onnx_with_state: Path) -> None:
    export_onnx(make_model(), tmp_path / "int8.onnx", random_weights=True, precision="int8")
    assert run_self_check(tmp_path / "int8.onnx", "cpu")
    assert run_self_check(tiny_onnx_with_state, "cpu")


def test_the_header_is_onnx_s_own(tiny_onnx: Path) -> None:
    model, header = onnx.load(tiny_onnx), read_header(tiny_onnx.read_bytes())
    assert header.ir_version == model.ir_version
    assert header.opsets == {entry.domain: entry.version for entry in model.opset_import}
