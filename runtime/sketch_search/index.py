"""An index in memory-mapped form: codes to search, and of each drawing its key, word and picture."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_infer.errors import InputError, reading_errors
from sketch_search.hamming import Codes, Words, as_words, nearest
from sketch_search.layout import NO_WORD, Header, read_header
from sketch_search.pictures import Picture


@dataclass(frozen=True)
class Neighbor:
    """A drawing of an index that was found.

    Attributes:
        position: its row in the index.
        source: the file that it comes from, as it was named when the index was built.
        index: its position in that file.
        word: its label; None if it has none.
        distance: bits in which its code differs from the query's.
    """

    position: int
    source: str
    index: int
    word: str | None
    distance: int


class SketchIndex:
    """An index that `sketch-search build` wrote, mapped into memory and checked.

    Args:
        path: the file.

    Attributes:
        path: the file.
        header: what it says of itself.
        words: the codes as integers, for `hamming.nearest`.
        embeddings: int8 (N, bits), each drawing's embedding in a scale of its own.
        word_numbers: int32 (N,), positions in `header.words`, or -1 for a drawing without a word.

    Raises:
        InputError: if there is no such file, or it is no index, or it is damaged.
        DependencyError: if NumPy is too old.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with reading_errors(self.path), self.path.open("rb") as file:
            self.header: Header = read_header(str(path), file)
            self._bytes = np.asarray(np.memmap(file, np.uint8, "r"))
        self._sections = self.header.sections()
        self._checked: set[str] = set()
        self.codes: Codes = self.section("codes")
        self.words: Words = as_words(self.codes)
        self.embeddings: npt.NDArray[np.int8] = self.section("embeddings")
        self.word_numbers: npt.NDArray[np.int32] = self.section("word_numbers")
        self._source_numbers, self._indices = self.section("source_numbers"), self.section("indices")

    def __len__(self) -> int:
        return self.header.n

    def section(self, name: str) -> npt.NDArray[Any]:
        """Map an array, whose bytes are compared with their hash the first time."""
        section = self._sections[name]
        content = self._bytes[section.offset : section.end]
        if name not in self._checked and hashlib.sha256(content.data).hexdigest() != self.header.sha256[name]:
            raise InputError(f"{self.path}: the {name.replace('_', ' ')} of this index are damaged; build it again")
        values: npt.NDArray[Any] = content.view(section.dtype).reshape(section.shape)
        if name not in self._checked and not self._is_possible(name, values):
            raise InputError(f"{self.path}: the {name.replace('_', ' ')} of this index are impossible; build it again")
        self._checked.add(name)
        return values

    def _is_possible(self, name: str, values: npt.NDArray[Any]) -> bool:
        """Return whether values lead to nothing that is not there."""
        if name == "source_numbers":
            return bool((values < len(self.header.sources)).all())
        if name == "word_numbers":
            return bool(((values >= NO_WORD) & (values < len(self.header.words))).all())
        if name == "picture_ends":
            edges = np.concatenate([np.zeros(1, values.dtype), values])
            return bool((edges[1:] > edges[:-1]).all()) and int(edges[-1]) == self.header.n_points
        return True

    def key(self, position: int) -> tuple[str, int]:
        """Return the file that a drawing comes from, and its position there."""
        return self.header.sources[self._source_numbers[position]], int(self._indices[position])

    def word(self, position: int) -> str | None:
        """Return a drawing's label; None if it has none."""
        number = self.word_numbers[position]
        return None if number == NO_WORD else self.header.words[number]

    def picture(self, position: int) -> Picture:
        """Return a drawing's picture.

        Raises:
            InputError: if the pictures are damaged.
        """
        ends, pictures = self.section("picture_ends"), self.section("pictures")
        start = int(ends[position - 1]) if position else 0
        return pictures[start : int(ends[position])]

    def nearest(self, code: Codes, embedding: npt.NDArray[Any], k: int = 10) -> list[Neighbor]:
        """Find the drawings whose codes differ from a code in the fewest bits.

        Args:
            code: uint8 (bits / 8,), a row of `Predictions.codes` of the model that the index was built with.
            embedding: (bits,), the same row of `Predictions.embeddings`, in any scale.
            k: how many; all if there are fewer.

        Returns:
            the nearest first; of equally near ones, those whose embeddings are the most similar.

        Raises:
            InputError: if the code or the embedding has another number of bits.
        """
        if code.shape != (self.header.bits // 8,) or embedding.shape != (self.header.bits,):
            raise InputError(
                f"{self.path}: expected a code and an embedding of {self.header.bits} bits, found {8 * len(code)} and "
                f"{len(embedding)}"
            )
        positions, distances = nearest(self.words, as_words(code[None])[0], k)
        candidates = self.embeddings[positions].astype(np.float32)
        similarities = candidates @ embedding / np.maximum(np.linalg.norm(candidates, axis=1), 1e-9)
        chosen = np.lexsort((-similarities, distances))[:k]
        found = zip(positions[chosen].tolist(), distances[chosen].tolist(), strict=True)
        return [self.neighbor(position, distance) for position, distance in found]

    def neighbor(self, position: int, distance: int) -> Neighbor:
        """Return a row of the index as what was found."""
        return Neighbor(position, *self.key(position), self.word(position), distance)

    def check_model(self, content_sha256: str, model: object) -> None:
        """Refuse a model whose codes mean something else.

        Args:
            content_sha256: hash of the model's file.
            model: its name, for the message.

        Raises:
            InputError: if the index was built with another model.
        """
        if content_sha256 != self.header.model_sha256:
            raise InputError(
                f"{self.path}: expected the model that it was built with, {self.header.model} "
                f"({self.header.model_sha256[:12]}), found {model} ({content_sha256[:12]}); name that one by --model, "
                "or build the index again"
            )
