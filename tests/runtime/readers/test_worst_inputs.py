"""Files that unpack to much, have no end, shrink, or are pipes: bounded memory, an end, and one line."""

import gzip
import io
import json
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bulk.worst import WORST, peak_megabytes
from sketch_infer import InputError, read_sketches
from sketch_infer.inference.stream import take_block
from sketch_infer.readers.lines import read_rows
from sketch_infer.readers.parquet_pages import MAX_VALUES, read_row_groups, rows_at_once
from sketch_infer.readers.sketch import Sketch, cut_to_length
from sketch_infer.strokes.pen_lines import PenLines
from tests.support import Listening

LINE = json.dumps({"word": "cat", "drawing": [[[0, 10, 20], [0, 5, 0]], [[3, 4], [5, 6]]]}).encode() + b"\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("form", "n"),
    [(".npz", 50), (".npy", 2), (".parquet, lists", 2), (".parquet, text", 6), (".ndjson.gz, objects", 2)],
)
def test_the_worst_inputs_take_less_than_half_a_gigabyte(tiny_onnx: Path, tmp_path: Path, form: str, n: int) -> None:
    if form.startswith(".parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    name, write, _ = WORST[form]
    write(tmp_path / name, n)
    assert peak_megabytes(tmp_path / name, "--model", str(tiny_onnx)) < 500


def test_sketches_that_wait_hold_nothing_but_what_a_network_reads() -> None:
    block = np.ones((3, 100_000, 3), np.float32)
    block[2, 8:] = 0
    sketches = [Sketch("a", row, strokes) for row, strokes in enumerate(block)]
    cut = list(cut_to_length(sketches, 8))
    assert [(len(sketch.strokes), sketch.cut) for sketch in cut] == [(8, True), (8, True), (8, False)]
    assert all(sketch.strokes.base is None for sketch in cut)
    assert [sketch.cut for sketch in cut_to_length(cut, 8)] == [True, True, False]


def test_large_drawings_wait_in_small_blocks() -> None:
    lines = PenLines.of([[[list(range(50_000))] * 2]])
    sketches = [Sketch("a", row, np.zeros((1, 3), np.float32), drawing=lines) for row in range(200)]
    remaining = iter(sketches)
    block, is_full = take_block(remaining)
    assert (len(block), is_full) == (84, True)
    assert [len(take_block(remaining)[0]) for _ in range(3)] == [84, 32, 0]


class Endless(io.RawIOBase):
    """A device without an end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.n_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        self.n_read += len(view)
        view[:] = (self._content * (len(view) // len(self._content) + 1))[: len(view)]
        return len(view)


@pytest.mark.parametrize("byte", [b"\0", b"[", b" "])
def test_a_line_without_an_end_is_given_up(byte: bytes) -> None:
    device = Endless(byte)
    rows = read_rows("device", io.BufferedReader(device))
    (_, first), _ = next(rows)
    assert "expected a line of at most 4194304 bytes" in str(first)
    assert device.n_read < 2**23  # a run that stops here reads no further
    (_, last), _ = next(rows)
    assert "no line end within 67108864 bytes; the rest is not read" in str(last)
    assert next(rows, None) is None


def test_a_pipe_is_read_as_lines_or_refused(tmp_path: Path) -> None:
    for name, content in (("d.ndjson", LINE * 3), ("d.ndjson.gz", gzip.compress(LINE * 3))):
        os.mkfifo(tmp_path / name)
        writer = threading.Thread(target=(tmp_path / name).write_bytes, args=(content,))
        writer.start()
        assert [sketch.index for sketch in read_sketches(str(tmp_path / name))] == [0, 1, 2]
        writer.join()
    for name in ("d.npy", "d.npz", "d.parquet"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match="expected a file, found a pipe"):
            next(read_sketches(str(tmp_path / name)))


def test_an_array_in_fortran_order_that_shrinks_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "strewn.npy"
    np.save(path, np.asfortranarray(np.zeros((60_000, 40, 3), np.float32)))
    sketches = read_sketches(str(path))
    next(sketches)
    with path.open("r+b") as file:
        file.truncate(2**20)
    with pytest.raises(InputError, match=r"strewn.npy: not a complete .npy array \(cut off while it was read\)"):
        list(sketches)


@pytest.mark.parametrize("shape", [(30_000, 60, 3), (3, 300_000, 5), (1, 50, 3)])
def test_fortran_order_is_read_in_blocks(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    from sketch_infer.readers.npy_format import read_blocks, read_header

    array = np.random.default_rng(0).integers(-99, 99, shape).astype(np.float64)
    np.save(tmp_path / "a.npy", np.asfortranarray(array))
    with (tmp_path / "a.npy").open("rb") as file:
        header = read_header("a", file, (tmp_path / "a.npy").stat().st_size, strewn=True)
        np.testing.assert_array_equal(np.concatenate([block for _, block in read_blocks("a", file, header)]), array)


def test_a_word_has_a_bounded_length(tmp_path: Path) -> None:
    (tmp_path / "d.ndjson").write_bytes(LINE + LINE.replace(b"cat", b"c" * 1001))
    heard = Listening()
    assert len(list(read_sketches(str(tmp_path / "d.ndjson"), listener=heard))) == 1
    assert heard.messages == [f"{tmp_path / 'd.ndjson'}:2: expected a word of at most 1000 characters, found 1001"]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_the_longest_row_of_a_table_is_known_before_it_is_decoded(tmp_path: Path, version: str, codec: str) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    random = np.random.default_rng(0)
    lengths = [*random.integers(0, 2_000, 1_500).tolist(), 400_000, 1, 90]
    drawings = [[[[0] * n, random.integers(0, 255, n).tolist()]] for n in lengths]
    path = tmp_path / "d.parquet"
    parquet.write_table(pa.table({"drawing": drawings}), path, compression=codec, data_page_version=version)
    table = parquet.ParquetFile(path)
    with path.open("rb") as file:
        (n_rows,) = {rows_at_once(file, read_row_groups(file), 0, table.schema, ["drawing"], 256)}
    assert n_rows == MAX_VALUES // 800_000


def test_rows_and_pages_beyond_reason_are_refused(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = tmp_path / "d.parquet"
    for column, words in (
        ([[[[0] * (MAX_VALUES // 2 + 1)] * 2]] * 2, "row group 0: expected drawings of at most 2097152 numbers"),
        (["[" * 40_000_000], "row group 0: expected pages of at most 33554432 bytes, found 40000004"),
    ):
        parquet.write_table(pa.table({"drawing": column}), path)
        with pytest.raises(InputError, match=words):
            list(read_sketches(str(path)))
