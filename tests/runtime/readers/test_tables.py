"""Drawings in the rows of .parquet files."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bulk import forms
from sketch_infer import InputError, drawing_to_sketch, read_sketches
from sketch_infer.readers.sketch import Sketch
from sketch_infer.strokes.simplify import simplify_drawing
from tests.support import Listening

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

DRAWINGS = forms.simplified(300, seed=3)
RAW = forms.sampled(20, seed=4)
EXPECTED = [drawing_to_sketch(drawing) for drawing in DRAWINGS]


def read(path: Path) -> tuple[list[Sketch], Listening]:
    listening = Listening()
    return list(read_sketches(str(path), "auto", listening)), listening


@pytest.mark.parametrize("as_text", [False, True])
def test_tables_hold_lists_or_text_simplified_or_raw(tmp_path: Path, as_text: bool) -> None:
    path = tmp_path / "d.parquet"
    for drawings in (DRAWINGS, RAW):
        column = [json.dumps(drawing) if as_text else drawing for drawing in drawings]
        table = pa.table({"key": range(len(drawings)), "word": ["cat"] * len(drawings), "drawing": column})
        pq.write_table(table, path, row_group_size=70)
        sketches, heard = read(path)
        assert [(sketch.index, sketch.label) for sketch in sketches] == [(i, "cat") for i in range(len(drawings))]
        prepared = EXPECTED if drawings is DRAWINGS else [drawing_to_sketch(simplify_drawing(raw)) for raw in RAW]
        for sketch, expected in zip(sketches, prepared, strict=True):
            np.testing.assert_array_equal(sketch.strokes, expected)
        assert not heard.messages
        assert heard.bytes == pytest.approx(path.stat().st_size, rel=0.01)


def test_rows_of_a_table_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    good = json.dumps(DRAWINGS[0])
    pq.write_table(pa.table({"drawing": [good, None, "no", "[]", good]}), path)
    sketches, heard = read(path)
    assert [sketch.index for sketch in sketches] == [0, 4]
    assert [error.split(": ")[1] for error in heard.messages] == ["row 1", "row 2", "row 3"]
    assert "expected a drawing as JSON, found 'no'" in heard.messages[1]
    pq.write_table(pa.table({"drawing": pa.array([], pa.string())}), path)
    assert "expected drawings, found none" in read(path)[1].messages[0]


def test_a_damaged_table_is_refused_in_one_line_or_read(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({"drawing": [json.dumps(drawing) for drawing in DRAWINGS[:20]]}), path)
    whole, random = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        # Half of it among the last bytes, which are the table's own description.
        reach = len(whole) if random.random() < 0.5 else 600
        for at in len(whole) - random.integers(1, reach, random.integers(1, 5)):
            damaged[at] = random.integers(256)
        path.write_bytes(damaged)
        sketches, heard = read(path)
        assert all("\n" not in error for error in heard.messages)
        assert all(np.isfinite(sketch.strokes).all() for sketch in sketches)
        refused += bool(heard.messages)
    assert 30 < refused < 300


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    column = pa.array(["[]"])
    pq.write_table(pa.Table.from_arrays([column, column], ["drawing", "drawing"]), tmp_path / "joined.parquet")
    with pytest.raises(InputError, match="expected one column drawing, found 2; rename the others"):
        list(read_sketches(str(tmp_path / "joined.parquet")))


def test_words_may_be_binary(tmp_path: Path) -> None:
    table = pa.table({"drawing": [json.dumps(DRAWINGS[0])], "word": pa.array(["Kätzchen".encode()])})
    pq.write_table(table, tmp_path / "d.parquet")
    assert [sketch.label for sketch in read(tmp_path / "d.parquet")[0]] == ["Kätzchen"]
