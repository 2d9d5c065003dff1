"""Embedding and code in a model file: eager PyTorch's in every form of it, and class outputs that do not notice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from sketch_export import NotProvenError, export_onnx, prove
from sketch_export.checks.proof import proof_strokes
from sketch_export.exporter import seal
from sketch_export.passes.code_outputs import add_codes
from sketch_export.pen_points.examples import proof_points
from sketch_infer.checks.self_check import self_check
from sketch_infer.inference.session import Session
from sketch_infer.model.codes import CODE, CODES, EMBEDDING, pack_code
from sketch_infer.model.contract.tensors import OUTPUTS
from sketch_models import run_eager
from tests import tiny
from tests.networks import make_hash, make_model, make_tiny_hash

FORMS: dict[str, dict[str, Any]] = {
    "fast": {},
    "plain": {"graph": "plain"},
    "int8": {"precision": "int8"},
    "with states": {"initial_state": True},
    "opset 20": {"opset": 20},
}


@pytest.mark.parametrize("form", FORMS)
def test_codes_are_eager_pytorchs_and_the_classes_do_not_notice(tmp_path: Path, form: str) -> None:
    with_codes, without = tmp_path / "codes.onnx", tmp_path / "classes.onnx"
    proof = export_onnx(make_hash(), with_codes, tiny.LABELS, **FORMS[form])
    assert proof
    assert any("bits differ" in note for note in proof.notes)
    export_onnx(make_model(), without, tiny.LABELS, **FORMS[form])
    session = Session(with_codes, "cpu")
    assert session.metadata.code_bits == 16
    strokes = np.clip(proof_strokes(40, tiny.LENGTH, seed=3), -1, 1)
    found = session.run(strokes, outputs=session.outputs)
    eager, classes = run_eager(make_hash(), strokes), Session(without, "cpu").run(strokes)
    for name in OUTPUTS:
        np.testing.assert_array_equal(found[name], classes[name])
    tolerance = 1e-5 if form != "int8" else 0.02
    np.testing.assert_allclose(found[EMBEDDING], eager[EMBEDDING], rtol=0, atol=tolerance)
    np.testing.assert_allclose(np.linalg.norm(found[EMBEDDING], axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(found[CODE], pack_code(found[EMBEDDING]))
    differs = np.unpackbits(found[CODE] ^ eager[CODE], axis=1).astype(bool)
    assert (np.abs(eager[EMBEDDING][differs]) <= tolerance).all()


def test_who_only_classifies_asks_for_no_codes() -> None:
    found = Session(tiny.WITH_CODES, "cpu").run(proof_strokes(3, tiny.LENGTH))
    assert list(found) == list(OUTPUTS)


def test_codes_do_not_depend_on_the_rows_beside() -> None:
    session, strokes = Session(tiny.WITH_CODES, "cpu"), proof_strokes(9, tiny.LENGTH)
    together = session.run(strokes, outputs=CODES)
    for row in range(len(strokes)):
        alone = session.run(strokes[row : row + 1], outputs=CODES)
        for name in CODES:
            np.testing.assert_array_equal(alone[name][0], together[name][row])


def test_no_sketch_has_no_codes() -> None:
    none = np.empty((0, tiny.LENGTH, 3), np.float32)
    found = Session(tiny.WITH_CODES, "cpu").run(none, outputs=CODES)
    assert {name: array.shape for name, array in found.items()} == {EMBEDDING: (0, 16), CODE: (0, 2)}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_points_that_cannot_be_used_have_no_embedding(tmp_path: Path, precision: Any) -> None:
    path = tmp_path / "points.onnx"
    assert export_onnx(make_hash(), path, tiny.LABELS, input_form="points", precision=precision)
    session, (good, other) = Session(path, "cpu"), proof_points(2, seed=3)
    found = session.run([good[:1], good, other], outputs=CODES)
    assert np.isnan(found[EMBEDDING][0]).all()
    assert not found[CODE][0].any()
    np.testing.assert_array_equal(found[CODE][1:], pack_code(found[EMBEDDING][1:]))
    np.testing.assert_allclose(found[EMBEDDING][1:], session.run([good, other], outputs=CODES)[EMBEDDING], atol=1e-6)
    assert {name: array.shape for name, array in session.run([], outputs=CODES).items()} == {
        EMBEDDING: (0, 16),
        CODE: (0, 2),
    }


def change_weight(name: str, change: Callable[[Any], Any]) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
        tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), name))

    return edit


WRONG = {
    "a bias of the hash layer": change_weight("hash_layer.fc_2.bias", lambda bias: bias + 0.01),
    "bits packed the other way": change_weight("code.weights", lambda weights: np.ascontiguousarray(weights[::-1])),
    "the threshold": change_weight("hash_layer.zero", lambda zero: zero + np.float32(0.1)),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_codes_are_seen_on_the_device_and_in_the_proof(tmp_path: Path, what: str) -> None:
    model, path = onnx.load(tiny.WITH_CODES), tmp_path / "wrong.onnx"
    WRONG[what](model)
    seal(model, path)
    assert self_check(tiny.WITH_CODES, "cpu")
    for report in (self_check(path, "cpu").parity, prove(path, make_tiny_hash())):
        assert report is not None
        assert {row.output for row in report.rows if not row} & set(CODES)
        assert not {row.output for row in report.rows if not row} & set(OUTPUTS)


def test_a_file_with_wrong_codes_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketch_export.exporter.add_codes", lambda model, _: add_codes(model, make_hash(seed=1)))
    with pytest.raises(NotProvenError, match="embedding: off by more than"):
        export_onnx(make_hash(), tmp_path / "model.onnx", tiny.LABELS)
    assert not (tmp_path / "model.onnx").exists()


def test_the_proof_needs_the_hash_layer_of_the_file() -> None:
    with pytest.raises(Exception, match="exported from other weights"):
        prove(tiny.WITH_CODES, make_hash(seed=1))
    with pytest.raises(Exception, match="exported from other weights"):
        prove(tiny.WITH_CODES, make_model())
