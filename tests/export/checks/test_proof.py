"""Files that are not the network, each refused with the reason."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from sketch_export import NotProvenError, export_onnx, prove
from sketch_export import exporter as exporter_module
from sketch_export.exporter import seal
from sketch_export.plain_graph import make_plain
from sketch_infer import ModelFileError, ParityError
from sketch_infer.array_types import FloatArray
from sketch_infer.inference.session import Session
from tests.networks import make_model


def test_a_difference_leaves_no_file_and_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(graph: ir.Model) -> None:
        make_plain(graph)
        bias = graph.graph.initializers["fc_mu1.bias"]
        assert bias.const_value is not None
        bias.const_value = ir.tensor(bias.const_value.numpy() + np.float32(1e-3), name="fc_mu1.bias")

    monkeypatch.setattr(exporter_module, "make_plain", damaged)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an older model")
    with pytest.raises(NotProvenError, match=r"a tolerance of 1\.0\de-03 would pass") as raised:
        export_onnx(make_model(), path)
    assert not raised.value.report
    assert raised.value.exit_code == 1
    assert path.read_bytes() == b"an older model"
    assert list(tmp_path.iterdir()) == [path]


def test_a_graph_that_is_right_for_one_row_only_is_found(tmp_path: Path, tiny_plain_onnx: Path) -> None:
    """Flatten time first instead of batch first: the same for one row, rows mixed for more."""
    model = onnx.load(tiny_plain_onnx)
    flatten = next(node for node in model.graph.node if node.output[0] == "flatten")
    transpose = next(node for node in model.graph.node if node.output[0] == flatten.input[0])
    flatten.input[0] = transpose.input[0]
    model.graph.node.remove(transpose)
    seal(model, tmp_path / "mixed.onnx")
    assert prove(tmp_path / "mixed.onnx", make_model(), batches=[1])
    report = prove(tmp_path / "mixed.onnx", make_model())
    assert {row.case for row in report.rows if not row} == {"batch 2", "batch 3", "batch 7", "batch 64"}


def test_a_baked_batch_in_the_signature_is_found(tmp_path: Path, tiny_onnx: Path) -> None:
    model = onnx.load(tiny_onnx)
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
    seal(model, tmp_path / "baked.onnx")
    with pytest.raises(
        ModelFileError, match=r"expected log_probs as tensor\(float\) \['batch', 5\], found .* \[1, 5\]"
    ):
        prove(tmp_path / "baked.onnx", make_model())


@pytest.mark.parametrize(("opset", "ir_version"), [(21, 8), (18, 11)])
def test_proof_refuses_what_is_newer_than_the_kernels(
    tmp_path: Path, tiny_onnx: Path, opset: int, ir_version: int
) -> None:
    model = onnx.load(tiny_onnx)
    model.opset_import[0].version, model.ir_version = opset, ir_version
    seal(model, tmp_path / "new.onnx")
    with pytest.raises(ModelFileError, match="expected opset <= 20 and IR version <= 10"):
        prove(tmp_path / "new.onnx", make_model())


def test_probes_of_another_network_are_found(tmp_path: Path, tiny_onnx: Path) -> None:
    model, other = onnx.load(tiny_onnx), tmp_path / "other.onnx"
    export_onnx(make_model(seed=1), other)
    foreign = {entry.key: entry.value for entry in onnx.load(other).metadata_props}
    for entry in model.metadata_props:
        if entry.key.endswith("probes"):
            entry.value = foreign[entry.key]
    seal(model, tmp_path / "changed.onnx")
    report = prove(tmp_path / "changed.onnx", make_model())
    assert {row.case for row in report.rows if not row} == {"recorded probes"}


def test_a_batch_that_does_not_run_is_a_failed_case(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Session.run

    def fail_on_seven(self: Session, strokes: FloatArray, *options: Any) -> object:
        if len(strokes) == 7:
            raise ModelFileError("it broke")
        return run(self, strokes, *options)

    monkeypatch.setattr(Session, "run", fail_on_seven)
    report = prove(tiny_onnx, make_model())
    assert [row.case for row in report.rows if not row] == ["batch 7"]
    assert report.summary == "FAIL: batch 7, none: it broke"


def test_proof_refuses_other_weights(tiny_onnx: Path) -> None:
    with pytest.raises(ParityError, match="exported from other weights"):
        prove(tiny_onnx, make_model(seed=1))


def test_proof_refuses_an_invalid_graph(tmp_path: Path, tiny_onnx: Path) -> None:
    model = onnx.load(tiny_onnx)
    model.graph.node[0].input[0] = "nowhere"
    seal(model, tmp_path / "broken.onnx")
    with pytest.raises(ModelFileError, match="not a valid ONNX file"):
        prove(tmp_path / "broken.onnx", make_model())
