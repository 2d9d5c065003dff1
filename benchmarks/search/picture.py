"""Draw docs/images/search.svg: sample drawings and their nearest neighbors among the 2,003 committed drawings."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from benchmarks.search.__main__ import DATA, ROOT, run
from sketch_infer import Classifier, read_sketches
from sketch_infer.html.sketch_svg import sketch_svg
from sketch_infer.untrusted import html_text
from sketch_search import SketchIndex
from sketch_search.encode import DEFAULT_MODEL
from sketch_search.pictures import Picture, to_picture, to_strokes

QUERIES = ROOT / "runtime" / "samples" / "drawings.ndjson"
CHOSEN = (0, 1, 3, 5)
NEIGHBORS = 6
CELL, LABEL = 96, 20


def draw(rows: Sequence[Sequence[tuple[Picture, str]]]) -> str:
    """Return rows of drawings with a line of text below each; the first of a row is set apart."""
    width, height = CELL * len(rows[0]) + 16, (CELL + LABEL) * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12" text-anchor="middle">',
        "<style>.sketch { fill: none; stroke: #1f2328; stroke-width: 1.5; stroke-linejoin: round }</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<rect width="{CELL}" height="{height}" fill="#f4f4f1"/>',
    ]
    for row, cells in enumerate(rows):
        y = row * (CELL + LABEL)
        for column, (picture, text) in enumerate(cells):
            x = column * CELL + (16 if column else 0)
            image = sketch_svg(to_strokes(picture), CELL)
            parts.append(image.replace("<svg ", f'<svg x="{x}" y="{y}" width="{CELL}" height="{CELL}" ', 1))
            parts.append(f'<text x="{x + CELL / 2:g}" y="{y + CELL + 10}" fill="#1f2328">{html_text(text)}</text>')
    return "\n".join([*parts, "</svg>\n"])


@click.command()
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Model with codes.")
def main(model: str) -> None:
    """Build the index, ask it, and draw what it answers."""
    with tempfile.TemporaryDirectory() as folder:
        run("build", DATA, "--model", model, "--output", Path(folder) / "test.index", "--quiet")
        index = SketchIndex(Path(folder) / "test.index")
        queries = [sketch for sketch in read_sketches(str(QUERIES)) if sketch.index in CHOSEN]
        answers = Classifier(model, codes=True).predict([query.strokes for query in queries])
        rows = []
        for query, code, embedding in zip(queries, *map(np.asarray, (answers.codes, answers.embeddings)), strict=True):
            found = index.nearest(code, embedding, NEIGHBORS)
            cells = [(index.picture(one.position), f"{one.word}, {one.distance}") for one in found]
            rows.append([(to_picture(query.strokes, query.aspect), query.label or ""), *cells])
    (ROOT / "docs" / "images" / "search.svg").write_text(draw(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
