"""What is fuzzed, and what must come of any input: strokes that the network can read, or an error of one line."""

import functools
import json
import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sketch_infer.errors import InputError, ModelFileError, SketchError
from sketch_infer.inference.session import Session
from sketch_infer.model.contract.metadata import ModelMetadata
from sketch_infer.model.graph_check import check_graph
from sketch_infer.model.labels import check_labels, read_labels
from sketch_infer.model.onnx_header import read_header
from sketch_infer.readers.files import read_sketches
from sketch_infer.readers.listener import CollectingListener, ReadListener
from sketch_infer.readers.sketch import INPUT_FORMATS, InputFormat
from sketch_infer.untrusted import one_line
from sketch_search.duplicates import find_duplicates
from sketch_search.index import SketchIndex
from sketch_search.suspects import find_suspects

from . import mutators, seeds
from .mutators import Mutator

_ARRAYS: tuple[InputFormat, ...] = ("auto", "network", "stroke-3", "stroke-5")
_DRAWINGS: tuple[InputFormat, ...] = ("auto", "simplified", "raw")

MODEL_SEEDS = ("strokes.onnx", "points.onnx")
"""The file in the seeds' folder that the target `model` damages."""


@dataclass(frozen=True)
class Target:
    """One thing to fuzz.

    Attributes:
        share: of all executions, in thousandths.
        seeds: first inputs.
        mutate: makes further ones.
        run: runs one input, and raises anything but a SketchError when the contract is broken.
    """

    share: int
    seeds: Callable[[], list[bytes]]
    mutate: Mutator
    run: Callable[[bytes], None]


def _folder() -> Path:
    memory = Path("/dev/shm")  # noqa: S108 where it exists, a file takes no disk
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))


class _File:
    """A file that is written over for each input, and made for the first one: one target runs in a process."""

    def __init__(self, name: str) -> None:
        self._name = name

    @functools.cached_property
    def path(self) -> Path:
        return _folder() / self._name

    @functools.cached_property
    def _file(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT)

    def write(self, content: bytes) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, content, 0)


def check_message(error: SketchError, start: str = "") -> None:
    """Check that an error is one line that begins with the file's name and can do nothing to a terminal."""
    text = str(error)
    assert text.startswith(start), f"does not name the file: {text!r}"
    assert text == one_line(text), f"not one line: {text!r}"


