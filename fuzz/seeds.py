"""Valid files in every form, small, as the first inputs of each target."""

import gzip
import hashlib
import io
import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sketch_infer.model.contract.metadata import PREPROCESSINGS, InputForm, ModelMetadata
from sketch_infer.model.contract.probes import Probes
from sketch_infer.model.contract.tensors import OUTPUTS
from sketch_infer.strokes.pen_points import Sketches
from sketch_search.layout import SECTIONS, Header

DRAWINGS: list[Any] = [
    [[[0, 10, 20], [0, 5, 0]], [[3, 4], [5, 6]]],
    [[[255, 0, 0, 255], [0, 255, 0, 255]]],
    [[[1, 2], [1, 1]], [[9], [9]], [[200, 100, 3], [7, 8, 9]]],
]

_DELTAS = np.array([[5, 3, 0], [10, -4, 0], [-2, 7, 1], [3, 3, 0], [0, 0, 0]])
_STROKE_5 = np.column_stack([_DELTAS[:, :2], np.eye(3, dtype=int)[[0, 0, 1, 1, 2]]])


def array_bytes(array: np.ndarray[Any, Any], version: tuple[int, int] | None = None) -> bytes:
    """Return the content of an `.npy` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    return buffer.getvalue()


def npy_files() -> list[bytes]:
    """Return arrays of every format and order, of one sketch and of several."""
    scaled = (_DELTAS / [10, 10, 1]).astype(np.float32)
    arrays = [scaled, np.stack([scaled] * 3), _DELTAS, np.stack([_DELTAS] * 2).astype(np.int16), _STROKE_5]
    arrays += [np.stack([_STROKE_5] * 2).astype(np.float64), np.asfortranarray(_DELTAS.astype(">f8"))]
    arrays += [np.asfortranarray(np.stack([scaled] * 2)), np.zeros((0, 4, 3)), scaled.astype(np.float16)]
    return [array_bytes(array) for array in arrays] + [array_bytes(scaled, (2, 0))]


def npz_files() -> list[bytes]:
    """Return archives, plain and compressed."""
    scaled = (_DELTAS / [10, 10, 1]).astype(np.float32)
    found = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, train=np.stack([scaled] * 2), test=_DELTAS)
        found.append(buffer.getvalue())
    return found


def ndjson_files() -> list[bytes]:
    """Return lines of drawings, simplified and raw."""
    simplified = "".join(json.dumps({"word": "cat", "drawing": drawing}) + "\n" for drawing in DRAWINGS)
    raw = json.dumps({"drawing": [[[0.5, 300.25, 7.0], [1.0, -2.5, 9.0], [0, 16, 33]]]}) + "\n"
    return [text.encode() for text in (simplified, raw, raw + simplified)]


def gzip_files() -> list[bytes]:
    """Return the same, compressed."""
    return [gzip.compress(content, mtime=0) for content in ndjson_files()]


def binary_files() -> list[bytes]:
    """Return drawings in the data set's binary form."""
    return [b"".join(binary_drawing(drawing) for drawing in drawings) for drawings in (DRAWINGS, DRAWINGS[:1])]


def binary_drawing(drawing: Any) -> bytes:
    """Return one drawing in binary form."""
    strokes = [struct.pack("<H", len(x)) + bytes(x) + bytes(y) for x, y in drawing]
    return struct.pack("<Q2sbIH", 7, b"CH", 1, 1490000000, len(drawing)) + b"".join(strokes)


def parquet_files() -> list[bytes]:
    """Return tables of nested lists and of JSON text, by dictionary and plain, in pages of both versions."""
    import pyarrow as pa
    import pyarrow.parquet

    words = [["cat", None, "bee"], ["ant"] * 3]
    texts = [json.dumps(drawing) for drawing in DRAWINGS]
    points = [[[[float(x), float(y)] for x, y in zip(*stroke, strict=True)] for stroke in it] for it in DRAWINGS]
    found: list[bytes] = []
    for column, version, codec in ((DRAWINGS, "1.0", "none"), (texts, "2.0", "snappy"), (points, "2.0", "none")):
        buffer = io.BytesIO()
        table = pa.table({"drawing": column, "word": words[len(found) % 2]})
        plain = {"use_dictionary": len(found) == 1, "data_page_version": version, "compression": codec}
        pyarrow.parquet.write_table(table, buffer, row_group_size=2, store_schema=False, **plain)
        found.append(buffer.getvalue())
    return found


def label_files() -> list[bytes]:
    """Return lists of labels, a label a line."""
    return [b"ant\nbee\ncat\n", "caf\u00e9\n\n  b \n".encode()]


def metadata_texts() -> list[bytes]:
    """Return the metadata of a model file that reads strokes and of one that reads points, JSON objects of texts."""
    outputs = {name: np.zeros((2, 3), np.float32) for name in OUTPUTS}
    points = tuple(np.array([[0, 0, 0], [3, 4, 1]], np.float32) for _ in range(2))
    sketches: dict[InputForm, Sketches] = {"strokes": np.zeros((2, 4, 3), np.float32), "points": points}
    found = []
    for form, probes in sketches.items():
        metadata = ModelMetadata(
            ("ant", "bee", "cat"), 4, PREPROCESSINGS[form], form, "fp32", True, "0" * 64, {}, {"fp32": 1e-5},
            {"torch": "2"}, Probes(("one", "two"), probes, outputs),
        )  # fmt: skip
        found.append(json.dumps(metadata.to_props()).encode())
    return found


def index_files() -> list[bytes]:
    """Return indices of one drawing and of three, two of which are equal."""
    found = []
    for bits, rows in ((64, [0, 0, 1]), (24, [1])):
        n, counts = len(rows), [4, 7]
        pictures = [np.arange(3 * count, dtype="u1").reshape(count, 3) for count in counts]
        arrays = {
            "codes": np.tile(np.array(rows, "u1")[:, None], bits // 8),
            "embeddings": np.tile(np.array(rows, "i1")[:, None], bits),
            "source_numbers": np.zeros(n, "<u4"),
            "indices": np.arange(n, dtype="<u4"),
            "word_numbers": np.arange(n, dtype="<i4") - 1,
            "picture_ends": np.cumsum([counts[row] for row in rows], dtype="<u8"),
            "pictures": np.concatenate([pictures[row] for row in rows]),
        }
        header = Header("model", "0" * 64, bits, n, len(arrays["pictures"]), ("a.npy",), ("cat", "bee"), {})
        found.append(index_bytes(header, {name: array.tobytes() for name, array in arrays.items()}))
    return found


def index_bytes(header: Header, contents: Mapping[str, bytes]) -> bytes:
    """Return the content of an index: a header with the hashes that fit, and the sections' bytes."""
    digests = {name: hashlib.sha256(contents[name]).hexdigest() for name in SECTIONS}
    header = replace(header, sha256=digests)
    whole = header.to_bytes()
    for name, section in header.sections().items():
        whole = whole.ljust(section.offset, b"\0") + contents[name]
    return whole
