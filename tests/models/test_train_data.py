"""What sketch-train reads of its folders, what it leaves out, and what it says of that."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from sketch_infer.errors import InputError
from sketch_models.training.data.dataset import read_drawings
from sketch_models.training.data.files import TrainingData, fingerprint, read_training_data
from tests.models.drawn_classes import circle, cross, train, two_classes, write

CLASSES = ("circle", "cross")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return two_classes(tmp_path / "data")


def said(*arguments: object) -> list[str]:
    """Return what the command says of its drawings: as there is nothing to resume, it does not train."""
    output = Path(str(arguments[0])).parent / "x.safetensors"
    result = train(*arguments, "-o", output, "--resume")
    assert "expected the state of a run to resume" in result.output
    return result.output.splitlines()


def shared(read: TrainingData) -> set[int]:
    return set(read.train.hashes.tolist()) & set(read.val.hashes.tolist())


def dense_circle(rng: np.random.Generator) -> list[list[list[int]]]:
    angle = np.linspace(0, 2 * np.pi, 200) + rng.uniform(0, 6)
    return [np.rint(127 + 120 * np.stack([np.cos(angle), np.sin(angle)])).astype(int).tolist()]


def test_what_is_held_out_is_not_trained_on_from_another_folder(data: Path, tmp_path: Path) -> None:
    alone = read_training_data([data])
    raw, further = two_classes(tmp_path / "raw"), two_classes(tmp_path / "further")
    write(further, "wall", [[[[0, 0, 9, 9], [0, y, y, 0]]] for y in range(5, 45)], first_id=2000)
    read = read_training_data([data], dense=[raw], further=further)
    assert fingerprint(alone) != fingerprint(read) == fingerprint(read_training_data([data], [raw], further=further))
    assert set(read.val.hashes) == set(alone.val.hashes)
    assert not shared(read)
    assert read.left_out == 2 * len(alone.val)
    assert len(read.train) == 3 * len(alone.train) + 40  # no more than that is left out
    lines = said(data, "--dense", raw, "--pretrain", further)
    assert f"{read.left_out} drawings left out of training that are among those for val, by key_id or points" in lines


def test_what_stands_in_the_val_folder_is_not_trained_on(data: Path, tmp_path: Path) -> None:
    val = tmp_path / "val"
    write(val, "circle", [circle(np.random.default_rng(1)) for _ in range(20)], first_id=50)
    read = read_training_data([data], val=val)
    assert (len(read.train), len(read.val), read.left_out) == (110, 20, 10)
    assert not shared(read)
    other = two_classes(tmp_path / "other", first_id=5000)
    assert read_training_data([data], val=other).left_out == 0
    assert not any("left out of training" in line for line in said(data, "--val", other))


@pytest.mark.parametrize("key_id", [None, ""])
def test_copies_without_their_key_id_are_known_by_their_points(key_id: str | None, data: Path, tmp_path: Path) -> None:
    val = tmp_path / "val"
    val.mkdir()
    with gzip.open(data / "cross.ndjson.gz", "rt") as file:
        records = [json.loads(line) | {"key_id": key_id} for line in file][:20]
    (val / "cross.ndjson").write_text("".join(json.dumps(record) + "\n" for record in records))
    read = read_training_data([data], val=val)
    assert (len(read.train), len(read.val), read.left_out) == (100, 20, 20)
    alone = read_drawings(val, CLASSES)[0]
    assert len(set(alone.hashes)) == len(set(alone.point_hashes)) == 20


def test_a_folder_that_is_named_twice_is_refused(data: Path) -> None:
    again = data / ".." / data.name
    for train_on, dense, further in (([data, again], [], None), ([data], [again], None), ([data], [], again)):
        with pytest.raises(InputError, match="expected each folder once, found it twice; name it once"):
            read_training_data(train_on, dense, further=further)


def test_val_that_is_all_of_the_drawings_is_refused(data: Path, tmp_path: Path) -> None:
    further = tmp_path / "further"
    write(further, "wall", [[[[0, 0, 9, 9], [0, y, y, 0]]] for y in range(5, 45)], first_id=2000)
    for more in (None, further):
        with pytest.raises(InputError, match=r"beside those to judge by, found the same 120; leave out --val"):
            read_training_data([data], val=data, further=more)
    write(tmp_path / "crosses", "cross", [cross(np.random.default_rng(1)) for _ in range(60)], first_id=1000)
    with pytest.raises(InputError, match="found none of cross; 60 drawings were left out that are among those to"):
        read_training_data([data], val=tmp_path / "crosses")


@pytest.mark.parametrize("word", [["cat"], {"cat": 1}, 3, "moon"])
def test_a_word_that_is_no_class_is_refused(word: object, data: Path) -> None:
    (data / "moon.ndjson").write_text(json.dumps({"word": word, "drawing": [[[0, 9], [0, 9]]]}))
    with pytest.raises(InputError, match=r"moon\.ndjson:1: expected a word among the 2 classes, found"):
        read_drawings(data, CLASSES)


def test_suffixes_are_read_in_any_case(tmp_path: Path) -> None:
    line = json.dumps({"drawing": circle(np.random.default_rng(0))})
    (tmp_path / "Round.NDJSON").write_text(line)
    (tmp_path / "flat.Ndjson.GZ").write_bytes(gzip.compress(line.encode()))
    write(tmp_path / "val", "flat", [cross(np.random.default_rng(0))])
    read = read_training_data([tmp_path], val=tmp_path / "val")
    assert read.targets == ("Round", "flat")
    assert np.bincount(read.train.labels).tolist() == [1, 1]


def test_hidden_files_are_no_classes(data: Path) -> None:
    (data / ".moon-backup.ndjson").write_text('{"drawing": [[[0, 9], [0, 9]]]}\n')
    (data / "._cross.ndjson.gz").write_bytes(b"what macOS keeps beside a file")
    assert read_training_data([data]).targets == CLASSES


def test_what_training_does_not_read_is_said(data: Path) -> None:
    assert not any("not read" in line for line in said(data))
    (data / "notes.txt").touch()
    for name in ("cross.bin", "cross.npy", "cross.npz", "cross.PARQUET"):
        (data / name).touch()
    (data / "more").mkdir()
    (data / "more" / "circle.ndjson").touch()
    (line,) = (line for line in said(data) if "not read" in line)
    assert line.startswith(f"{data}: 5 files not read: cross.PARQUET; cross.bin; cross.npy ...; training reads CLASS")
    others = data / "more"
    (others / "circle.ndjson").rename(others / "circle.bin")
    with pytest.raises(InputError, match=r"expected files named CLASS.*, found only circle\.bin"):
        read_drawings(others, CLASSES)


def test_raw_pen_points_are_warned_of(data: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    raw = tmp_path / "raw"
    write(raw, "circle", [circle(rng), dense_circle(rng), dense_circle(rng)], first_id=3000)
    (line,) = (line for line in said(data, raw) if line.startswith("warning"))
    assert f"{raw}: 2 drawings have points closer together" in line
    assert "(circle.ndjson.gz:2; circle.ndjson.gz:3)" in line
    assert line.endswith("give the folder with --dense")
    assert not any(line.startswith("warning") for line in said(data, "--dense", raw))
    (line,) = (line for line in said(data, "--val", raw) if line.startswith("warning"))
    assert line.endswith("simplify them before")


def test_a_class_name_that_cannot_be_a_label_is_refused_at_once(data: Path) -> None:
    (data / "so\xadft.ndjson").write_text("not read")
    with pytest.raises(InputError, match="expected printable text as label 2, found 'so"):
        read_training_data([data])
    with pytest.raises(InputError, match="expected each label once, found repeated: cross"):
        read_training_data([data], targets=("circle", "cross", "cross"))
