"""The same drawings in every form, and what is read beside what cannot be used."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bulk import forms
from sketch_infer import InputError, drawing_to_sketch, read_sketches
from sketch_infer.readers.files import expand_folders
from sketch_infer.readers.sketch import InputFormat, Sketch
from sketch_infer.strokes.preprocess import to_batch
from sketch_infer.strokes.simplify import simplify_drawing
from tests.support import ROOT, Listening

DRAWINGS = forms.simplified(300, seed=3)
RAW = forms.sampled(20, seed=4)
EXPECTED = [drawing_to_sketch(drawing) for drawing in DRAWINGS]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return forms.write_all(tmp_path_factory.mktemp("forms"), DRAWINGS, RAW)


def read(path: Path, input_format: InputFormat = "auto") -> tuple[list[Sketch], Listening]:
    listening = Listening()
    return list(read_sketches(str(path), input_format, listening)), listening


@pytest.mark.parametrize(
    "form",
    ["network .npy", "stroke-3 .npy", "stroke-5 .npy", "network .npz", "simplified .ndjson.gz", "simplified .bin"],
)
def test_every_form_gives_the_same_sketches(files: dict[str, Path], form: str) -> None:
    sketches, heard = read(files[form])
    assert [sketch.index for sketch in sketches] == list(range(300))
    assert not heard.messages
    assert heard.bytes == pytest.approx(files[form].stat().st_size, rel=0.1)
    for sketch, expected in zip(sketches, EXPECTED, strict=True):
        np.testing.assert_array_equal(sketch.strokes[: len(expected)], expected)
        assert not sketch.strokes[len(expected) :].any()


def test_raw_points_are_simplified_and_mixed_with_others(files: dict[str, Path], tmp_path: Path) -> None:
    sketches, _ = read(files["raw .ndjson"])
    for sketch, drawing in zip(sketches, RAW, strict=True):
        np.testing.assert_array_equal(sketch.strokes, drawing_to_sketch(simplify_drawing(drawing)))
    mixed = forms.write_lines(tmp_path / "mixed.ndjson", [*RAW[:2], *DRAWINGS[:2], RAW[2]])
    found = [sketch.strokes for sketch in read(mixed)[0]]
    expected = [sketches[0].strokes, sketches[1].strokes, *EXPECTED[:2], sketches[2].strokes]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_named_formats_win(files: dict[str, Path], tmp_path: Path) -> None:
    dense = forms.write_lines(tmp_path / "dense.ndjson", [[[list(range(200)), [5] * 200]]])
    assert len(read(dense, "simplified")[0][0].strokes) == 199
    assert len(read(dense, "raw")[0][0].strokes) == 1
    as_they_are = read(files["stroke-3 .npy"], "network")[0][0].strokes
    np.testing.assert_array_equal(as_they_are, np.load(files["stroke-3 .npy"])[0, : len(as_they_are)])
    for form, wrong in {"network .npy": "raw", "simplified .ndjson": "network", "simplified .bin": "stroke-3"}.items():
        (error,) = read(files[form], wrong)[1].messages  # type: ignore[arg-type]
        assert re.search(rf"expected --input-format auto, .* for such a file, found {wrong}$", error)
    (error,) = read(files["network .npy"], "stroke-5")[1].messages
    assert "expected rows that fit --input-format stroke-5, found 3 columns" in error


def test_unscaled_differences_are_noted(files: dict[str, Path]) -> None:
    (note,) = read(files["stroke-3 .npy"])[1].notes
    assert "drawings are up to 255 wide or high" in note
    assert "--input-format network takes the rows as they are" in note
    assert not read(files["network .npy"])[1].notes


def test_arrays_in_fortran_order(files: dict[str, Path], tmp_path: Path) -> None:
    array = np.load(files["network .npy"])
    np.save(tmp_path / "many.npy", np.asfortranarray(array))
    np.save(tmp_path / "one.npy", np.asfortranarray(array[7]))
    sketches = read(tmp_path / "many.npy")[0]
    np.testing.assert_array_equal(to_batch([sketch.strokes for sketch in sketches], array.shape[1])[0], array)
    one = read(tmp_path / "one.npy")[0][0].strokes
    np.testing.assert_array_equal(one, array[7, : len(one)])
    np.savez(tmp_path / "many.npz", np.asfortranarray(array))
    assert "expected an array in C order" in read(tmp_path / "many.npz")[1].messages[0]


def test_labels_and_shapes_of_drawings(tmp_path: Path) -> None:
    lines = [{"word": "the cat", "drawing": [[[0, 200], [0, 100]]]}, {"drawing": [[[0, 9], [5, 5]]]}]
    (tmp_path / "dog.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    first, second = read(tmp_path / "dog.ndjson")[0]
    assert (first.label, first.true_class, first.aspect) == ("the cat", "the cat", 2.0)
    assert (second.label, second.true_class, second.aspect) == (None, "dog", 1.0)


def test_skipping_leaves_out_bad_rows_alone(tmp_path: Path) -> None:
    array = np.zeros((2500, 24, 3))
    array[[3, 2000], 1] = np.nan
    np.save(tmp_path / "rows.npy", array)
    sketches, heard = read(tmp_path / "rows.npy")
    assert [error.split(": ")[1] for error in heard.messages] == ["row 3", "row 2000"]
    assert [sketch.index for sketch in sketches] == [row for row in range(2500) if row not in (3, 2000)]
    lines = [json.dumps({"drawing": drawing}) for drawing in DRAWINGS]
    for number in (0, 99, 255, 256, 299):
        lines[number] = '{"drawing": [[[1], [2]]]}'
    (tmp_path / "lines.ndjson").write_text("\n".join(lines))
    sketches, heard = read(tmp_path / "lines.ndjson")
    assert [int(error.split(":")[1]) for error in heard.messages] == [1, 100, 256, 257, 300]
    assert len(sketches) == 295
    for sketch in sketches:
        np.testing.assert_array_equal(sketch.strokes, EXPECTED[sketch.index])


def test_stroke_5_states_are_checked(tmp_path: Path) -> None:
    rows = forms.to_stroke_5(forms.to_deltas(DRAWINGS[0]), 90)[None].repeat(3, axis=0)
    rows[1, 4, 2:] = 1
    np.save(tmp_path / "five.npy", rows)
    sketches, heard = read(tmp_path / "five.npy")
    assert [sketch.index for sketch in sketches] == [0, 2]
    assert heard.messages == [
        f"{tmp_path / 'five.npy'}: row 1: expected stroke-5 rows with one of pen down, pen up and end set to 1"
    ]


def test_folders_are_expanded_in_order(tmp_path: Path) -> None:
    for name in ("b/2.npy", "b/1.ndjson.gz", "a.BIN", ".hidden/x.npy", "notes.txt", "c.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = expand_folders(["-", str(tmp_path), "none.npy"])
    assert found == [
        "-",
        *(str(tmp_path / name) for name in ("a.BIN", "b/1.ndjson.gz", "b/2.npy", "c.npz")),
        "none.npy",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
class TestLinksInFolders:
    """Nothing below a folder is left out without a word."""

    def test_links_to_folders_are_followed_and_circles_end(self, tmp_path: Path) -> None:
        top, outside = tmp_path / "top", tmp_path / "outside"
        for folder in (top / "a", outside / "deep"):
            folder.mkdir(parents=True)
            (folder / "x.npy").touch()
        (top / "a" / "out").symlink_to(outside)
        (outside / "deep" / "back").symlink_to(top)
        (top / "itself").symlink_to(".")
        (top / "linked.npy").symlink_to(outside / "deep" / "x.npy")
        listening = Listening()
        names = ("a/out/deep/x.npy", "a/x.npy", "linked.npy")
        assert expand_folders([str(top)], listening) == [str(top / name) for name in names]
        assert not listening.messages
        assert sorted(note.partition(" is a link")[0] for note in listening.notes) == [
            str(top / "a/out/deep/back"),
            str(top / "itself"),
        ]

    def test_what_cannot_be_used_is_reported_and_the_rest_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("good.npy", "locked/x.npy", "sub/y.npy"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "sub" / "lost").symlink_to("nowhere")
        (tmp_path / "sub" / "circle.npy").symlink_to("circle.npy")
        (tmp_path / ".hidden.npy").symlink_to("nowhere")
        os.mkfifo(tmp_path / "pipe.bin")
        os.mkfifo(tmp_path / "pipe.txt")
        real = Path.iterdir

        def iterdir(path: Path) -> Iterator[Path]:
            if path.name == "locked":
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(Path, "iterdir", iterdir)
        listening = Listening()
        assert expand_folders([str(tmp_path)], listening) == [
            str(tmp_path / name) for name in ("good.npy", "sub/y.npy")
        ]
        assert sorted(error.removeprefix(f"{tmp_path}/") for error in listening.messages) == [
            "locked: this folder cannot be read: Permission denied",
            "pipe.bin: expected a file, found a pipe, a socket or a device",
            "sub/circle.npy: cannot be read: Too many levels of symbolic links",
            "sub/lost: no such file: its link leads to nowhere, which is missing",
        ]
        with pytest.raises(InputError):
            expand_folders([str(tmp_path)])


def test_a_file_in_a_folder_that_may_not_be_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    def stat(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", stat)
    assert expand_folders(["locked/x.npy"]) == ["locked/x.npy"]
    with pytest.raises(InputError, match=r"^locked/x\.npy: cannot be read: Permission denied$"):
        list(read_sketches("locked/x.npy"))


def test_the_documented_conversion_of_pickles(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "input.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^cat > convert.py <<'END'\n(.*?)^END$", page, re.MULTILINE | re.DOTALL)
    deltas = np.empty(9, object)
    deltas[:] = [forms.to_deltas(drawing).astype(np.int16) for drawing in DRAWINGS[:9]]
    np.savez(tmp_path / "cat.npz", train=deltas, allow_pickle=True)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    sketches, heard = read(tmp_path / "cat_plain.npz", "stroke-3")
    assert not heard.messages
    for sketch, expected in zip(sketches, EXPECTED[:9], strict=True):
        np.testing.assert_array_equal(sketch.strokes, expected)


def test_an_array_of_something_else_does_not_hide_the_others(tmp_path: Path) -> None:
    strokes = np.zeros((2, 24, 3), np.float32)
    strokes[:, :4] = [[0.5, 1, 0], [-0.5, -0.4, 1], [0.9, 0.1, 0], [0.1, -0.7, 1]]
    np.savez(
        tmp_path / "d.npz", labels=np.arange(8), train=strokes, points=np.cumsum(strokes * 99, axis=1), test=strokes
    )
    sketches, heard = read(tmp_path / "d.npz")
    assert [error.split(": ")[1] for error in heard.messages] == ["labels", "points"]
    assert [sketch.index for sketch in sketches] == [0, 1, 4, 5]


def test_words_are_text_or_refused(tmp_path: Path) -> None:
    words = ["cat", None, 7, ["cat"], {"is": "cat"}, 0.5]
    lines = [json.dumps({"word": word, "drawing": DRAWINGS[0]}) for word in words]
    (tmp_path / "dog.ndjson").write_text("\n".join(lines))
    sketches, heard = read(tmp_path / "dog.ndjson")
    assert [sketch.true_class for sketch in sketches] == ["cat", "dog", "7"]
    assert len(heard.messages) == 3
    assert "dog.ndjson:4: expected a word as text, found ['cat']" in heard.messages[0]
