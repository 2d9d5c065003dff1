"""What `sketch-export` refuses before it writes: an input's place, outputs that cannot be, labels out of order."""

from pathlib import Path

import pytest

from sketch_export import export_onnx
from sketch_infer.model.model_file import ModelFile
from sketch_models import save_checkpoint
from tests import tiny
from tests.networks import make_model
from tests.support import Run

RENAMED = ("Ameise", *tiny.LABELS[1:])
REVERSED = tiny.LABELS[::-1]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "weights.safetensors", make_model(), tiny.LABELS)
    return tmp_path / "weights.safetensors"


def write_labels(folder: Path, labels: tuple[str, ...]) -> Path:
    (folder / "labels.txt").write_text("\n".join(labels), encoding="utf-8")
    return folder / "labels.txt"


def test_labels_in_another_order_than_the_checkpoints_are_refused(
    sketch_export: Run, checkpoint: Path, tmp_path: Path
) -> None:
    output, labels = tmp_path / "model.onnx", write_labels(tmp_path, REVERSED)
    result = sketch_export("onnx", "--checkpoint", checkpoint, "--output", output, "--labels", labels)
    assert result.exit_code == 2
    expected = f"expected {tiny.LABELS[0]!r} as label 0, in the checkpoint's order, found {REVERSED[0]!r}"
    assert result.stderr == f"Error: {labels}: {expected}; leave out --labels\n"
    assert not output.exists()


def test_labels_that_rename_the_checkpoints_are_taken_with_a_note(
    sketch_export: Run, checkpoint: Path, tmp_path: Path
) -> None:
    output = tmp_path / "model.onnx"
    export = ["onnx", "--checkpoint", checkpoint, "--output", output, "--labels"]
    same = sketch_export(*export, write_labels(tmp_path, tiny.LABELS))
    assert (same.exit_code, "replace the checkpoint's" in same.stdout) == (0, False)
    result = sketch_export(*export, write_labels(tmp_path, RENAMED))
    assert result.exit_code == 0, result.output
    assert f"1 of 5 replace the checkpoint's: 'Ameise' for {tiny.LABELS[0]!r}, for example" in result.stdout
    assert ModelFile.read(output).check().metadata.labels == RENAMED
    result = sketch_export("verify", output, "--checkpoint", checkpoint)
    assert result.exit_code == 0, result.output
    assert "ok: 1 of 5 replace the checkpoint's" in result.stdout


def test_verify_fails_on_labels_in_another_order(
    sketch_export: Run, tiny_onnx: Path, checkpoint: Path, tmp_path: Path
) -> None:
    export_onnx(make_model(), tmp_path / "reversed.onnx", REVERSED)
    result = sketch_export("verify", tmp_path / "reversed.onnx", "--checkpoint", checkpoint)
    assert result.exit_code == 1
    assert "FAIL: reversed.onnx: labels: expected 'ant' as label 0, in the checkpoint's order" in result.stdout
    result = sketch_export("verify", tiny_onnx, "--checkpoint", checkpoint)
    assert result.exit_code == 0, result.output
    assert "ok: those of the checkpoint" in result.stdout


@pytest.mark.parametrize("option", ["--sign-key", "--labels"])
def test_the_signature_takes_no_inputs_place(sketch_export: Run, checkpoint: Path, tmp_path: Path, option: str) -> None:
    pytest.importorskip("cryptography", reason="signatures need cryptography, the extra `sign`")
    from tests.signing_keys import write_keys

    key, output = write_keys(tmp_path).private, tmp_path / "s.onnx"
    signature = tmp_path / "s.onnx.sig"
    signature.write_bytes(key.read_bytes() if option == "--sign-key" else "\n".join(tiny.LABELS).encode())
    before = signature.read_bytes()
    arguments = ["onnx", "--checkpoint", checkpoint, "--output", output, "--sign-key", key, option, signature]
    result = sketch_export(*arguments)
    assert result.exit_code == 2
    assert f"the signature {signature} is also an input; name another file" in result.stderr
    assert (signature.read_bytes(), output.exists()) == (before, False)


@pytest.mark.parametrize("unwritable", ["report", "signature"])
def test_the_model_stays_as_it_was_if_another_output_cannot_be_written(
    sketch_export: Run, checkpoint: Path, tmp_path: Path, unwritable: str
) -> None:
    pytest.importorskip("cryptography", reason="signatures need cryptography, the extra `sign`")
    from tests.signing_keys import write_keys

    output, report = tmp_path / "s.onnx", tmp_path / "r.html"
    output.write_bytes(b"old")
    if unwritable == "report":
        report = tmp_path / "none" / "r.html"
    else:
        (tmp_path / "s.onnx.sig").mkdir()
    before = sorted(tmp_path.iterdir())
    export = ["onnx", "--checkpoint", checkpoint, "--output", output, "--report", report]
    result = sketch_export(*export, "--sign-key", write_keys(tmp_path).private)
    assert result.exit_code == 2
    path, words = {
        "report": (report, "cannot be written: No such file or directory"),
        "signature": (tmp_path / "s.onnx.sig", "expected a file to write, found a folder"),
    }[unwritable]
    assert result.stderr == f"Error: {path}: {words}\n"
    assert output.read_bytes() == b"old"
    assert {*tmp_path.iterdir()} == {*before, tmp_path / "key.pem", tmp_path / "public.pem"}
    assert "exporting" not in result.stdout
