"""What sketch-export never writes into a model file, and the reason for which it is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sketch_infer.model.operators import MAX_NODES

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
