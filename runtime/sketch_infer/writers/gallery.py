"""A gallery: one HTML page of all drawings with their answers, complete in itself."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from sketch_infer.errors import OutputError
from sketch_infer.html.page import page_head, read_asset
from sketch_infer.html.sketch_svg import sketch_svg
from sketch_infer.inference.predictions import Predictions
from sketch_infer.readers.files import STDIN
from sketch_infer.readers.sketch import Sketch
from sketch_infer.untrusted import html_text
from sketch_infer.writers.text import NONE_OF_THESE

LOW_MARGIN = 0.2
"""Margins below it, between the most likely class and the next one, count as low."""

MAX_SKETCHES = 20_000
"""Sketches on a page; browsers grow slow beyond."""

_BARS = 5


class GalleryWriter:
    """Cards of the sketches as they come, then accuracy, confusion matrix and filters, which the page shows above them.

    In memory stay counts only. The text of a sketch's card takes about 1.3 kB.
    """

    def __init__(self, stream: TextIO, top_k: int, classes: Sequence[str]) -> None:
        self._stream, self._bars, self._classes = stream, min(top_k, _BARS), tuple(classes)
        self._counts: Counter[tuple[str | None, str]] = Counter()
        self._in_top5 = self._low = 0
        self._script = read_asset("gallery.js")
        stream.write(page_head("Sketches and predictions", ("gallery.css", "matrix.css"), self._script))
        stream.write('<main id="cards">\n')

    def write(self, sketches: Sequence[Sketch], predictions: Predictions) -> None:
        """Write the cards.

        Raises:
            OutputError: if there are too many sketches for a page.
        """
        if self._counts.total() + len(sketches) > MAX_SKETCHES:
            raise OutputError(
                f"expected at most {MAX_SKETCHES:,} sketches for an .html page, found more; write a .jsonl file"
            )
        rejected = [False] * len(sketches) if predictions.rejected is None else predictions.rejected.tolist()
        for sketch, candidates, refused in zip(sketches, predictions.top_k(max(_BARS, 2)), rejected, strict=True):
            answer = NONE_OF_THESE if refused else candidates[0][0]
            label = sketch.label or None  # an empty word says as little as none
            # As many digits as the card shows, so that the counts here and the filters of the page agree.
            margin = round(candidates[0][1] - (candidates[1][1] if len(candidates) > 1 else 0.0), 3)
            self._counts[label, answer] += 1
            self._in_top5 += label in [name for name, _ in candidates]
            self._low += margin < LOW_MARGIN
            self._stream.write(_card(sketch, label, answer, candidates[: self._bars], margin, label in self._classes))

    def finish(self) -> None:
        """Write what rests on all sketches, and the script."""
        total = self._counts.total()
        confusion: Counter[tuple[str, str]] = Counter()
        answers: Counter[str] = Counter()
        for (label, answer), count in self._counts.items():
            answers[answer] += count
            if label is not None:
                confusion[label, answer] += count
        labels = self._ordered(label for label, _ in confusion)
        n_labeled = confusion.total()
        n_right = sum(confusion[label, label] for label in labels)
        facts = [("Sketches", f"{total:,}", f"{n_labeled:,} with a known class" if 0 < n_labeled < total else "")]
        if n_labeled:
            for name, hits in (("Top-1", n_right), ("Top-5", self._in_top5)):
                facts.append((name, f"{hits / n_labeled:.1%}", f"{hits:,} of {n_labeled:,}"))
            facts.append(("Wrong", f"{n_labeled - n_right:,}", ""))
        facts.append((f"Uncertain (margin below {LOW_MARGIN})", f"{self._low:,}", ""))
        columns = self._ordered(answer for _, answer in confusion)
        sums = {label: sum(confusion[label, column] for column in columns) for label in labels}
        parts = [
            f'<p id="none"{" hidden" if total else ""}>No sketches.</p>\n</main>\n<section id="summary">',
            _facts(facts),
            '<p class="note">Margin: the probability of the most likely class minus that of the second.</p>',
            _matrix(confusion, sums, columns, self._classes) if n_labeled else "",
            "</section>",
            _filters(sums, {answer: answers[answer] for answer in self._ordered(answers)}),
            f'<script type="module">{self._script}</script>\n</body>\n</html>\n',
        ]
        self._stream.write("\n".join(parts))

    def _ordered(self, names: Iterable[str]) -> list[str]:
        """Return each name once: the classes in their order, then other words in that of the input."""
        position = {name: number for number, name in enumerate(self._classes)}
        return sorted(dict.fromkeys(names), key=lambda name: position.get(name, len(position)))


def _card(
    sketch: Sketch, label: str | None, answer: str, top: Sequence[tuple[str, float]], margin: float, known: bool
) -> str:
    data, mark = "", ""
    if label is not None:
        data = f'data-label="{html_text(label)}" '
        mark = f'<p class="bad">✗ is: {html_text(label)}{"" if known else ", not a class"}</p>\n'
        if label == answer:
            mark = '<p class="good">✓ right</p>\n'
    bars = "".join(
        f'<li{" class=true" if name == label else ""} style="--p:{value * 100:.1f}"><span>{html_text(name)}</span>'
        f"<b>{value:.1%}</b></li>"
        for name, value in top
    )
    name = "standard input" if sketch.source == STDIN else Path(sketch.source).name
    title = f' title="{html_text(sketch.source)}"' if name != sketch.source else ""
    return (
        f'<article {data}data-answer="{html_text(answer)}" data-margin="{margin:.3f}">\n'
        f"{sketch_svg(sketch.strokes, aspect=sketch.aspect)}\n"
        f"<div><h3>{html_text(answer)} <span>{top[0][1]:.1%}</span></h3>\n{mark}<ol>{bars}</ol></div>\n"
        f"<footer><span{title}>{html_text(name)} #{sketch.index}</span> <span>margin {margin:.3f}</span></footer>\n"
        "</article>\n"
    )


def _facts(facts: Iterable[tuple[str, str, str]]) -> str:
    items = (
        f"<div><dt>{name}</dt><dd>{value}{f'<small>{detail}</small>' if detail else ''}</dd></div>"
        for name, value, detail in facts
    )
    return f'<dl class="facts">{"".join(items)}</dl>'


def _matrix(
    confusion: Counter[tuple[str, str]], sums: dict[str, int], columns: Sequence[str], classes: Sequence[str]
) -> str:
    """Return the table of true classes (rows) and predictions (columns); `sums` holds the sketches of each class."""
    head = "".join(
        f'<th scope="col" data-name="{html_text(name)}"><span>{html_text(name)}</span></th>' for name in columns
    )
    rows = []
    for label, total in sums.items():
        cells = []
        for column in columns:
            count, hit = confusion[label, column], column == label
            # A few mistakes are to be seen beside many right ones, and the digits to be read on the darkest cell.
            shade = 0.1 + (0.4 * count / total if hit else 0.5 * (count / total) ** 0.5)
            kind = " class=hit" if hit else ""
            cells.append(f'<td{kind} style="--s:{shade:.2f}">{count}</td>' if count else "<td></td>")
        note = "" if label in classes else " (not a class)"
        right = f"<td>{confusion[label, label] / total:.0%} of {total:,}</td>"
        name = html_text(label)
        rows.append(f'<tr><th scope="row" data-name="{name}">{name}{note}</th>{"".join(cells)}{right}</tr>')
    return (
        '<details open><summary><h2>Confusion matrix</h2></summary>\n<p class="note">Rows are true classes, columns '
        'are predictions; blue is right, red is wrong.</p>\n<div class="matrix" tabindex="0" role="region" '
        'aria-label="Confusion matrix"><table>\n'
        f"<thead><tr><th>true class</th>{head}<th>right</th></tr></thead>\n<tbody>"
        f"{chr(10).join(rows)}</tbody>\n</table></div></details>"
    )


def _filters(labels: dict[str, int], answers: dict[str, int]) -> str:
    """Return the filters; the script shows them, because it makes them work."""
    shows = [("all", "all"), *([("wrong", "wrong")] if labels else []), ("low", "margin below")]
    radios = "".join(
        f'<label><input type="radio" name="show" value="{value}"{" checked" if value == "all" else ""}>{text}</label>'
        for value, text in shows
    )
    selects = (_select("label", "true class", labels) if labels else "") + _select("answer", "prediction", answers)
    return (
        f'<section id="filters" aria-label="Filters" hidden><fieldset><legend>Show</legend>{radios}'
        f'<label><input type="range" id="margin" aria-label="highest margin" min="0.01" max="1" step="0.01" '
        f'value="{LOW_MARGIN}"><output id="threshold">{LOW_MARGIN:.2f}</output></label></fieldset>{selects}'
        '<label>sort <select name="sort"><option value="">as in the input</option><option value="margin">least sure '
        'first</option></select></label><button type="button" id="reset">Reset</button>'
        '<output id="shown" aria-live="polite"></output></section>'
    )


def _select(name: str, title: str, counts: dict[str, int]) -> str:
    options = "".join(
        f'<option value="{html_text(word)}">{html_text(word)} ({count:,})</option>' for word, count in counts.items()
    )
    return f'<label>{title} <select name="{name}"><option value="">any</option>{options}</select></label>'
