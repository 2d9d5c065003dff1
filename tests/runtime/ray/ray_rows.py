"""Drawings in files, what the one-process engine says of them, and what a folder of shards holds."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from sketch_infer import Classifier
from sketch_infer.inference.stream import classify_sketches
from sketch_infer.readers.files import expand_folders, read_sketches
from sketch_infer.writers.text import to_records
from tests.support import Listening


def drawing(seed: int, n_points: int) -> list[list[list[int]]]:
    points = np.random.default_rng(seed).integers(0, 256, (2, n_points))
    points[:, :2] = [[0, 255], [0, 255]]
    return [points.tolist()]


def write_inputs(folder: Path) -> Path:
    """Drawings in files of each kind, 2,600 in all: blocks enough for two actors."""
    folder.mkdir()
    drawings = [drawing(seed, 3 + seed % 20) for seed in range(1200)]
    lines = "".join(json.dumps({"drawing": one, "word": "ant"}) + "\n" for one in drawings).encode()
    (folder / "a b.ndjson").write_bytes(lines)
    with gzip.open(folder / "c.ndjson.gz", "wb") as file:
        file.write(lines)
    pa.parquet.write_table(pa.table({"drawing": drawings[:100]}), folder / "d.parquet")
    strokes = np.zeros((100, 29, 3))
    strokes[:, :9, :2] = np.random.default_rng(0).uniform(-0.1, 0.1, (100, 9, 2))
    np.save(folder / "e.npy", strokes.astype(np.float32))
    np.save(folder / "f.npy", np.asfortranarray(strokes[:3]))
    return folder


def expected(model: Path, *sources: str) -> tuple[list[Any], np.ndarray, list[str]]:
    """What the one-process engine says: records, logits, and reasons of what has no answer."""
    reading, records, logits = Listening(), [], []
    for path in expand_folders(sources):
        with Classifier(model, "cpu") as classifier:
            for sketches, predictions in classify_sketches(classifier, read_sketches(path, listener=reading), reading):
                records += to_records(sketches, predictions, 5)
                logits.append(predictions.logits)
    return records, np.concatenate(logits), reading.messages


def found(output: Path) -> tuple[list[Any], np.ndarray, list[str]]:
    """What the shards hold, in their order."""
    shards = [pa.parquet.read_table(path) for path in sorted(output.glob("*.parquet"))]
    rows = [row for shard in shards for row in shard.to_pylist()]
    errors = sorted((output / "_errors").glob("*.parquet")) if (output / "_errors").exists() else []
    reasons = [reason for path in errors for reason in pa.parquet.read_table(path)["reason"].to_pylist()]
    return rows, np.array([row.pop("logits", None) for row in rows]), reasons


def same(rows: list[Any], logits: np.ndarray, model: Path, *sources: str) -> bool:
    """Compare with the one-process engine by key, and demand each key once."""
    records, expected_logits, _ = expected(model, *sources)
    assert len({(row["source"], row["index"]) for row in rows}) == len(rows)
    order = {(record["source"], record["index"]): place for place, record in enumerate(records)}
    assert len(rows) == len(records)
    places = [order[row["source"], row["index"]] for row in rows]
    for row in rows:
        row["aspect"] = pytest.approx(row["aspect"], abs=0, rel=1e-6)
        for candidate in (row, *row["top"]):  # parquet has float32
            candidate["probability"] = pytest.approx(candidate["probability"], abs=0, rel=1e-7)
    assert [records[place] for place in places] == rows
    return bool(np.array_equal(logits.astype(np.float32), expected_logits[places]))
