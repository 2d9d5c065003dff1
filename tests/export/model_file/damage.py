"""What can become of a model file, and the reason for which the self-check refuses it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from sketch_export.exporter import seal
from sketch_infer.model.contract.probes import Probes
from tests import tiny


def flip_bit(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def position_of(path: Path, text: bytes) -> int:
    return path.read_bytes().index(text)


def weight_of(model: onnx.ModelProto) -> onnx.TensorProto:
    largest: onnx.TensorProto = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    return largest


def edit(path: Path, change: Callable[[onnx.ModelProto], None], sealed: bool = True) -> None:
    """Change a file; sealed, its hash fits what it became, so that only the later checks can tell."""
    model = onnx.load(path)
    change(model)
    if sealed:
        seal(model, path)
    else:
        onnx.save(model, path)


def prop(model: onnx.ModelProto, key: str) -> onnx.StringStringEntryProto:
    found: onnx.StringStringEntryProto
    (found,) = [entry for entry in model.metadata_props if entry.key == f"sketch_infer.{key}"]
    return found


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_weight(path: Path) -> None:
    raw = weight_of(onnx.load(path)).raw_data
    flip_bit(path, position_of(path, raw) + len(raw) // 2)


def flip_label(path: Path) -> None:
    flip_bit(path, position_of(path, b'"ant"') + 1)


def swap_labels(path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        labels = prop(model, "labels")
        labels.value = json.dumps([tiny.LABELS[1], tiny.LABELS[0], *tiny.LABELS[2:]])

    edit(path, change, sealed=False)


def drop_label(path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        prop(model, "labels").value = json.dumps(tiny.LABELS[1:])

    edit(path, change)


def rename_output(path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if "log_probs" in node.output)
        node.output[list(node.output).index("log_probs")] = "probabilities"
        model.graph.output[0].name = "probabilities"

    edit(path, change)


def bake_batch(path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1

    edit(path, change)


def bake_batch_inside(path: Path) -> None:
    """As a trace of one row does it: what is declared says any batch, and the graph makes one row of it."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer.extend(
            [numpy_helper.from_array(np.array([value]), f"bake_{value}") for value in (0, 1)]
        )
        first = onnx.helper.make_node("Slice", ["strokes", "bake_0", "bake_1", "bake_0"], ["strokes.first"])
        for other in model.graph.node:
            other.input[:] = ["strokes.first" if name == "strokes" else name for name in other.input]
        model.graph.node.insert(0, first)

    edit(path, change)


def change_weights(path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        weight = weight_of(model)
        array = numpy_helper.to_array(weight)
        weight.CopyFrom(numpy_helper.from_array((array * 1.001).astype(array.dtype), weight.name))

    edit(path, change)


def keep_probes(count: int, sketches: int | None = None) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        def change(model: onnx.ModelProto) -> None:
            entry = prop(model, "probes")
            probes = Probes.from_json(entry.value)
            outputs = {name: values[:count] for name, values in probes.outputs.items()}
            kept = sketches or count
            entry.value = Probes(probes.names[:kept], probes.sketches[:kept], outputs).to_json()

        edit(path, change)

    return damage


def newer_opset(path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        next(entry for entry in model.opset_import if not entry.domain).version = 99

    edit(path, change)


def other_preprocessing(path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        prop(model, "preprocessing").value = "stroke-5"

    edit(path, change)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncate, "model file: not a model that ONNX Runtime"),
    "empty": (empty, "model file: not a model that ONNX Runtime"),
    "bit flipped in a weight": (flip_weight, "its content does not match its sha256"),
    "bit flipped in the metadata": (flip_label, "its content does not match its sha256"),
    "labels swapped": (swap_labels, "its content does not match its sha256"),
    "a label missing": (drop_label, "expected log_probs as tensor(float) ['batch', 4]"),
    "output renamed": (rename_output, "expected outputs log_probs, logits, found probabilities, logits"),
    "batch baked to 1": (bake_batch, "expected strokes as tensor(float) ['batch', 24, 3], found"),
    "batch baked to 1 inside": (bake_batch_inside, "batch 2, log_probs: shape (6, 5), expected (12, 5)"),
    "weights changed": (change_weights, "batch 1, log_probs: off by more than 1e-05 of the row's scale"),
    "a probe's answer missing": (keep_probes(11, 12), "expected probes of shapes"),
    "too few probes": (keep_probes(7), "probes: 7 sketches (expected 8 or more)"),
    "opset of the future": (newer_opset, "official support for domain ai.onnx is till opset"),
    "prepared in another way": (other_preprocessing, "which this sketch-infer does not do"),
}
