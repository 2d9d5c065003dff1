"""Predictions as text or arrays: one writer for each output format."""

import csv
import json
from collections.abc import Sequence
from textwrap import indent
from typing import TYPE_CHECKING, Protocol, TextIO, TypedDict

from sketch_infer.inference.predictions import Predictions
from sketch_infer.readers.sketch import Sketch

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class Candidate(TypedDict):
    """A class and its probability."""

    label: str
    probability: float


NONE_OF_THESE = "none of these"
"""What a reader sees in the place of a rejected sketch's label."""


class Record(TypedDict):
    """One prediction as JSON has it; label and probability repeat the first of `top`; rejected, it has no label."""

    source: str
    index: int
    label: str | None
    probability: float
    top: list[Candidate]


class Writer(Protocol):
    """Takes predictions chunk by chunk, in input order, and completes the output at the end."""

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Add the predictions of these sketches."""

    def finish(self) -> None:
        """Write what can only be written when all predictions are known."""


def to_records(sketches: Sequence[Sketch], predictions: Predictions, top_k: int) -> list[Record]:
    """Return one record a sketch; probabilities carry 6 significant digits, as many as float32 holds for sure."""
    records = []
    rejected = [False] * len(sketches) if predictions.rejected is None else predictions.rejected.tolist()
    for sketch, candidates, refused in zip(sketches, predictions.top_k(top_k), rejected, strict=True):
        top = [Candidate(label=label, probability=float(f"{value:.6g}")) for label, value in candidates]
        label, probability = None if refused else top[0]["label"], top[0]["probability"]
        records.append(Record(source=sketch.source, index=sketch.index, label=label, probability=probability, top=top))
    return records


class JsonWriter:
    """One JSON array of records."""

    def __init__(self, stream: "SupportsWrite[str]", top_k: int) -> None:
        self._stream, self._top_k = stream, top_k
        self._separator = "[\n"

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Write the records."""
        for record in to_records(sketches, predictions, self._top_k):
            self._stream.write(self._separator + indent(json.dumps(record, indent=2), "  "))
            self._separator = ",\n"

    def finish(self) -> None:
        """Close the array."""
        self._stream.write("\n]\n" if self._separator.startswith(",") else "[]\n")


class JsonLinesWriter:
    """One JSON record a line."""

    def __init__(self, stream: "SupportsWrite[str]", top_k: int) -> None:
        self._stream, self._top_k = stream, top_k

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Write the records, all at once."""
        records = to_records(sketches, predictions, self._top_k)
        self._stream.write("".join(json.dumps(record) + "\n" for record in records))

    def finish(self) -> None:
        """Nothing is left to write."""


class CsvWriter:
    """A header, then one row a sketch: source, index, label, probability, label_2, probability_2, ..."""

    def __init__(self, stream: TextIO, top_k: int, classes: Sequence[str]) -> None:
        self._csv, self._top_k = csv.writer(stream, lineterminator="\n"), top_k
        further = range(2, min(top_k, len(classes)) + 1)
        names = [f"{name}_{rank}" for rank in further for name in ("label", "probability")]
        self._csv.writerow(["source", "index", "label", "probability", *names])

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Write the rows."""
        for record in to_records(sketches, predictions, self._top_k):
            further = [value for candidate in record["top"][1:] for value in candidate.values()]
            self._csv.writerow([record["source"], record["index"], record["label"], record["probability"], *further])

    def finish(self) -> None:
        """Nothing is left to write."""


class TableWriter:
    """Columns for a reader at a terminal."""

    def __init__(self, stream: TextIO, top_k: int, classes: Sequence[str], sources: Sequence[str]) -> None:
        self._stream, self._top_k = stream, top_k
        # Known before the first prediction, so that rows can be printed as they come.
        self._source_width = max(map(len, [*sources, "source"]))
        self._label_width = max(map(len, [*classes, NONE_OF_THESE]))
        self._line("source", "index", "label", "probability", "further" if top_k > 1 else "")

    def _line(self, source: str, index: str, label: str, probability: str, further: str) -> None:
        columns = [source.ljust(self._source_width), index.rjust(6), label.ljust(self._label_width)]
        self._stream.write("  ".join([*columns, probability.rjust(11), further]).rstrip() + "\n")

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Write the rows."""
        for record in to_records(sketches, predictions, self._top_k):
            further = ", ".join(f"{other['label']} {other['probability']:.1%}" for other in record["top"][1:])
            index, probability = str(record["index"]), f"{record['probability']:.1%}"
            self._line(record["source"], index, record["label"] or NONE_OF_THESE, probability, further)

    def finish(self) -> None:
        """Nothing is left to write."""