def _reader(name: str, formats: tuple[InputFormat, ...]) -> Callable[[bytes], None]:
    """Return a target whose first byte chooses format and whether reading goes on; the rest is the file."""
    file = _File(name)

    def run(data: bytes) -> None:
        if not data:
            return
        file.write(data[1:])
        source = str(file.path)
        listener = CollectingListener() if data[0] & 1 else ReadListener()
        # Only rarely one that a file's kind does not have.
        input_format = INPUT_FORMATS[data[0] % 6] if data[0] > 250 else formats[data[0] // 2 % len(formats)]
        before = -1
        try:
            for sketch in read_sketches(source, input_format, listener):
                strokes = sketch.strokes
                assert strokes.dtype == np.float32, strokes.dtype
                assert strokes.ndim == 2, strokes.shape
                assert strokes.shape[1] == 3, strokes.shape
                assert np.isfinite(strokes).all(), strokes
                assert sketch.index > before, (sketch.index, before)
                assert np.isfinite(sketch.aspect), sketch.aspect
                assert sketch.aspect > 0, sketch.aspect
                before = sketch.index
        except InputError as error:
            check_message(error, source)
            if listener.skips:
                raise AssertionError(f"stops, though it was to go on: {error}") from error
        for _, heard in getattr(listener, "errors", ()):
            check_message(heard, source)

    return run


def _labels() -> Callable[[bytes], None]:
    file = _File("labels.txt")

    def run(data: bytes) -> None:
        file.write(data)
        try:
            labels = read_labels(file.path)
        except InputError as error:
            return check_message(error, str(file.path))
        try:
            assert list(check_labels(labels, 3)) == labels
        except InputError as error:
            check_message(error)
        return None

    return run


def _metadata(data: bytes) -> None:
    try:
        props = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(props, dict):
        try:
            ModelMetadata.from_props({key: value if isinstance(value, str) else "" for key, value in props.items()})
        except ModelFileError as error:
            check_message(error)


def _graph(data: bytes) -> None:
    try:
        check_graph(read_header(data))
    except ModelFileError as error:
        check_message(error)


def _model() -> Callable[[bytes], None]:
    file = _File("model.onnx")

    def run(data: bytes) -> None:
        file.write(data)
        try:
            session = Session(file.path, "cpu")
        except ModelFileError as error:
            check_message(error, str(file.path))
        else:
            outputs = session.run(session.metadata.probes.sketches)
            if session.metadata.input_form == "strokes":  # NaN is the answer to points that cannot be used
                assert all(np.isfinite(values).all() for values in outputs.values())

    return run


def _index() -> Callable[[bytes], None]:
    file = _File("drawings.index")

    def run(data: bytes) -> None:
        file.write(data)
        try:
            index = SketchIndex(file.path)
            for position in range(min(len(index), 8)):
                assert len(index.picture(position))
                near = index.nearest(index.codes[position], index.embeddings[position], 2)
                assert near[0].distance == 0, near
            assert all(len(group) > 1 for group in find_duplicates(index))
            assert all(0 <= one.share <= 1 for one in find_suspects(index))
        except InputError as error:
            check_message(error, str(file.path))

    return run


def with_option(files: Callable[[], list[bytes]]) -> Callable[[], list[bytes]]:
    """Return seeds with a first byte for each choice."""
    return lambda: [bytes([option]) + content for content in files() for option in range(8)]


def behind_option(mutate: Mutator) -> Mutator:
    """Return a mutator that leaves the first byte to chance."""

    def mutate_rest(data: bytes, rng: random.Random, any_: Callable[[bytes], bytes]) -> bytes:
        option = data[:1] if rng.randrange(4) and data else bytes([rng.randrange(256)])
        return option + mutate(data[1:], rng, any_)

    return mutate_rest


def _reads(
    share: int, name: str, formats: tuple[InputFormat, ...], files: Callable[[], list[bytes]], mutate: Mutator
) -> Target:
    return Target(share, with_option(files), behind_option(mutate), _reader(name, formats))


def make_targets(folder: Path) -> dict[str, Target]:
    """Return all targets by name; `folder` holds the model files to damage."""
    models = [(folder / seed).read_bytes() for seed in MODEL_SEEDS]
    headers = [part for model in models for part in (model[:9000], model[-6000:], model)]
    return {
        ".npy": _reads(180, "a.npy", _ARRAYS, seeds.npy_files, mutators.mutate_npy),
        ".npz": _reads(110, "a.npz", _ARRAYS, seeds.npz_files, mutators.mutate_npz),
        ".ndjson": _reads(140, "a.ndjson", _DRAWINGS, seeds.ndjson_files, mutators.mutate_json),
        ".ndjson.gz": _reads(80, "a.ndjson.gz", _DRAWINGS, seeds.gzip_files, mutators.mutate_gzip),
        ".parquet": _reads(60, "a.parquet", _DRAWINGS, seeds.parquet_files, mutators.mutate_parquet),
        ".bin": _reads(110, "a.bin", _DRAWINGS, seeds.binary_files, mutators.mutate_binary),
        "labels": Target(70, seeds.label_files, mutators.mutate_bytes, _labels()),
        "metadata": Target(90, seeds.metadata_texts, mutators.mutate_metadata, _metadata),
        "ONNX header": Target(90, lambda: headers, mutators.mutate_bytes, _graph),
        "index": Target(40, seeds.index_files, mutators.mutate_index, _index()),
        "model": Target(30, lambda: models, mutators.models_mutator(models), _model()),
    }
