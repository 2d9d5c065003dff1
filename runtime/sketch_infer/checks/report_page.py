"""A report as one HTML page that needs nothing else: no script, no font, no other file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sketch_infer.atomic import write_atomically
from sketch_infer.checks.parity.report import HISTOGRAM_EDGES, ParityReport
from sketch_infer.checks.report import Report, SketchAnswer
from sketch_infer.html.page import page_head
from sketch_infer.html.sketch_svg import sketch_svg
from sketch_infer.untrusted import html_text


def to_html(report: Report) -> str:
    """Return the page: the verdict first, then what it rests on."""
    sections = [
        ("Checks", _checks(report)),
        ("Parity with eager PyTorch", _parity(report.parity) if report.parity is not None else ""),
        ("Differences", _histogram(report.parity) if report.parity is not None else ""),
        *((table.title, _table(table.header, table.rows, table.marked)) for table in report.tables),
        ("Probes: eager PyTorch and ONNX Runtime", _sketches(report.sketches)),
        ("Found", _table((), tuple(report.facts.items()))),
        ("Versions", _table((), tuple(report.versions.items())) if report.versions else ""),
    ]
    body = "\n".join(f"<h2>{html_text(title)}</h2>\n{content}" for title, content in sections if content)
    kind = "good" if report else "bad"
    return f"""{page_head(report.title, ("report.css",))}\
<p class="verdict {kind}"><span>{html_text(report.summary)}</span></p>
{body}
</body>
</html>
"""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], marked: frozenset[int] = frozenset()) -> str:
    head = f"<tr>{''.join(f'<th>{html_text(cell)}</th>' for cell in header)}</tr>\n" if header else ""
    lines = []
    for number, row in enumerate(rows):
        kind = ' class="marked"' if number in marked else ""
        lines.append(f"<tr{kind}>{''.join(f'<td>{html_text(cell)}</td>' for cell in row)}</tr>")
    return f'<div class="wide"><table>\n{head}{chr(10).join(lines)}\n</table></div>'


def _checks(report: Report) -> str:
    failed = frozenset(number for number, check in enumerate(report.checks) if not check)
    rows = [(check.name, "ok" if check else "FAIL", check.found) for check in report.checks]
    return _table(("", "", "found"), rows, failed) if rows else ""


def _parity(parity: ParityReport) -> str:
    # A telephone shows the first columns, so the verdict is among them.
    header = (
        "case",
        "output",
        "/ scale",
        "",
        "tolerance",
        "largest difference",
        "top-1",
        "shape of eager",
        "shape of ONNX",
    )
    rows = [
        (
            row.case,
            row.output,
            f"{row.max_scaled:.1e}",
            row.problem or "ok",
            f"{row.tolerance:.0e}",
            f"{row.max_abs:.1e}",
            f"{row.top1_agreement:.2%}",
            f"{row.eager_shape} {row.eager_dtype}",
            f"{row.onnx_shape} {row.onnx_dtype}",
        )
        for row in parity.rows
    ]
    return _table(header, rows, frozenset(number for number, row in enumerate(parity.rows) if not row))


def _histogram(parity: ParityReport) -> str:
    """Draw how many output values differ by how much, all cases together, a bar a decade."""
    counts = [sum(bins) for bins in zip(*(row.histogram for row in parity.rows if row.histogram), strict=True)]
    if not counts:
        return ""
    total = sum(counts)
    height, width, left = 160, 54, 10
    bars = []
    names = ["< 1e-9", *(f"{edge:.0e}" for edge in HISTOGRAM_EDGES[1:-1])]
    for number, (count, name) in enumerate(zip(counts, names, strict=True)):
        x, tall = left + number * width, height * count / max(counts)
        bars.append(
            f'<rect x="{x}" y="{20 + height - tall:.1f}" width="{width - 8}" height="{tall:.1f}" fill="var(--bar)"/>'
            f'<text x="{x + (width - 8) / 2}" y="{16 + height - tall:.1f}" text-anchor="middle">'
            f"{f'{count / total:.1%}' if count else ''}</text>"
            f'<text x="{x + (width - 8) / 2}" y="{height + 36}" text-anchor="middle">{html_text(name)}</text>'
        )
    across, down = left * 2 + len(counts) * width, height + 44
    return (
        f"<p>Share of {total:,} output values by |ONNX - eager| in units of the row's scale. The bar 1e-08 counts "
        f'values from 1e-08 to 1e-07.</p>\n<div class="wide"><svg viewBox="0 0 {across} {down}" width="{across}" '
        f'font-size="11" fill="currentColor" role="img" aria-label="histogram of differences">'
        f"{''.join(bars)}</svg></div>"
    )


def _sketches(sketches: Sequence[SketchAnswer]) -> str:
    if not sketches:
        return ""
    figures = []
    for sketch in sketches:
        rows = [
            (eager[0], f"{eager[1]:.1%}", onnx[0], f"{onnx[1]:.1%}")
            for eager, onnx in zip(sketch.eager, sketch.onnx, strict=True)
        ]
        differs = [eager[0] for eager in sketch.eager] != [onnx[0] for onnx in sketch.onnx]
        table = _table(("eager", "", "ONNX", ""), rows, frozenset({0}) if differs else frozenset())
        caption = f"<figcaption>{html_text(sketch.name)}</figcaption>"
        figures.append(f"<figure>{sketch_svg(sketch.strokes)}<div>{caption}{table}</div></figure>")
    return f'<div class="sketches">\n{chr(10).join(figures)}\n</div>'


def write_report(report: Report, path: Path) -> None:
    """Write a report as JSON or as one self-contained HTML page, by the suffix of its path.

    Raises:
        OutputError: if it cannot be written.
    """
    text = to_html(report) if path.suffix == ".html" else report.to_json() + "\n"
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
