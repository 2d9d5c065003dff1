"""Faults planted among real drawings: copies moved by a pixel, mirrored ones, and wrong words."""

import json
from collections.abc import Iterator
from gzip import open as open_gzip
from pathlib import Path
from typing import Any

import numpy as np

from sketch_search import SketchIndex, find_duplicates, find_suspects

Record = dict[str, Any]


def read(folder: Path) -> list[Record]:
    """Return the drawings of all files of a folder as their lines have them."""
    return [json.loads(line) for path in sorted(folder.glob("*.gz")) for line in open_gzip(path)]


def write(path: Path, records: Iterator[Record] | list[Record]) -> Path:
    """Write drawings, one a line."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def moved(record: Record, random: np.random.Generator) -> Record:
    """Move every point by up to a pixel in x and y."""
    drawing = [[_moved(stroke[0], random), _moved(stroke[1], random)] for stroke in record["drawing"]]
    return {**record, "drawing": drawing}


def mirrored(record: Record) -> Record:
    """Turn a drawing's left to its right."""
    return {**record, "drawing": [[[255 - x for x in stroke[0]], stroke[1]] for stroke in record["drawing"]]}


def mislabeled(records: list[Record], share: float, random: np.random.Generator) -> tuple[list[Record], set[int]]:
    """Give a share of the drawings another of the words; return all, and which they are."""
    words = sorted({record["word"] for record in records})
    chosen = set(random.permutation(len(records))[: round(share * len(records))].tolist())
    changed = [
        {**record, "word": random.choice([word for word in words if word != record["word"]])}
        if row in chosen
        else record
        for row, record in enumerate(records)
    ]
    return changed, chosen


def judge_duplicates(index: SketchIndex, n: int, copied: list[int]) -> dict[str, float]:
    """Count what is found.

    Args:
        index: `n` drawings, then a moved copy of each of `copied`, then as many mirrored ones.
        n: drawings before the planted ones.
        copied: positions of the drawings that were copied.
    """
    partner = {n + number: row for number, row in enumerate(copied)}
    groups = find_duplicates(index)
    together = [set(group) for group in groups]
    found = sum(any({copy, row} <= group for group in together) for copy, row in partner.items())
    mirrored_found = sum(position >= n + len(copied) for group in groups for position in group)
    others = sum(sum(position < n for position in group) > 1 for group in groups)
    return {"planted": len(copied), "found": found, "mirrored ones taken for equal": mirrored_found, "others": others}


def judge_suspects(index: SketchIndex, planted: set[int]) -> dict[str, float]:
    """Return the precision where half of the planted labels, and four fifths, are found."""
    hits = np.array([suspect.position in planted for suspect in find_suspects(index)])
    found = hits.cumsum()
    result: dict[str, float] = {"planted": len(planted), "found": int(found[-1]), "listed": len(hits)}
    for recall in (0.5, 0.8):
        needed = int(np.ceil(recall * len(planted)))
        at = int(np.searchsorted(found, needed))
        result[f"precision at {recall:.0%} recall"] = round(needed / (at + 1), 3) if at < len(found) else 0.0
    return result


def _moved(values: list[int], random: np.random.Generator) -> list[int]:
    moved_: list[int] = np.clip(np.array(values) + random.integers(-1, 2, len(values)), 0, 255).tolist()
    return moved_
