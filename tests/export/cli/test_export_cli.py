from pathlib import Path

import click
import numpy as np
import onnx
import pytest
import torch

from sketch_export.cli.main import main
from sketch_export.exporter import seal
from sketch_infer import Classifier
from sketch_infer.inference.session import Session
from sketch_models import SketchRNNConfig, save_checkpoint
from tests import tiny
from tests.networks import make_model
from tests.support import SAMPLES, Run

LENGTH = ("--sequence-length", str(tiny.LENGTH))
"""A state dict of the tiny network does not say it, and it is not the usual one."""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.save(make_model().state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def test_help_explains_every_option(sketch_export: Run) -> None:
    for command in ([], ["onnx"], ["verify"], ["shapes"]):
        assert sketch_export(*command, "--help").exit_code == 0
    for command_ in main.commands.values():
        assert command_.help
        assert all(option.help for option in command_.params if isinstance(option, click.Option))


def test_export_then_verify(sketch_export: Run, tmp_path: Path, checkpoint: Path) -> None:
    labels, output = tmp_path / "labels.txt", tmp_path / "model.onnx"
    labels.write_text("\n".join(tiny.LABELS) + "\n\n", encoding="utf-8")
    result = sketch_export(
        "onnx", "--checkpoint", checkpoint, "--output", output, "--labels", labels, "--opset", 19, *LENGTH
    )
    assert result.exit_code == 0, result.output
    assert f"wrote {output}" in result.stdout
    assert "float64: recorded probes, batch 1, batch 2, batch 3, batch 7, batch 64\nPASS on " in result.stdout
    assert len(result.stdout.splitlines()) <= 10
    assert Classifier(output, "cpu").metadata.labels == tiny.LABELS
    assert onnx.load(output).opset_import[0].version == 19
    verbose = sketch_export("onnx", "--checkpoint", checkpoint, "--output", output, *LENGTH, "--verbose")
    for n_rows in (1, 2, 3, 7, 64):
        assert verbose.stdout.count(f" {n_rows}x5 ") == 2  # outputs

    strokes = np.random.default_rng(0).normal(0, 0.2, (6, 30, 3))
    strokes[:, :, 2] = strokes[:, :, 2] > 0
    np.save(tmp_path / "strokes.npy", strokes)
    for source, case in {
        SAMPLES / "drawings.ndjson": "(8 sketches",
        tmp_path / "strokes.npy": "(6 sketches, 6 cut to 24 points)",
    }.items():
        result = sketch_export("verify", output, "--checkpoint", checkpoint, "--strokes", source)
        assert result.exit_code == 0, result.output
        assert f"{source} {case}" in result.stdout
        assert "PASS on CPUExecutionProvider" in result.stdout or "PASS on CUDAExecutionProvider" in result.stdout


def test_an_input_is_not_overwritten(sketch_export: Run, checkpoint: Path) -> None:
    before = checkpoint.read_bytes()
    result = sketch_export("onnx", "--checkpoint", checkpoint, "--output", checkpoint)
    assert result.exit_code == 2
    assert "is also an input" in result.stderr
    assert checkpoint.read_bytes() == before


def test_labels_of_a_safetensors_checkpoint_need_no_flag(sketch_export: Run, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "weights.safetensors", make_model(), tiny.LABELS)
    output = tmp_path / "model.onnx"
    result = sketch_export("onnx", "--checkpoint", tmp_path / "weights.safetensors", "--output", output)
    assert result.exit_code == 0
    assert Session(output, "cpu").metadata.labels == tiny.LABELS


def test_a_checkpoint_without_labels_says_so(sketch_export: Run, tmp_path: Path, checkpoint: Path) -> None:
    output = tmp_path / "model.onnx"
    result = sketch_export("onnx", "--checkpoint", checkpoint, "--output", output, "--initial-state", *LENGTH)
    assert "names no classes" in result.stdout
    assert Session(output, "cpu").metadata.labels[:2] == ("class 0", "class 1")
    assert [value.name for value in onnx.load(output).graph.input] == ["strokes", "h_0", "c_0"]
    result = sketch_export("verify", output, "--checkpoint", checkpoint)
    assert result.exit_code == 0
    assert "batch 64, h_0 and c_0" in result.stdout


def test_random_weights_are_announced_and_recorded(sketch_export: Run, tmp_path: Path) -> None:
    output = tmp_path / "model.onnx"
    result = sketch_export("onnx", "--random-weights", "--output", output)
    assert result.exit_code == 0
    assert "WARNING: these weights are random" in result.stdout
    metadata = Session(output, "cpu").metadata
    assert metadata.random_weights
    assert len(metadata.labels) == 40


def test_verify_fails_on_other_weights(sketch_export: Run, tmp_path: Path, tiny_onnx: Path) -> None:
    torch.save(make_model(seed=1).state_dict(), tmp_path / "other.pt")
    result = sketch_export("verify", tiny_onnx, "--checkpoint", tmp_path / "other.pt")
    assert result.exit_code == 1
    assert "exported from other weights" in result.stderr


def test_verify_fails_on_changed_weights(sketch_export: Run, tmp_path: Path, tiny_onnx: Path, checkpoint: Path) -> None:
    model = onnx.load(tiny_onnx)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "fc_mu1.bias")
    values = onnx.numpy_helper.to_array(bias).copy()
    values[3] += 0.01
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    seal(model, tmp_path / "changed.onnx")
    result = sketch_export("verify", tmp_path / "changed.onnx", "--checkpoint", checkpoint)
    assert result.exit_code == 1
    assert "would pass" in result.stdout
    assert "differs from eager PyTorch" in result.stderr


