import gzip
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from sketch_infer import InputError, drawing_to_sketch, read_sketches
from sketch_infer.readers.sketch import InputFormat, Sketch

DRAWING = [[[0, 10, 20], [0, 5, 0]], [[3, 4], [5, 6]]]


def read(path: Path, input_format: InputFormat = "auto") -> list[Sketch]:
    return list(read_sketches(str(path), input_format))


def write_lines(path: Path, *lines: object) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.write(text)
    return path


def save(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_one_sketch_from_npy(tmp_path: Path, dtype: str) -> None:
    path = save(tmp_path / "one.npy", np.arange(12).reshape(4, 3).astype(dtype))
    (sketch,) = read(path, "network")
    assert (sketch.source, sketch.index) == (str(path), 0)
    np.testing.assert_array_equal(sketch.strokes, np.arange(12, dtype=np.float32).reshape(4, 3))


def test_many_sketches_from_npy_in_order_across_blocks(tmp_path: Path) -> None:
    array = np.arange(2500 * 2 * 3).reshape(2500, 2, 3)
    sketches = read(save(tmp_path / "many.npy", array), "network")
    assert [sketch.index for sketch in sketches] == list(range(2500))
    np.testing.assert_array_equal([sketch.strokes for sketch in sketches], array)


def test_npy_of_no_rows(tmp_path: Path) -> None:
    assert read(save(tmp_path / "none.npy", np.zeros((0, 196, 3)))) == []


@pytest.mark.parametrize("name", ["drawings.ndjson", "drawings.ndjson.gz"])
def test_drawings(tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / name, {"word": "a", "drawing": DRAWING}, "", {"drawing": DRAWING[:1]})
    first, second = read(path)
    assert (first.index, second.index, second.source) == (0, 1, str(path))
    np.testing.assert_array_equal(first.strokes, drawing_to_sketch(DRAWING))
    assert second.strokes.shape == (2, 3)


def test_drawings_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(json.dumps({"drawing": DRAWING}).encode() + b"\n{}\n")

    monkeypatch.setattr("sys.stdin", Stdin)
    sketches = read_sketches("-")
    assert next(sketches).source == "-"
    with pytest.raises(InputError, match=r'^standard input:2: expected a JSON object with a "drawing"'):
        next(sketches)


def refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        read(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_missing_folder_and_kind(tmp_path: Path) -> None:
    refused(tmp_path / "none.npy", "no such file")
    refused(tmp_path, "found a folder")
    (tmp_path / "strokes.txt").touch()
    refused(tmp_path / "strokes.txt", r"expected a \.npy, \.npz, \.ndjson, \.ndjson\.gz, \.parquet or \.bin file")


def npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"not a complete \.npy array"),
        (b"hello world", r"not a complete \.npy array"),
        (npy_bytes(np.zeros((9, 4, 3)))[:200], r"not a complete \.npy array"),
        (npy_bytes(np.zeros((9, 4, 3)))[:20], r"not a complete \.npy array"),
        (pickle.dumps([1, 2]), r"not a complete \.npy array"),
        (npy_bytes(np.zeros((9, 4, 3))).replace(b"(9, 4, 3)", b"(-9,4, 3)"), r"not a complete \.npy array"),
        (npy_bytes(np.zeros((9, 4, 3))).replace(b"(9, 4, 3), ", b"(" + b"9" * 10), r"not a complete \.npy array"),
        (npy_bytes(np.zeros((9, 4, 3))).replace(b"{'descr'", b"((('descr"), r"not a complete \.npy array"),
        (npy_bytes(np.array([[None, 1, 2]], dtype=object)), r"Python objects \(pickled\)"),
        (npy_bytes(np.zeros((4, 3), "U1")), "float or integer dtype, found <U1"),
        (npy_bytes(np.zeros((4, 3), [("x", "f4")])), r"found \[\('x', '<f4'\)\]"),
        (npy_bytes(np.zeros((4, 2))), r"found shape \(4, 2\)"),
        (npy_bytes(np.zeros(3)), r"found shape \(3,\)"),
        (npy_bytes(np.zeros((0, 4, 2))), r"found shape \(0, 4, 2\)"),
        (npy_bytes(np.zeros((2, 2, 2, 3))), r"found shape \(2, 2, 2, 3\)"),
        (npy_bytes(np.array([[0, 0, 0], [0, np.nan, 0]])), "in point 1;"),
        (npy_bytes(np.full((2, 4, 3), np.inf)), ": row 0: expected finite values .* in points 0, 1, 2, 3;"),
    ],
)
def test_npy_files_that_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "strokes.npy"
    path.write_bytes(content)
    refused(path, words)


def test_rows_that_are_not_finite_are_counted_from_the_files_start(tmp_path: Path) -> None:
    array = np.zeros((1500, 2, 3), np.float32)
    array[1400] = np.nan
    refused(save(tmp_path / "strokes.npy", array), ": row 1400: ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not JSON", "expected a JSON object, found b'not JSON"),
        ('{"drawing": [[[0, 1], [0', "expected a JSON object"),
        ("[" * 100_000, "expected a JSON object"),
        ('{"word": "cat"}', 'with a "drawing"'),
        ("[1, 2]", "found an array; write one object a line"),
        ({"drawing": None}, "found a value of type NoneType"),
        ({"drawing": []}, "at least 2 points"),
        ({"drawing": [[[1, 2], [1]]]}, "2 x and 1 y"),
        ('{"drawing": [[[NaN, 1], [1, 2]]]}', "finite"),
    ],
)
@pytest.mark.parametrize("name", ["drawings.ndjson", "drawings.ndjson.gz"])
def test_lines_that_are_refused(tmp_path: Path, name: str, line: object, words: str) -> None:
    path = write_lines(tmp_path / name, {"drawing": DRAWING}, line)
    refused(path, f":2: .*{words}")


def test_ndjson_that_is_empty_or_not_text(tmp_path: Path) -> None:
    refused(write_lines(tmp_path / "empty.ndjson"), "found none")
    (tmp_path / "binary.ndjson").write_bytes(b"\xff\xfe\x00\n")
    refused(tmp_path / "binary.ndjson", "expected UTF-8 text, found UTF-16")
    (tmp_path / "binary.ndjson").write_bytes(b"\xff\xff\x01\n")
    refused(tmp_path / "binary.ndjson", ":1: expected a JSON object, .* \\(not UTF-8")


def test_gzip_that_is_none_or_truncated(tmp_path: Path) -> None:
    path = tmp_path / "drawings.ndjson.gz"
    path.write_bytes(b'{"drawing": []}\n')
    refused(path, "not a complete gzip file")
    write_lines(path, *[{"drawing": DRAWING}] * 50)
    path.write_bytes(path.read_bytes()[:-10])
    refused(path, "not a complete gzip file")
    path.write_bytes(b"")
    refused(path, "found none")


def test_real_drawings(drawings_folder: Path) -> None:
    for path in sorted(drawings_folder.glob("*.ndjson.gz"))[:3]:
        sketches = read(path)
        assert len(sketches) > 20
        for sketch in sketches:
            assert np.isfinite(sketch.strokes).all()
            assert np.abs(sketch.strokes).max() <= 1
            assert sketch.strokes[-1, 2] == 1
