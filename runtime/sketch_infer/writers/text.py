"""Predictions as text or arrays: one writer for each output format."""

import csv
import json
from collections.abc import Sequence
from textwrap import indent
from typing import TYPE_CHECKING, Protocol, TextIO, TypedDict

from sketch_infer.inference.predictions import Predictions
from sketch_infer.readers.sketch import Sketch
from sketch_infer.tables import pad, shorten, text_width
from sketch_infer.untrusted import csv_cell, one_line

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class Candidate(TypedDict):
    """A class and its probability."""

    label: str
    probability: float


NONE_OF_THESE = "none of these"
"""What a reader sees in the place of a rejected sketch's label."""


class Record(TypedDict):
    """One prediction as JSON has it; label and probability repeat the first of `top`; rejected, it has no label.

    `aspect` is the drawing's width / height, which the network does not see; 1 where it is not known.
    """

    source: str
    index: int
    label: str | None
    probability: float
    top: list[Candidate]
    aspect: float


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
        records.append(
            Record(
                source=sketch.source,
                index=sketch.index,
                label=label,
                probability=probability,
                top=top,
                aspect=float(f"{sketch.aspect:.4g}"),
            )
        )
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
    """A header, then one row a sketch: source, index, label, probability, label_2, probability_2, ...

    No cell is a formula to a spreadsheet.
    """

    def __init__(self, stream: TextIO, top_k: int, classes: Sequence[str]) -> None:
        self._csv, self._top_k = csv.writer(stream, lineterminator="\n"), top_k
        further = range(2, min(top_k, len(classes)) + 1)
        names = [f"{name}_{rank}" for rank in further for name in ("label", "probability")]
        self._csv.writerow(["source", "index", "label", "probability", *names])

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Write the rows."""
        for record in to_records(sketches, predictions, self._top_k):
            cells: list[object] = [csv_cell(record["source"]), record["index"]]
            cells += [record["label"] and csv_cell(record["label"]), record["probability"]]
            for candidate in record["top"][1:]:
                cells += [csv_cell(candidate["label"]), candidate["probability"]]
            self._csv.writerow(cells)

    def finish(self) -> None:
        """Nothing is left to write."""


class TableWriter:
    """Columns for a reader at a terminal.

    Args:
        stream: where to write.
        top_k: classes to name a sketch.
        classes: all class names.
        sources: names of the inputs.
        width: columns that a line may take, as a terminal has them: of a longer name the end is shown, and only as
            many further classes as fit. None for no limit.
    """

    def __init__(
        self, stream: TextIO, top_k: int, classes: Sequence[str], sources: Sequence[str], width: int | None = None
    ) -> None:
        self._stream, self._top_k, self._width = stream, top_k, width
        # Known before the first prediction, so that rows can be printed as they come.
        names = [one_line(source) for source in sources]
        self._source_width = max(map(text_width, [*names, "source"]))
        if width is not None:
            self._source_width = min(self._source_width, max(len("source"), width // 3))
        self._label_width = max(map(text_width, [*classes, NONE_OF_THESE]))
        self._line("source", "index", "label", "probability", ["further"] if top_k > 1 else [])

    def _line(self, source: str, index: str, label: str, probability: str, further: Sequence[str]) -> None:
        source = pad(shorten(source, self._source_width), self._source_width)
        line = "  ".join([source, index.rjust(6), pad(label, self._label_width), probability.rjust(11)])
        for number, other in enumerate(further):
            longer = f"{line}{', ' if number else '  '}{other}"
            if self._width is not None and text_width(longer) > self._width:
                break
            line = longer
        self._stream.write(line.rstrip() + "\n")

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Write the rows."""
        for record in to_records(sketches, predictions, self._top_k):
            further = [f"{other['label']} {other['probability']:.1%}" for other in record["top"][1:]]
            index, probability = str(record["index"]), f"{record['probability']:.1%}"
            self._line(one_line(record["source"]), index, record["label"] or NONE_OF_THESE, probability, further)

    def finish(self) -> None:
        """Nothing is left to write."""
