"""Every reader: what was written is read, and what was damaged is refused in one line or read as finite sketches."""

import functools
import gzip
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from benchmarks.bulk import forms
from fuzz.seeds import parquet_files
from fuzz.targets import MODEL_SEEDS, make_targets
from sketch_infer import InputError, drawing_to_sketch, read_sketches
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.sketch import InputFormat
from sketch_infer.strokes.preprocess import to_batch
from sketch_infer.strokes.simplify import simplify_drawing
from tests import tiny

Bytes = Callable[[bytes], None]

COORDINATES = st.integers(0, 255)
STROKES = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=12)
DRAWINGS = st.lists(STROKES, min_size=1, max_size=5).filter(lambda strokes: sum(map(len, strokes)) > 1)


def to_drawing(strokes: list[list[tuple[int, int]]]) -> forms.Drawing:
    return [[[x for x, _ in stroke], [y for _, y in stroke]] for stroke in strokes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


@pytest.fixture(scope="module")
def fuzzed(folder: Path, tiny_onnx: Path) -> dict[str, Bytes]:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")  # the seeds of .parquet files
    for seed, model in zip(MODEL_SEEDS, (tiny_onnx, tiny.OF_POINTS), strict=True):
        (folder / seed).write_bytes(model.read_bytes())
    return {name.removeprefix("."): target.run for name, target in make_targets(folder).items()}


def read(path: Path, input_format: InputFormat = "auto") -> list[np.ndarray]:
    return [sketch.strokes for sketch in read_sketches(str(path), input_format)]


@hypothesis.given(st.lists(DRAWINGS, min_size=1, max_size=6))
def test_lines_and_binary_are_read_as_written(folder: Path, many: list[list[list[tuple[int, int]]]]) -> None:
    drawings = [to_drawing(strokes) for strokes in many]
    (folder / "d.bin").write_bytes(b"".join(map(forms.to_binary, drawings)))
    files = [
        forms.write_lines(folder / "d.ndjson", drawings),
        forms.write_lines(folder / "d.ndjson.gz", drawings),
        folder / "d.bin",
    ]
    for path in files:
        for sketch, drawing in zip(read(path, "simplified"), drawings, strict=True):
            np.testing.assert_array_equal(sketch, drawing_to_sketch(drawing))
        for sketch, drawing in zip(read(path, "raw"), drawings, strict=True):
            np.testing.assert_array_equal(sketch, drawing_to_sketch(simplify_drawing(drawing)))


@hypothesis.given(st.lists(DRAWINGS, min_size=1, max_size=6))
def test_arrays_are_read_as_written(folder: Path, many: list[list[list[tuple[int, int]]]]) -> None:
    drawings = [to_drawing(strokes) for strokes in many]
    deltas = [forms.to_deltas(drawing) for drawing in drawings]
    padded = np.zeros((len(deltas), 64, 3))
    for row, one in zip(padded, deltas, strict=True):
        row[: len(one)] = one
    five = np.stack([forms.to_stroke_5(one, 64) for one in deltas])
    np.save(folder / "three.npy", padded)
    np.save(folder / "five.npy", five)
    np.savez(folder / "both.npz", a=padded, b=padded)
    for found in (
        read(folder / "three.npy", "stroke-3"),
        read(folder / "five.npy"),
        read(folder / "both.npz", "stroke-3"),
    ):
        for sketch, drawing in zip(found, drawings * (len(found) // len(drawings)), strict=True):
            np.testing.assert_array_equal(sketch, drawing_to_sketch(drawing))
    network = to_batch([drawing_to_sketch(drawing) for drawing in drawings], 64)[0]
    for order in "CF":
        np.save(folder / "network.npy", np.asarray(network, order=order))  # type: ignore[call-overload]
        np.testing.assert_array_equal(to_batch(read(folder / "network.npy", "network"), 64)[0], network)


@pytest.mark.parametrize(
    "name",
    ["npy", "npz", "ndjson", "ndjson.gz", "parquet", "bin", "labels", "metadata", "ONNX header", "index", "model"],
)
@hypothesis.given(data=st.binary(max_size=400))
def test_any_bytes_keep_the_word(fuzzed: dict[str, Bytes], name: str, data: bytes) -> None:
    fuzzed[name](data)


@functools.cache
def valid(folder: Path) -> dict[str, bytes]:
    files = forms.write_all(folder, forms.simplified(2, seed=5), forms.sampled(1, seed=5))
    return {
        "npy": files["stroke-3 .npy"].read_bytes()[:400],
        "npz": files["network .npz"].read_bytes(),
        "ndjson": files["simplified .ndjson"].read_bytes()[:700],
        "ndjson.gz": files["simplified .ndjson.gz"].read_bytes(),
        "parquet": parquet_files()[0],
        "bin": files["simplified .bin"].read_bytes(),
    }


@pytest.mark.parametrize("name", ["npy", "npz", "ndjson", "ndjson.gz", "parquet", "bin"])
def test_cut_off_or_flipped_anywhere(fuzzed: dict[str, Bytes], folder: Path, name: str) -> None:
    content = valid(folder)[name]
    for position in range(0, len(content), 1 + len(content) // 300):
        choice = bytes([position % 2])  # of the target: to stop or to go on, both with the format found out
        fuzzed[name](choice + content[:position])
        flipped = bytes([content[position] ^ (1 << position % 8)])
        fuzzed[name](choice + content[:position] + flipped + content[position + 1 :])


@pytest.mark.parametrize(
    "shape",
    ["(1099511627776, 24, 3)", "(1099511627776, 0, 3)", "(2, 1099511627776, 3)", "(-1, 24, 3)", "(1099511627776, 3)"],
)
@pytest.mark.parametrize("order", ["False", "True"])
def test_a_header_may_claim_what_it_wants(tmp_path: Path, shape: str, order: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    header += b" " * (118 - len(header) - 1) + b"\n"
    (tmp_path / "claims.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(96))
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            read(tmp_path / "claims.npy")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_archives_that_grow_take_no_memory(tmp_path: Path) -> None:
    (tmp_path / "bomb.ndjson.gz").write_bytes(gzip.compress(b"[" * 60_000_000, 9))
    np.savez_compressed(tmp_path / "bomb.npz", np.zeros((200_000, 24, 3)))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="expected a line of at most 4194304 bytes"):
            read(tmp_path / "bomb.ndjson.gz")
        assert sum(1 for _ in read_sketches(str(tmp_path / "bomb.npz"), listener=ReadListener())) == 200_000
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that others cut off while it is read")
def test_an_array_that_shrinks_while_it_is_read_does_not_end_the_process(tmp_path: Path) -> None:
    path = tmp_path / "shrinks.npy"
    np.save(path, np.zeros((40_000, 24, 3), np.float32))
    sketches = read_sketches(str(path))
    next(sketches)
    with path.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(InputError, match="cut off at row"):
        list(sketches)
