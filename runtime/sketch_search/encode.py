"""Files of drawings to codes: read and encoded as they come, in bounded memory."""

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.errors import InputError
from sketch_infer.inference.classifier import Classifier
from sketch_infer.inference.installed import find_model
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.inference.stream import classify_sketches
from sketch_infer.readers.files import STDIN, read_sketches
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.sketch import InputFormat, Sketch
from sketch_search.hamming import Codes
from sketch_search.index import SketchIndex
from sketch_search.layout import CODE_BITS

DEFAULT_MODEL = "quickdraw-345"


class Encoder:
    """A model that answers with codes.

    Args:
        model: path of a model file, or the name of an installed model.
        provider: as for `Classifier`.
        threads: as for `Classifier`.

    Attributes:
        model: as it was given.
        classes: the model's classes.

    Raises:
        InputError: if the model has no codes, or longer ones than an index holds.
        SketchError: as `Classifier` raises.
    """

    def __init__(self, model: str, provider: ProviderChoice = "auto", threads: int | None = None) -> None:
        self.model = model
        self._classifier = Classifier(find_model(model), provider, threads=threads, codes=True)
        self.classes = self._classifier.classes
        self.content_sha256 = self._classifier.content_sha256
        self.bits = self._classifier.metadata.code_bits or 0
        if self.bits not in CODE_BITS:
            raise InputError(f"{model}: expected codes of at most {CODE_BITS[-1]} bits, found {self.bits}")

    def word(self, sketch: Sketch) -> str | None:
        """Return a drawing's word, or its file's name where that is one of the classes, as in `cat.npz`."""
        if sketch.label:
            return sketch.label
        name = Path(sketch.source).name.split(".")[0]
        return name if sketch.source != STDIN and name in self.classes else None

    def encode(
        self, sketches: Iterable[Sketch], listener: ReadListener
    ) -> Iterator[tuple[list[Sketch], Codes, FloatArray]]:
        """Encode drawings.

        Yields:
            blocks of drawings in order, their codes, uint8 (N, bits / 8), and their embeddings, float32 (N, bits).
        """
        for block, predictions in classify_sketches(self._classifier, sketches, listener):
            # Not None: the classifier was opened with codes.
            yield block, np.asarray(predictions.codes), np.asarray(predictions.embeddings)


def read_all(sources: Iterable[str], input_format: InputFormat, listener: ReadListener) -> Iterator[Sketch]:
    """Read files one after another."""
    return chain.from_iterable(read_sketches(source, input_format, listener) for source in sources)


def refuse_repeated(sources: Iterable[str], base: SketchIndex | None) -> None:
    """Refuse a file whose drawings would be in the index twice, under whichever names.

    Args:
        sources: files to read.
        base: the index that they are added to, if any; its relative names are taken from the current folder, too.

    Raises:
        InputError: if the index already holds drawings of a file, or it is named twice.
    """
    held = set(map(_real_path, base.header.sources)) if base else set()
    named: dict[str, str] = {}
    for source in sources:
        if source == STDIN:
            continue
        path = _real_path(source)
        if base and path in held:
            raise InputError(
                f"{base.path}: this index already holds drawings of {source}; append other files, or build it again"
            )
        if path in named:
            raise InputError(f"{source}: expected each file once, found it twice, first as {named[path]}; name it once")
        named[path] = source


def _real_path(source: str) -> str:
    try:
        return os.path.realpath(source)
    except (OSError, ValueError):  # no file can have this name, or the current folder is gone
        return source
