"""What lets OpenVINO answer rightly or refuse; `make engines` asks OpenVINO itself."""

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from sketch_export import export_onnx
from sketch_export.passes.explicit_clip import NO_CLIP
from sketch_export.passes.int8_lstm import QUANTIZED_LSTM
from sketch_infer.model.contract.metadata import InputForm, Precision
from sketch_models import SketchRNNConfig
from tests.networks import make_model

CONFIG = SketchRNNConfig(3, 8, 3, sequence_length=80)
"""Long enough for a random network to come to rest, so that there is a branch for late rows."""


def exported(path: Path, precision: Precision = "fp32", input_form: InputForm = "strokes") -> ir.Model:
    assert export_onnx(make_model(CONFIG), path, precision=precision, input_form=input_form)
    return ir.from_proto(onnx.load(path))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_every_lstm_says_that_it_does_not_clip(tmp_path: Path, precision: Precision) -> None:
    model = exported(tmp_path / "model.onnx", precision)
    nodes = ir.traversal.RecursiveGraphIterator(model.graph)
    lstms = [node for node in nodes if node.op_type in ("LSTM", QUANTIZED_LSTM)]
    assert len(lstms) == 3  # two directions and the late rows
    assert {node.attributes.get_float("clip", 0.0) for node in lstms} == {NO_CLIP}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_both_branches_of_an_if_give_the_same_shape(tmp_path: Path, precision: Precision) -> None:
    model = exported(tmp_path / "model.onnx", precision)
    choices = [node for node in model.graph if node.op_type == "If"]
    assert len(choices) > 1  # late rows, and blocks of a head that is not of low rank
    for choice in choices:
        then, otherwise = (choice.attributes[f"{name}_branch"].as_graph() for name in ("then", "else"))
        (same,) = otherwise
        assert same.op_type == "Identity"
        added = then.outputs[0].producer()
        assert added
        assert added.op_type == "Add"
        assert same.inputs[0] is added.inputs[0]


def test_a_points_file_has_an_operator_that_openvino_lacks(tmp_path: Path) -> None:
    operators = {node.op_type for node in exported(tmp_path / "model.onnx", input_form="points").graph}
    assert "OptionalGetElement" in operators
