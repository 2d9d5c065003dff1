"""A model file that is not what the exporter wrote is refused."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from sketch_export.exporter import seal
from sketch_infer import ModelFileError
from sketch_infer.inference.session import Session
from sketch_infer.model.integrity import CONTENT_SHA256, DIGITS, content_sha256

DAMAGED = "its content does not match its sha256: it was damaged or edited; export it again"


def flip_bit(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


def weight_position(path: Path) -> int:
    model = onnx.load(path)
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data)).raw_data
    return path.read_bytes().index(weight) + len(weight) // 2


def swap_labels(model: onnx.ModelProto) -> None:
    (labels,) = [prop for prop in model.metadata_props if prop.key == "sketch_infer.labels"]
    labels.value = labels.value.replace("ant", "ANT").replace("bee", "ant").replace("ANT", "bee")


def forget_hash(model: onnx.ModelProto) -> None:
    model.metadata_props.pop()


def loosen_tolerance(model: onnx.ModelProto) -> None:
    (tolerance,) = [prop for prop in model.metadata_props if prop.key == "sketch_infer.tolerance"]
    tolerance.value = tolerance.value.replace("1e-05", "1e+05")


def change_weight(model: onnx.ModelProto) -> None:
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weight.raw_data = weight.raw_data[4:] + weight.raw_data[:4]


def test_the_file_ends_with_its_hash(tiny_onnx: Path) -> None:
    content = tiny_onnx.read_bytes()
    assert content[-DIGITS:] == content_sha256(content)
    assert onnx.load(tiny_onnx).metadata_props[-1].key == CONTENT_SHA256


def test_a_flipped_bit_in_a_weight(tiny_onnx: Path, tmp_path: Path) -> None:
    path = tmp_path / "flipped.onnx"
    path.write_bytes(flip_bit(tiny_onnx.read_bytes(), weight_position(tiny_onnx)))
    with pytest.raises(ModelFileError, match=DAMAGED):
        Session(path, "cpu")


def test_a_flipped_bit_in_the_hash(tiny_onnx: Path, tmp_path: Path) -> None:
    path = tmp_path / "flipped.onnx"
    content = tiny_onnx.read_bytes()
    path.write_bytes(flip_bit(content, len(content) - 5))
    with pytest.raises(ModelFileError, match=DAMAGED):
        Session(path, "cpu")


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (swap_labels, DAMAGED),
        (loosen_tolerance, DAMAGED),
        (change_weight, DAMAGED),
        (forget_hash, f"its metadata lacks '{CONTENT_SHA256}'; export it again"),
    ],
)
def test_an_edited_file(tiny_onnx: Path, tmp_path: Path, edit: Callable[[onnx.ModelProto], None], reason: str) -> None:
    model = onnx.load(tiny_onnx)
    edit(model)
    onnx.save(model, tmp_path / "edited.onnx")
    with pytest.raises(ModelFileError, match=reason):
        Session(tmp_path / "edited.onnx", "cpu")


def test_an_edit_that_is_meant_can_be_sealed(tiny_onnx: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny_onnx)
    swap_labels(model)
    seal(model, tmp_path / "sealed.onnx")
    assert Session(tmp_path / "sealed.onnx", "cpu").metadata.labels[:2] == ("bee", "ant")


@pytest.mark.parametrize("cut", [slice(1), slice(9), slice(-1), slice(1, None)])
@pytest.mark.parametrize("flipped", [None, 0, 200, -1])
def test_onnx_runtime_never_opens_a_damaged_file(
    tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: slice, flipped: int | None
) -> None:
    monkeypatch.setattr(
        "sketch_infer.inference.session.start_session", lambda *_: pytest.fail("its parser is native code")
    )
    path = tmp_path / "damaged.onnx"
    content = tiny_onnx.read_bytes()
    path.write_bytes(content[cut] if flipped is None else flip_bit(content, flipped % len(content)))
    with pytest.raises(ModelFileError) as raised:
        Session(path, "cpu")
    assert str(raised.value).startswith(f"{path}: ")
    assert str(raised.value).endswith("export it again")


def test_a_file_larger_than_any_model_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse.onnx").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ModelFileError, match="expected a model file of less than 2147483648 bytes"):
        Session(tmp_path / "sparse.onnx", "cpu")
