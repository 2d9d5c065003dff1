"""What ONNX Runtime may open is decided before it does: what sketch-export never writes is refused, sealed or not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sketch_export import export_onnx
from sketch_export.exporter import seal, sealed
from sketch_infer import ModelFileError, default_model
from sketch_infer.inference.session import Session
from sketch_infer.model import graph_check
from sketch_infer.model.integrity import DIGITS, content_sha256
from sketch_infer.model.model_file import ModelFile
from sketch_infer.model.operators import MAX_NODES, OPERATORS
from sketch_models import SketchRNNConfig
from tests import tiny
from tests.networks import make_model

Edit = Callable[[onnx.ModelProto], None]


def add_node(op_type: str, domain: str = "", **attributes: Any) -> Edit:
    def edit(model: onnx.ModelProto) -> None:
        model.graph.node.append(helper.make_node(op_type, ["strokes"], ["more"], domain=domain, **attributes))

    return edit


def add_loop(*counts: int) -> Edit:
    """Add a loop whose number of turns is a constant, given once or several times, or that has none."""

    def edit(model: onnx.ModelProto) -> None:
        for count in counts:
            model.graph.initializer.append(numpy_helper.from_array(np.array(count, np.int64), "turns"))
        body = helper.make_graph([], "body", [], [])
        model.graph.node.append(helper.make_node("Loop", ["turns" if counts else "", ""], [], body=body))

    return edit


def add_function(model: onnx.ModelProto) -> None:
    inside = helper.make_node("Abs", ["a"], ["b"])
    model.functions.append(helper.make_function("evil", "F", ["a"], ["b"], [inside], [helper.make_opsetid("", 18)]))
    model.opset_import.append(helper.make_opsetid("evil", 1))


def add_training(model: onnx.ModelProto) -> None:
    model.training_info.add()


def store_outside(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../../etc/passwd")


def name_a_file(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].external_data.add(key="location", value="weights.bin")


def store_as_numbers(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(helper.make_tensor("numbers", TensorProto.FLOAT, [2], [1.0, 2.0]))


def store_text(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(
        TensorProto(name="texts", data_type=TensorProto.STRING, dims=[1], string_data=[b"text"])
    )


def store_sparsely(model: onnx.ModelProto) -> None:
    values = helper.make_tensor("sparse", TensorProto.FLOAT, [1], [1.0])
    positions = helper.make_tensor("positions", TensorProto.INT64, [1], [3])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, positions, [9]))


def claim_size(*sizes: int) -> Edit:
    def edit(model: onnx.ModelProto) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(sizes)

    return edit


def nest(depth: int) -> Edit:
    def branch(depth: int) -> onnx.GraphProto:
        nodes = [helper.make_node("Identity", ["strokes"], [f"out_{depth}"])]
        if depth:
            branches = {"then_branch": branch(depth - 1), "else_branch": branch(0)}
            nodes = [helper.make_node("If", ["flag"], [f"out_{depth}"], **branches)]
        return helper.make_graph(nodes, "branch", [], [helper.make_empty_tensor_value_info(nodes[0].output[0])])

    def edit(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "flag"))
        model.graph.node.extend(branch(depth).node)

    return edit


def loop_in_branch(model: onnx.ModelProto) -> None:
    add_loop(5)(model)
    loop = model.graph.node.pop()
    nest(1)(model)
    next(node for node in model.graph.node if node.op_type == "If").attribute[0].g.node.append(loop)


def add_many_nodes(model: onnx.ModelProto) -> None:
    for number in range(MAX_NODES):
        model.graph.node.add(op_type="Identity", input=["strokes"], output=[f"copy_{number}"])


def refer_to_attribute(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.attribute)
    node.attribute[0].ref_attr_name = "outer"


def declare_twice(model: onnx.ModelProto) -> None:
    model.graph.output.append(model.graph.output[0])


def declare_another_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("\x1b[2Jmore", TensorProto.FLOAT, [1]))


def declare_a_sequence(model: onnx.ModelProto) -> None:
    strokes = model.graph.input[0].type
    nested = helper.make_sequence_type_proto(strokes)
    model.graph.input[0].type.CopyFrom(nested)


def declare_doubles(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def write_sealed(model: onnx.ModelProto, path: Path) -> None:
    """Seal what an attacker may put before the metadata too, where protobuf itself would write it behind."""
    front = onnx.ModelProto(functions=model.functions, training_info=model.training_info)
    del model.functions[:], model.training_info[:]
    content = front.SerializeToString() + sealed(model)
    path.write_bytes(content[:-DIGITS] + content_sha256(content))


REFUSED: dict[str, tuple[Edit, str]] = {
    "functions": (add_function, "one graph and no functions, found field 25 of ModelProto"),
    "training": (add_training, "one graph and no functions, found field 20"),
    "a scan": (add_node("Scan"), "only operators that sketch-export writes, found Scan"),
    "a loop without a count": (add_loop(), "loops of a constant number of at most 100000 turns, found another"),
    "a loop that counts too far": (add_loop(100_001), "at most 100000 turns"),
    "a loop that counts down": (add_loop(-1), "at most 100000 turns"),
    "a loop with two counts of one name": (add_loop(5, 2**40), "at most 100000 turns"),
    "a loop in a branch": (loop_in_branch, "at most 100000 turns"),
    "an operator of others": (add_node("Abs", "evil"), r"found evil\.Abs"),
    "an operator that reads files": (add_node("AudioDecoder", "ai.onnx.contrib"), "found ai.onnx.contrib.AudioDecoder"),
    "a name that moves the cursor": (add_node("\x1b[2J"), r"found \\x1b\[2J;"),
    "an attribute": (
        add_node("Transpose", perm=[0, 1, 2], evil=1),
        "only attributes of Transpose .*, found evil",
    ),
    "a reference to an attribute": (refer_to_attribute, "found field 21"),
    "weights outside": (store_outside, "fields of a constant that sketch-export writes, found field 13"),
    "a file that is named": (name_a_file, "fields of a constant that sketch-export writes, found field 13"),
    "numbers that are not raw": (store_as_numbers, "found field 4"),
    "texts": (store_text, "found field 6"),
    "sparse weights": (store_sparsely, "fields of a graph that sketch-export writes, found field 15"),
    "a constant too large": (claim_size(2**40), r"expected \d+ bytes of .*, found \d+"),
    "a constant of a negative size": (claim_size(-1), r"expected \d+ bytes of"),
    "a constant of many axes": (claim_size(*[2**60] * 100_000), "with 100000 axes"),
    "deep branches": (nest(3), "branches at most 2 deep"),
    "very deep branches": (nest(30), "branches at most 2 deep"),
    "many operators": (add_many_nodes, f"at most {MAX_NODES} operators"),
    "an output twice": (declare_twice, "each input and output once, found log_probs twice"),
    "another input": (declare_another_input, r"found strokes, \\x1b\[2Jmore"),
    "a sequence as input": (
        declare_a_sequence,
        "the type of strokes .*, found field 4",
    ),
    "doubles as input": (declare_doubles, r"expected strokes as tensor\(float\) .* found element type 11"),
}


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
