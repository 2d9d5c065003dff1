"""Arrange Quick, Draw! drawings in the folders that the 345-class network is trained on and judged by.

    python models/prepare_quickdraw.py DIR OUT

DIR holds `train`, `val` and `test` (some classes), `extra` (other classes) and `more` (further drawings of any
class), each with one CLASS.ndjson.gz per class. OUT gets `train`, `val` and `test` with every class, and `train`
once more in two parts, `known`, the classes that DIR has splits of, and `others`. The classes of
`extra` have no splits of their own: of each, the 25 drawings whose key_id has the smallest hash are for test and the
next 25 for val, so that everyone gets the same splits. A drawing without a key_id is never held out. Of `more`, at
most 2,000 drawings per class are read, and none that stands in another folder, by key_id or by its points.
`scribbles` gets 2,000 drawings of nothing, made by a seeded walk: what `--reject` should refuse.
"""

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from sketch_infer.strokes.simplify import simplify_drawing

HELD_OUT = 25
MOST_MORE = 2_000
SCRIBBLES = 2_000

Record = dict[str, Any]


def read(file: Path) -> list[Record]:
    """Return the drawings of a file, none if it is missing."""
    if not file.exists():
        return []
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def write(file: Path, records: list[Record]) -> None:
    """Write drawings in a file whose bytes depend on nothing else."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n" for record in records)
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


def identities(record: Record) -> Iterator[str]:
    """Yield what tells a drawing from others: its points, and its key_id if it has one."""
    yield json.dumps([stroke[:2] for stroke in record["drawing"]])
    if record.get("key_id") is not None:
        yield f"key_id {record['key_id']}"


def order(record: Record) -> str:
    """Return a hash that puts drawings in an order of no meaning."""
    return hashlib.blake2b(list(identities(record))[-1].encode()).hexdigest()


def split(records: list[Record]) -> tuple[list[Record], list[Record], list[Record]]:
    """Split the drawings of a class into train, val and test."""
    ranked = sorted((record for record in records if record.get("key_id") is not None), key=order)
    test, val = ranked[:HELD_OUT], ranked[HELD_OUT : 2 * HELD_OUT]
    held = {identity for record in test + val for identity in identities(record)}
    return [record for record in records if held.isdisjoint(identities(record))], val, test


def scribble(random: np.random.Generator) -> list[list[list[int]]]:
    """Return a drawing of one to five strokes that wander: each turns by a random walk, and starts where it likes."""
    strokes = []
    for _ in range(random.integers(1, 6)):
        turns = random.normal(random.normal(0, 0.1), random.uniform(0.05, 0.6), random.integers(10, 120))
        heading = random.uniform(0, 2 * np.pi) + turns.cumsum()
        walk = random.uniform(0, 100, (2, 1)) + random.uniform(2, 6) * np.cumsum([np.cos(heading), np.sin(heading)], 1)
        strokes.append(walk.tolist())
    return simplify_drawing(strokes)


def main(source: Path, target: Path) -> None:
    """Write the folders of `target`."""
    names = {
        folder: sorted(file.name for file in (source / folder).glob("*.ndjson.gz")) for folder in ("train", "extra")
    }
    splits = {name: tuple(read(source / part / name) for part in ("train", "val", "test")) for name in names["train"]}
    splits |= {name: split(read(source / "extra" / name)) for name in names["extra"]}
    known = {
        identity for parts in splits.values() for part in parts for record in part for identity in identities(record)
    }
    digest, sizes = hashlib.sha256(), [0, 0, 0]
    for name, (train, val, test) in sorted(splits.items()):
        more = [record for record in read(source / "more" / name) if known.isdisjoint(identities(record))]
        parts = (train + sorted(more, key=order)[:MOST_MORE], val, test)
        for number, part in enumerate(("train", "val", "test")):
            write(target / part / name, parts[number])
            sizes[number] += len(parts[number])
        write(target / ("known" if name in names["train"] else "others") / name, parts[0])
        digest.update("".join(f"{name} {record['key_id']}\n" for record in [*val, *test]).encode())
    random = np.random.default_rng(0)
    drawings = [{"word": "scribble", "drawing": scribble(random)} for _ in range(SCRIBBLES)]
    write(target / "scribbles" / "scribble.ndjson.gz", drawings)
    click.echo(f"{len(splits)} classes; {sizes[0]} drawings in train, {sizes[1]} in val, {sizes[2]} in test")
    click.echo(f"sha256 of the key_ids of val and test: {digest.hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
