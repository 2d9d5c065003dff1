"""What is fuzzed: each target takes bytes and raises where the code does not keep its word.

Its word: sketches are finite float32 (T, 3), and all else is an error of one line that names the file.
"""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np

from sketch_infer.errors import InputError, ModelFileError
from sketch_infer.labels import check_labels
from sketch_infer.model_file import ModelMetadata
from sketch_infer.onnx_header import read_header
from sketch_infer.readers import InputFormat, Reading, read_sketches
from sketch_infer.session import Session

Target = Callable[[bytes], None]

FORMATS: tuple[InputFormat, ...] = ("auto", "network", "stroke-3", "stroke-5")
DRAWING_FORMATS: tuple[InputFormat, ...] = ("auto", "simplified", "raw")
_SKETCHES = 4096
"""Sketches that one input may give; a small file cannot hold more by right."""


class _Skipping(Reading):
    skips = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def bad(self, error: InputError) -> None:
        _one_line(error, str(self._path))


def _one_line(error: Exception, begins: str = "") -> None:
    text = str(error)
    assert text.startswith(begins), text
    assert len(text.splitlines()) == 1, text


def _read(path: Path, content: bytes, input_format: InputFormat) -> None:
    path.write_bytes(content)
    for reading in (Reading(), _Skipping(path)):
        try:
            for sketch in islice(read_sketches(str(path), input_format, reading), _SKETCHES):
                assert sketch.strokes.dtype == np.float32
                assert sketch.strokes.ndim == 2
                assert sketch.strokes.shape[1] == 3
                assert np.isfinite(sketch.strokes).all()
                assert np.isfinite(sketch.aspect)
                assert sketch.aspect > 0
        except InputError as error:
            _one_line(error, str(path))


def _file_target(path: Path, formats: tuple[InputFormat, ...], wrap: Callable[[bytes], bytes]) -> Target:
    def run(data: bytes) -> None:
        _read(path, wrap(data[1:]), formats[data[0] % len(formats)] if data else formats[0])

    return run


def _zipped(data: bytes) -> bytes:
    """Put the bytes into an archive, so that what is fuzzed lies behind its checksums; every fourth is the archive."""
    if data[:1] < b"\x40":
        return data[1:]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("train.npy", data[1:])
    return buffer.getvalue()


def _gzipped(data: bytes) -> bytes:
    return data[1:] if data[:1] < b"\x40" else gzip.compress(data[1:], 1)


def _labels(data: bytes) -> None:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        check_labels(values, len(values) if isinstance(values, list) else 1)
    except InputError as error:
        _one_line(error)


def _metadata_target(props: dict[str, str]) -> Target:
    keys = sorted(props)

    def run(data: bytes) -> None:
        if not data:
            return
        damaged = {**props, keys[data[0] % len(keys)]: data[1:].decode("utf-8", "replace")}
        try:
            ModelMetadata.from_props(damaged)
        except ModelFileError as error:
            _one_line(error)

    return run


def _header(data: bytes) -> None:
    try:
        read_header(data)
    except ModelFileError as error:
        _one_line(error)


def _model_target(path: Path, model: bytes) -> Target:
    """Damage a model file: cut it, write bytes into it, or take the bytes for one."""

    def run(data: bytes) -> None:
        content = data
        if len(data) > 6 and data[0] % 4:
            position = int.from_bytes(data[1:5], "little") % len(model)
            if data[0] % 4 == 1:
                content = model[:position] + data[5:]
            else:
                content = model[:position] + data[5:] + model[position + len(data) - 5 * (data[0] % 4 == 2) :]
        if content == model:
            return
        path.write_bytes(content)
        try:
            Session(path, "cpu")
        except ModelFileError as error:
            _one_line(error, str(path))
        else:
            raise AssertionError("a damaged model file was opened")

    return run


def targets(folder: Path, model: Path) -> dict[str, Target]:
    """Return the targets by name; they write their inputs into `folder`, and damage copies of `model`."""
    content = model.read_bytes()
    metadata = Session(model, "cpu").metadata
    return {
        "npy": _file_target(folder / "input.npy", FORMATS, lambda data: data),
        "npz": _file_target(folder / "input.npz", FORMATS, _zipped),
        "ndjson": _file_target(folder / "input.ndjson", DRAWING_FORMATS, lambda data: data),
        "ndjson.gz": _file_target(folder / "input.ndjson.gz", DRAWING_FORMATS, _gzipped),
        "bin": _file_target(folder / "input.bin", DRAWING_FORMATS, lambda data: data),
        "labels": _labels,
        "metadata": _metadata_target(metadata.to_props()),
        "onnx header": _header,
        "model": _model_target(folder / "input.onnx", content),
    }
