"""What the commands find, and how they say it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sketch_infer import drawing_to_sketch
from sketch_search import SketchIndex, find_suspects
from sketch_search.cli import EXAMPLES, main
from sketch_search.duplicates import are_equal
from sketch_search.pictures import to_picture
from tests import tiny
from tests.search.conftest import LINES, moved
from tests.support import Run

MODEL = ("--model", tiny.WITH_CODES)


def test_a_drawing_finds_itself_first(sketch_search: Run, index_file: Path, drawings: Path) -> None:
    result = sketch_search("query", drawings, *MODEL, "--index", index_file, "-k", 3)
    assert result.exit_code == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["index"] for answer in answers] == list(range(8))
    index = SketchIndex(index_file)
    for row, answer in enumerate(answers):
        assert (answer["source"], len(answer["neighbors"])) == (str(drawings), 3)
        first = answer["neighbors"][0]
        assert set(first) == {"source", "index", "word", "distance"}
        assert first["distance"] == 0
        distances = [neighbor["distance"] for neighbor in answer["neighbors"]]
        bits = np.unpackbits(index.codes ^ index.codes[row], axis=1).sum(axis=1)
        assert distances == sorted(bits.tolist())[:3]


def test_equally_near_drawings_come_in_the_order_of_their_embeddings(index_file: Path) -> None:
    index = SketchIndex(index_file)
    embedding = np.random.default_rng(0).normal(size=16)
    similar = index.embeddings @ embedding / np.linalg.norm(index.embeddings.astype(float), axis=1)
    for code in (*index.codes, *~index.codes):
        bits = np.unpackbits(index.codes ^ code, axis=1).sum(axis=1)
        expected = sorted(range(8), key=lambda row: (bits[row], -similar[row]))
        for k in (1, 3, 8, 9):
            assert [one.position for one in index.nearest(code, embedding, k)] == expected[:k]
    assert len({code.tobytes() for code in index.codes}) < 8, "some are equally near"


def test_the_page_shows_the_query_and_its_neighbors_and_loads_nothing(
    sketch_search: Run, index_file: Path, tmp_path: Path
) -> None:
    hostile = tmp_path / "<b>.ndjson"
    hostile.write_text(json.dumps({"word": "<script>", "drawing": [[[0, 9], [0, 9]]]}) + "\n")
    page = tmp_path / "page.html"
    result = sketch_search(
        "query", hostile, *MODEL, "--index", index_file, "-k", 2, "--html", page, "--format", "table"
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].split() == ["drawing", "rank", "word", "distance", "source", "index"]
    assert len(result.stdout.splitlines()) == 3
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 3
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert "&lt;script&gt;" in text


def test_duplicates_are_moved_by_a_pixel_but_not_mirrored(
    sketch_search: Run, index_file: Path, tmp_path: Path, drawings: Path
) -> None:
    planted = tmp_path / "planted.ndjson"
    planted.write_text(moved(LINES[0], by=1) + moved(LINES[1], by=40) + moved(LINES[3], by=0, mirrored=True) + LINES[5])
    index = SketchIndex(index_file)
    assert len({code.tobytes() for code in index.codes}) > 1
    built = sketch_search("build", planted, *MODEL, "--output", index_file, "--append")
    assert built.exit_code == 0, built.stderr
    page = tmp_path / "page.html"
    result = sketch_search("duplicates", index_file, "--html", page)
    groups = [json.loads(line)["drawings"] for line in result.stdout.splitlines()]
    keys = [[(Path(one["source"]).name, one["index"]) for one in group] for group in groups]
    assert keys == [[("drawings.ndjson", 0), ("planted.ndjson", 0)], [("drawings.ndjson", 5), ("planted.ndjson", 3)]]
    assert page.read_text(encoding="utf-8").count("<svg") == 4
    refused = sketch_search("duplicates", drawings)
    assert refused.exit_code == 2


def test_no_duplicates_are_told_on_a_terminal_and_are_no_lines_of_json(sketch_search: Run, tmp_path: Path) -> None:
    (tmp_path / "two.ndjson").write_text(LINES[0] + LINES[5])
    sketch_search("build", tmp_path / "two.ndjson", *MODEL, "--output", tmp_path / "two.index")
    for format_, told in (("table", "note: no duplicates found\n"), ("jsonl", "")):
        result = sketch_search("duplicates", tmp_path / "two.index", "--format", format_)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", told)


def test_a_reader_that_has_enough_is_no_fault_of_the_page(index_file: Path, drawings: Path, tmp_path: Path) -> None:
    arguments = ["query", drawings, *MODEL, "--index", index_file, "--html", tmp_path / "x.html"]
    command = [sys.executable, "-m", "sketch_search", *map(str, arguments)]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")  # as click ends where a pipe closes


def test_a_part_of_a_drawing_is_not_the_drawing() -> None:
    whole = to_picture(drawing_to_sketch([[[0, 255, 255], [0, 0, 200]], [[20, 30], [150, 160]]]))
    part = whole[:3].copy()
    assert are_equal(whole, whole)
    assert not are_equal(part, whole)
    assert not are_equal(whole, part)


def test_suspects_are_those_among_another_word(sketch_search: Run, tmp_path: Path) -> None:
    wrong = {4: "tree", 21: "sun"}
    words = ["sun"] * 20 + ["tree"] * 20
    lines = [
        json.dumps({"word": wrong.get(row, word), "drawing": json.loads(LINES[0 if word == "sun" else 5])["drawing"]})
        for row, word in enumerate(words)
    ]
    (tmp_path / "labeled.ndjson").write_text("\n".join(lines) + "\n")
    output = tmp_path / "labeled.index"
    built = sketch_search("build", tmp_path / "labeled.ndjson", *MODEL, "--output", output)
    assert built.exit_code == 0, built.stderr
    index = SketchIndex(output)
    if np.array_equal(index.codes[0], index.codes[-1]):
        pytest.fail("the tiny network gives both drawings one code: choose others")
    assert [(one.position, one.suggestion) for one in find_suspects(index, k=10)] == [(4, "sun"), (21, "tree")]
    page = tmp_path / "page.html"
    result = sketch_search("suspects", output, "--limit", 1, "--html", page)
    (record,) = map(json.loads, result.stdout.splitlines())
    assert (record["index"], record["word"], record["suggestion"]) == (4, "tree", "sun")
    assert page.read_text(encoding="utf-8").count("<svg") > 5


def test_suspects_with_near_neighbors_come_first() -> None:
    far, near = 0b1111, 0
    words = np.array([0] * 5 + [0xFFFF] * 5 + [far, near], np.uint16)[:, None]
    header = SimpleNamespace(words=("sun", "tree"), bits=16)
    index = SimpleNamespace(word_numbers=np.array([0] * 5 + [1] * 7), words=words, header=header, path="some.index")
    found = find_suspects(index, k=4)  # type: ignore[arg-type]
    assert [(one.position, one.suggestion, one.distance) for one in found] == [(11, "sun", 0.0), (10, "sun", 4.0)]


def test_a_drawing_is_not_its_own_neighbor(sketch_search: Run, tmp_path: Path) -> None:
    (tmp_path / "two.ndjson").write_text(LINES[0] + LINES[5])
    sketch_search("build", tmp_path / "two.ndjson", *MODEL, "--output", tmp_path / "two.index")
    found = find_suspects(SketchIndex(tmp_path / "two.index"), k=1)
    assert [(one.position, one.suggestion, one.own_share) for one in found] == [(0, "face", 0.0), (1, "bicycle", 0.0)]


def test_suspects_need_two_words(sketch_search: Run, tmp_path: Path) -> None:
    (tmp_path / "cats.ndjson").write_text(LINES[3] * 3)
    sketch_search("build", tmp_path / "cats.ndjson", *MODEL, "--output", tmp_path / "cats.index")
    result = sketch_search("suspects", tmp_path / "cats.index")
    assert result.exit_code == 2
    assert "expected drawings of two words or more, found 1" in result.stderr


def test_info_says_what_an_index_holds(sketch_search: Run, index_file: Path) -> None:
    lines = sketch_search("info", index_file).stdout.splitlines()
    assert lines[0].split() == ["drawings", "8"]
    assert lines[3].split() == ["codes", "16", "bits"]
    assert SketchIndex(index_file).header.model_sha256 in lines[4]


def test_the_list_of_commands_cuts_no_summary(sketch_search: Run) -> None:
    assert "..." not in sketch_search("--help").stdout.partition("Commands:")[2]


def test_every_command_and_option_has_help_and_an_example() -> None:
    for name, command in main.commands.items():
        assert command.help
        assert f"sketch-search {name} " in EXAMPLES
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), (name, parameter.name)
