"""Model files that break the contract, each refused with the reason."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from sketch_export.exporter import seal
from sketch_infer import Classifier, ModelFileError
from sketch_infer.model.contract.probes import Probes


def rename(model: onnx.ModelProto, old: str, new: str) -> None:
    for value in (*model.graph.input, *model.graph.output):
        if value.name == old:
            value.name = new
    for node in model.graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == old:
                    names[position] = new


def set_props(model: onnx.ModelProto, **changes: str | None) -> None:
    props = {entry.key: entry.value for entry in model.metadata_props}
    for name, value in changes.items():
        del props[f"sketch_infer.{name}"]
        if value is not None:
            props[f"sketch_infer.{name}"] = value
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, props)


def prop(model: onnx.ModelProto, name: str) -> str:
    (value,) = [entry.value for entry in model.metadata_props if entry.key == f"sketch_infer.{name}"]
    return str(value)


def change(model: onnx.ModelProto, kind: str) -> None:
    match kind:
        case "no metadata":
            del model.metadata_props[:]
        case "future format":
            set_props(model, format_version="2")
        case "format of two lines":
            set_props(model, format_version="2\f3\n4")
        case "no labels":
            set_props(model, labels=None)
        case "fewer labels":
            set_props(model, labels='["one", "two"]')
        case "labels of numbers":
            set_props(model, labels="[1, 2, 3, 4, 5]")
        case "other preprocessing":
            set_props(model, preprocessing="stroke-5: raw")
        case "no truth value":
            set_props(model, random_weights="null")
        case "labels without end":
            set_props(model, labels="[" * 100_000)
        case "labels that move the cursor":
            set_props(model, labels=json.dumps(["a", "b", "c", "d", "\x1b[2J"]))
        case "probes of another length":
            zeros = np.zeros((1, 7, 3), np.float32)
            outputs = {name: np.zeros((1, 5), np.float32) for name in ("log_probs", "logits")}
            set_props(model, probes=Probes(("short",), zeros, outputs).to_json())
        case "no list of labels":
            set_props(model, labels='{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}')
        case "damaged labels":
            set_props(model, labels='["one"')
        case "damaged probes":
            set_props(model, probes='{"names": []}')
        case "other length":
            set_props(model, sequence_length="25")
        case "a sequence without end":
            set_props(model, sequence_length=str(10**9))
        case "a tolerance that is no number":
            set_props(model, tolerance='{"fp32": NaN}')
        case "a tolerance of text":
            set_props(model, tolerance='{"fp32": "1e-5"}')
        case "versions that move the cursor":
            set_props(model, tool_versions=json.dumps({"torch": "\x1b[2J"}))
        case "another kind of hash":
            set_props(model, weights_sha256="0" * 63 + "\n")
        case "probes that are no numbers":
            probes = Probes.from_json(prop(model, "probes"))
            outputs = {name: np.full_like(array, np.nan) for name, array in probes.outputs.items()}
            set_props(model, probes=Probes(probes.names, probes.sketches, outputs).to_json())
        case "renamed input":
            rename(model, "strokes", "x")
        case "renamed output":
            rename(model, "logits", "scores")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no metadata", "has no sketch_infer metadata"),
        ("future format", "expected format version 1, found 2"),
        ("format of two lines", r"expected format version 1, found 2\\x0c3\\n4;"),
        ("no labels", "its metadata lacks 'labels'"),
        ("fewer labels", r"expected log_probs as tensor\(float\) \['batch', 2\]"),
        ("labels of numbers", "its metadata is damaged"),
        ("damaged labels", "its metadata is damaged"),
        ("no list of labels", "its metadata is damaged"),
        ("probes of another length", r"expected probes of shapes .*\(1, 24, 3\).* found .*\(1, 7, 3\)"),
        ("other preprocessing", "expects strokes prepared as 'stroke-5: raw'"),
        ("no truth value", "its metadata lacks 'null'"),
        ("labels without end", "its metadata is damaged"),
        ("labels that move the cursor", "expected printable text as label 4"),
        ("damaged probes", "its metadata lacks 'log_probs'"),
        ("other length", r"expected strokes as tensor\(float\) \['batch', 25, 3\]"),
        ("a sequence without end", r"its metadata is damaged \(sequence_length 1000000000\)"),
        ("a tolerance that is no number", "its metadata is damaged"),
        ("a tolerance of text", "its metadata is damaged"),
        ("versions that move the cursor", "its metadata is damaged"),
        ("another kind of hash", "its metadata is damaged"),
        ("probes that are no numbers", "expected probes of finite numbers"),
        ("renamed input", r"expected input strokes .* found x"),
        ("renamed output", "expected outputs log_probs, logits, found log_probs, scores"),
    ],
)
def test_model_files_that_break_the_contract(tmp_path: Path, tiny_onnx: Path, kind: str, words: str) -> None:
    model = onnx.load(tiny_onnx)
    change(model, kind)
    path = tmp_path / "changed.onnx"
    # A file of other origin has no hash; in all else its hash fits, so that it is the contract that it breaks.
    (onnx.save if kind == "no metadata" else seal)(model, path)
    with pytest.raises(ModelFileError, match=words) as raised:
        Classifier(path, "cpu")
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_model_files_that_are_none(tmp_path: Path, tiny_onnx: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(ModelFileError, match="found nothing"):
        Classifier(path, "cpu")
    with pytest.raises(ModelFileError, match="found a folder"):
        Classifier(tmp_path, "cpu")
    whole = tiny_onnx.read_bytes()
    for content in (b"", b"not a model", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(
            ModelFileError, match=r"not a model that ONNX Runtime|metadata|does not match its sha256"
        ) as raised:
            Classifier(path, "cpu")
        assert "\n" not in str(raised.value)