def test_shapes(sketch_export: Run, checkpoint: Path) -> None:
    result = sketch_export("shapes", "--batch", 6, "--checkpoint", checkpoint)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["layer", "formula", "eager", "PyTorch", "ONNX", "Runtime"]
    assert len(lines) == 16
    assert all(line.endswith("ok") for line in lines[1:])


def test_shapes_that_differ_fail(sketch_export: Run, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sketch_export.checks import shapes

    wrong = {**shapes.formula_shapes(SketchRNNConfig(3, 6, 5, sequence_length=24), 2), "flatten": (2, 169)}
    monkeypatch.setattr(shapes, "formula_shapes", lambda *_: wrong)
    result = sketch_export("shapes", "--batch", 2, "--checkpoint", checkpoint)
    assert result.exit_code == 1
    assert result.stderr == "Error: shapes differ in flatten\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["onnx", "--output", "model.onnx"], "expected either --checkpoint FILE or --random-weights"),
        (["onnx", "--output", "model.onnx", "--checkpoint", "none.pt"], "none.pt: expected a checkpoint file"),
        (["onnx", "--output", "missing/model.onnx", "--checkpoint", "weights.pt", *LENGTH], "cannot be written"),
        (
            ["onnx", "--output", "model.onnx", "--checkpoint", "weights.pt", *LENGTH, "--labels", "none"],
            "cannot be read",
        ),
        (
            ["onnx", "--output", "model.onnx", "--checkpoint", "weights.pt", *LENGTH, "--labels", "two"],
            "expected 5 labels",
        ),
        (["onnx", "--output", "m.onnx", "--checkpoint", "weights.pt", *LENGTH, "--labels", "no"], "found 0"),
        (["onnx", "--output", "m.onnx", "--checkpoint", "weights.pt", *LENGTH, "--labels", "binary"], "UTF-8"),
        (["onnx", "--output", "m.onnx", "--checkpoint", "weights.pt", *LENGTH, "--opset", "21"], "--opset"),
        (["verify", "none.onnx", "--checkpoint", "weights.pt"], "none.onnx"),
        (["verify", "two", "--checkpoint", "weights.pt"], "two: not a model that ONNX Runtime can open"),
        (["shapes", "--batch", "0"], "--batch"),
        (["shapes", "--checkpoint", "none.pt"], "none.pt"),
    ],
)
def test_wrong_usage(
    sketch_export: Run,
    tmp_path: Path,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    (tmp_path / "two").write_text("one\ntwo\n")
    (tmp_path / "no").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    monkeypatch.chdir(tmp_path)
    result = sketch_export(*arguments)
    assert result.exit_code == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert words in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["binary", "no", "two", checkpoint.name]
