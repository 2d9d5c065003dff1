import base64
import hashlib
import io
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import numpy as np
import pytest

from sketch_infer.errors import OutputError
from sketch_infer.html.sketch_svg import sketch_svg
from sketch_infer.inference.predictions import Predictions
from sketch_infer.readers.sketch import Sketch
from sketch_infer.writers.gallery import MAX_SKETCHES, GalleryWriter

CLASSES = ("ant", "bee", "cat", "dog", "eel", "fox")
SQUARE = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 1]], np.float32)


class Page(HTMLParser):
    """The elements of a page, each with its attributes and the text in it; a tag out of place fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self._elements.append((tag, dict(attrs), []))
        if tag not in ("meta", "input"):
            self._open.append(self._elements[-1])

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, _, texts in self._open:
            texts.append(data)

    def find(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, "".join(texts)) for name, attributes, texts in self._elements if name == tag]


def predictions(answers: Sequence[int], first: float = 0.6, second: float = 0.25) -> Predictions:
    """Answers at `first`; the class after it follows at `second`, then the others, less likely the further."""
    n = len(CLASSES)
    shares = np.array([first, second, *(1 - first - second) * np.arange(n - 2, 0, -1) / ((n - 2) * (n - 1) / 2)])
    log_probs = np.log([np.roll(shares, answer) for answer in answers]).astype(np.float32)
    return Predictions(log_probs, log_probs, CLASSES)


def sketches(labels: Sequence[str | None], source: str = "some/in.ndjson") -> list[Sketch]:
    return [Sketch(source, index, SQUARE, label) for index, label in enumerate(labels)]


def page_of(*chunks: tuple[Sequence[Sketch], Predictions], top_k: int = 5) -> str:
    stream = io.StringIO()
    writer = GalleryWriter(stream, top_k, CLASSES)
    for chunk in chunks:
        writer.write(*chunk)
    writer.finish()
    return stream.getvalue()


def facts(page: Page) -> dict[str, str]:
    return dict(zip([text for _, text in page.find("dt")], [text for _, text in page.find("dd")], strict=True))


def test_a_card_says_what_the_network_and_the_input_say() -> None:
    page = Page(page_of((sketches(["ant", "cat"]), predictions([0, 0]))))
    (right, right_text), (wrong, wrong_text) = page.find("article")
    assert right == {"data-label": "ant", "data-answer": "ant", "data-margin": "0.350"}
    assert wrong == {"data-label": "cat", "data-answer": "ant", "data-margin": "0.350"}
    assert right_text.split()[:4] == ["ant", "60.0%", "✓", "right"]
    assert wrong_text.split()[:5] == ["ant", "60.0%", "✗", "is:", "cat"]
    assert wrong_text.endswith("in.ndjson #1 margin 0.350\n")
    bars = page.find("li")[5:]
    assert [text for _, text in bars] == ["ant60.0%", "bee25.0%", "cat6.0%", "dog4.5%", "eel3.0%"]
    assert bars[0][0] == {"style": "--p:60.0"}
    assert [text for attributes, text in bars if "class" in attributes] == ["cat6.0%"]
    assert facts(page)["Top-1"] == "50.0%1 of 2"


def test_bars_are_as_many_as_asked_for_but_five_at_most() -> None:
    for top_k in (1, 3, 9):
        page = Page(page_of((sketches(["eel"]), predictions([0])), top_k=top_k))
        assert len(page.find("li")) == min(top_k, 5)
        assert facts(page)["Top-5"] == "100.0%1 of 1"
        assert page.find("article")[0][0]["data-margin"] == "0.350"


def test_the_matrix_counts_as_numpy_does() -> None:
    random = np.random.default_rng(0)
    labels, answers = random.integers(0, 5, 300), random.integers(1, 6, 300)
    given = sketches([CLASSES[label] for label in labels])
    chunks = [
        (given[start : start + 70], predictions(answers[start : start + 70].tolist())) for start in range(0, 300, 70)
    ]
    page = Page(page_of(*chunks))
    expected = np.zeros((6, 6), int)
    np.add.at(expected, (labels, answers), 1)
    heads = [attributes["data-name"] for attributes, _ in page.find("th") if "data-name" in attributes]
    assert heads == [*CLASSES[1:], *CLASSES[:5]]  # columns, then rows: only those that occur
    cells = [text for _, text in page.find("td")]
    found = np.array([int(cell or 0) if "%" not in cell else -1 for cell in cells]).reshape(5, 6)
    np.testing.assert_array_equal(found[:, :5], expected[:5, 1:])
    hits = int(np.trace(expected))
    in_top5 = int(np.sum((labels - answers) % 6 < 5))
    assert facts(page)["Top-1"] == f"{hits / 300:.1%}{hits} of 300"
    assert facts(page)["Top-5"] == f"{in_top5 / 300:.1%}{in_top5} of 300"
    assert facts(page)["Wrong"] == str(300 - hits)
    assert [text for _, text in page.find("option")][:2] == ["any", f"ant ({np.sum(labels == 0)})"]


def test_without_labels_there_is_no_matrix_and_no_filter_for_wrong_ones() -> None:
    page = Page(page_of((sketches([None, ""]), predictions([0, 1]))))
    assert not page.find("table")
    assert not any({"data-label"} & attributes.keys() for attributes, _ in page.find("article"))
    assert not any("✓" in text or "✗" in text for _, text in page.find("article"))
    assert facts(page) == {"Sketches": "2", "Uncertain (margin below 0.2)": "0"}
    assert [attributes["value"] for attributes, _ in page.find("input")] == ["all", "low", "0.2"]
    assert [attributes["name"] for attributes, _ in page.find("select")] == ["answer", "sort"]


def test_unlabelled_sketches_do_not_count_as_wrong() -> None:
    page = Page(page_of((sketches(["ant", None, "bee"]), predictions([0, 0, 0]))))
    assert facts(page)["Sketches"] == "32 with a known class"
    assert facts(page)["Top-1"] == "50.0%1 of 2"
    assert facts(page)["Wrong"] == "1"
    assert "ant (3)" in [text for _, text in page.find("option")]


def test_a_label_that_is_no_class_is_wrong_and_has_a_row() -> None:
    page = Page(page_of((sketches(["zebra", "ant"]), predictions([0, 0]))))
    assert "✗ is: zebra, not a class" in page.find("article")[0][1]
    rows = [text for attributes, text in page.find("th") if attributes.get("scope") == "row"]
    assert rows == ["ant", "zebra (not a class)"]
    assert facts(page)["Top-1"] == facts(page)["Top-5"] == "50.0%1 of 2"


def test_a_margin_that_shows_as_the_limit_is_not_low() -> None:
    given = [(sketches(["ant"]), predictions([0], 0.4, 0.4 - margin)) for margin in (0.1994, 0.1997, 0.19)]
    page = Page(page_of(*given))
    assert [attributes["data-margin"] for attributes, _ in page.find("article")] == ["0.199", "0.200", "0.190"]
    assert facts(page)["Uncertain (margin below 0.2)"] == "2"


def test_the_input_cannot_write_into_the_page() -> None:
    evil = "\"'></article><script>alert(1)</script>&amp;"
    page = Page(page_of((sketches([evil, evil], source='a"/<script>&amp;.npy'), predictions([0, 1]))))
    assert len(page.find("script")) == 1
    assert [attributes["data-label"] for attributes, _ in page.find("article")] == [evil, evil]
    assert f"✗ is: {evil}" in page.find("article")[0][1]
    title = next(attributes["title"] for attributes, _ in page.find("span") if "title" in attributes)
    assert (title, page.find("footer")[0][1][:18]) == ('a"/<script>&amp;.npy', "<script>&amp;.npy ")
    assert evil in [attributes["value"] for attributes, _ in page.find("option")]


def test_the_page_loads_nothing_and_runs_its_own_script_only() -> None:
    text = page_of((sketches(["ant"]), predictions([0])))
    loaders = re.findall(r"https?:|[^\n]//|src=|url\(|@import|<(?:link|img|iframe|object|base)|fetch\(|import\(", text)
    assert not loaders
    (script,) = (content for _, content in Page(text).find("script"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text


def test_no_sketches_are_a_page_too() -> None:
    page = Page(page_of())
    assert facts(page)["Sketches"] == "0"
    assert page.find("p")[0] == ({"id": "none"}, "No sketches.")


def test_more_sketches_than_a_browser_bears_are_refused() -> None:
    writer = GalleryWriter(io.StringIO(), 5, CLASSES)
    for size in (MAX_SKETCHES - 1, 1):
        writer.write(sketches(["ant"] * size), predictions([0] * size))
    with pytest.raises(OutputError, match=r"^expected at most 20,000 sketches .* write a \.jsonl file$"):
        writer.write(sketches(["ant"]), predictions([0]))


def test_a_card_is_small() -> None:
    strokes = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    given = [Sketch("drawings.ndjson", index, strokes, "ant") for index in range(100)]
    text = page_of((given, predictions([0] * 100)))
    assert (len(text) - len(page_of())) / 100 < 1500
    assert "content-visibility: auto" in text


def test_a_sketch_is_drawn_with_its_aspect_and_without_its_padding() -> None:
    page = page_of(([Sketch("in.npy", 0, SQUARE, None, 0.5)], predictions([0])))
    assert 'd="M27.0 6.0L69.0 6.0L69.0 90.0L27.0 90.0L27.0 6.0"' in page
    assert 'd="M6.0 27.0L90.0 27.0L90.0 69.0L6.0 69.0L6.0 27.0"' in sketch_svg(SQUARE, aspect=2.0)
    assert sketch_svg(np.concatenate([SQUARE, np.zeros((99, 3), np.float32)])) == sketch_svg(SQUARE)
    assert "M6.0 48.0h0" in sketch_svg(np.array([[1, 0, 1], [-1, 0, 1]], np.float32))
