"""What ONNX Runtime may open is decided before it does: what sketch-export never writes is refused, sealed or not."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from sketch_export import export_onnx
from sketch_export.exporter import seal, sealed
from sketch_infer import ModelFileError, default_model
from sketch_infer.inference.session import Session
from sketch_infer.model import graph_check
from sketch_infer.model.integrity import DIGITS, content_sha256
from sketch_infer.model.model_file import ModelFile
from sketch_infer.model.operators import OPERATORS
from sketch_models import SketchRNNConfig
from tests import tiny
from tests.export.model_file.graph_edits import REFUSED, nest
from tests.networks import make_model


def write_sealed(model: onnx.ModelProto, path: Path) -> None:
    """Seal what an attacker may put before the metadata too, where protobuf itself would write it behind."""
    front = onnx.ModelProto(functions=model.functions, training_info=model.training_info)
    del model.functions[:], model.training_info[:]
    content = front.SerializeToString() + sealed(model)
    path.write_bytes(content[:-DIGITS] + content_sha256(content))


@pytest.mark.parametrize("what", REFUSED)
def test_refused_before_onnx_runtime_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    edit, words = REFUSED[what]
    model = onnx.load(tiny.MODEL)
    edit(model)
    write_sealed(model, tmp_path / "sealed.onnx")
    monkeypatch.setattr("sketch_infer.inference.session.start_session", lambda *_: pytest.fail("too late"))
    with pytest.raises(ModelFileError, match=words) as raised:
        Session(tmp_path / "sealed.onnx", "cpu")
    assert str(raised.value).startswith(f"{tmp_path / 'sealed.onnx'}: expected ")
    assert str(raised.value).isprintable()


def test_branches_that_are_not_too_deep_pass(tmp_path: Path) -> None:
    model = onnx.load(tiny.MODEL)
    nest(1)(model)
    seal(model, tmp_path / "sealed.onnx")
    assert Session(tmp_path / "sealed.onnx", "cpu").metadata.labels == tiny.LABELS


def test_two_graphs_that_protobuf_would_merge() -> None:
    content = tiny.MODEL.read_bytes()
    second = onnx.ModelProto(graph=onnx.GraphProto(node=[helper.make_node("Loop", [], [])])).SerializeToString()
    with pytest.raises(ModelFileError, match="expected one graph, found 2"):
        graph_check.check_graph(ModelFile("merged", second + content).header)


def test_a_value_of_another_type_is_not_skipped() -> None:
    """Protobuf skips field 14 of a tensor as bytes, and takes the number before it: EXTERNAL."""
    model = onnx.ModelProto(ir_version=8)
    content = b"\x70\x01\x72\x00"  # data_location = 1, then the same field as empty bytes
    model.graph.initializer.add().MergeFromString(content[:2])
    blob = model.SerializeToString()
    forged = blob.replace(b"\x2a\x02\x70\x01", b"\x2a\x04" + content).replace(b"\x3a\x04", b"\x3a\x06")
    assert onnx.load_model_from_string(forged).graph.initializer[0].data_location == TensorProto.EXTERNAL
    with pytest.raises(ModelFileError, match="fields of a constant that sketch-export writes, found field 14"):
        graph_check.check_graph(ModelFile("forged", forged).header)


def test_a_file_of_two_million_fields() -> None:
    content = onnx.ModelProto(ir_version=8).SerializeToString() + b"\x10\x00" * 2_000_000
    with pytest.raises(ModelFileError, match="expected at most 1000000 protobuf fields"):
        ModelFile("many", content)


def test_the_table_of_operators_is_what_the_exports_use(
    tmp_path: Path,
    tiny_onnx: Path,
    tiny_plain_onnx: Path,
    tiny_onnx_with_state: Path,
    default_onnx: Path,
) -> None:
    """A pass that brings a new operator has to add it to the table, and one that goes takes its line with it."""
    files = [
        tiny_onnx,
        tiny_plain_onnx,
        tiny_onnx_with_state,
        tiny.OF_POINTS,
        tiny.WITH_CODES,
        default_onnx,
        default_model("int8"),
    ]
    layers = tmp_path / "layers.onnx"
    export_onnx(make_model(SketchRNNConfig(3, 4, 3, n_layers=2, sequence_length=24)), layers, precision="int8")
    used: dict[str, set[str]] = {}
    waiting = [onnx.load(file).graph for file in [*files, layers]]
    while waiting:
        graph = waiting.pop()
        for node in graph.node:
            operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            used.setdefault(operator, set()).update(attribute.name for attribute in node.attribute)
            waiting += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    assert used == {operator: set(attributes) for operator, attributes in OPERATORS.items()}
