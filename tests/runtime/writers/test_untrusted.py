"""Text of others cannot command a terminal, compute in a spreadsheet or mark up a page, wherever it comes from."""

import csv
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sketch_infer import InputError, OutputError
from sketch_infer.model.labels import check_labels, read_labels
from sketch_infer.tables import format_table, shorten, text_width
from sketch_infer.untrusted import csv_cell, html_text, one_line
from tests import tiny
from tests.support import SAMPLES, Run

BELL = "\x1b]0;title\x07"
LINE = '{"word": "ant", "drawing": [[[0, 9, 5], [0, 5, 9]]]}\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, Grüße, 猫, 🐱", None),
        (f"{BELL}\n\r\t\x9b2J", r"\x1b]0;title\x07\n\r\t\x9b2J"),
        ("txt.exe\u202egpj", r"txt.exe\u202egpj"),
        ("one\u2028two\u2029", r"one\u2028two\u2029"),
        ("bytes \udcff", r"bytes \udcff"),
        ("family 👩\u200d👧, Hindi क्\u200cष, wide\u3000space", None),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
    ],
)
def test_one_line(text: str, expected: str | None) -> None:
    assert one_line(text) == (text if expected is None else expected)
    assert html.unescape(html_text(text)) == one_line(text)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1", "=cmd|' /C calc'!A0"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert csv_cell(text) == f"'{text}"
    assert csv_cell(f"\t{text}") == rf"\t{text}"


def test_other_cells_stay_as_they_are() -> None:
    assert [csv_cell(text) for text in ("-", "ice cream", "a=b", "")] == ["-", "ice cream", "a=b", ""]


def test_every_error_is_one_line_that_can_be_printed() -> None:
    for error in (InputError(f"{BELL}.npy: no\nsuch file"), OutputError(f"{BELL}\n")):
        assert str(error).isprintable()
        assert "\\x1b" in str(error)


def test_tables_and_widths() -> None:
    lines = format_table(["name", "n"], [["猫犬", "1"], [f"{BELL}", "2"], ["cafe\u0301", "3"]]).splitlines()
    assert len(lines) == 4
    assert [text_width(line[: line.rindex(digit)]) for line, digit in zip(lines[1:], "123", strict=True)] == [18] * 3
    assert shorten("a/long/path/to/drawings.ndjson", 18) == "...drawings.ndjson"
    assert shorten("short", 5) == "short"
    assert text_width(shorten("猫" * 20, 11)) <= 11


class TestCommand:
    """Names, columns and words through the command, on each of its ways out."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "in"
        folder.mkdir()
        names = [f"{BELL}x.ndjson", "=HYPERLINK(1).ndjson", "two\nError: lines.ndjson", "right\u202eleft.ndjson"]
        for name in names:
            try:
                (folder / name).write_text(LINE, encoding="utf-8")
            except OSError:
                pytest.skip("names that this file system does not take")
        return folder

    @pytest.mark.parametrize("arguments", [["table"], ["csv"], ["json"], ["jsonl"]])
    def test_predictions(self, sketch_infer: Run, folder: Path, arguments: list[str]) -> None:
        result = sketch_infer(folder, "--model", tiny.MODEL, "-q", "--format", *arguments)
        assert result.exit_code == 0
        assert one_line(result.stdout.replace("\n", "")) == result.stdout.replace("\n", "")
        n_lines = {"table": 5, "csv": 5, "jsonl": 4}
        if arguments[0] in n_lines:
            assert result.stdout.count("\n") == n_lines[arguments[0]]

    def test_csv_of_relative_names(self, sketch_infer: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        result = sketch_infer("=HYPERLINK(1).ndjson", "--model", tiny.MODEL, "-q", "--format", "csv")
        (row,) = list(csv.reader(result.stdout.splitlines()))[1:]
        assert row[0] == "'=HYPERLINK(1).ndjson"

    def test_errors_and_skipped_lines(self, sketch_infer: Run, folder: Path) -> None:
        for path in folder.iterdir():
            path.write_text("x\n")
        result = sketch_infer(folder, "--model", tiny.MODEL, "--on-error", "skip", "-v")
        assert result.exit_code == 1
        assert one_line(result.stderr.replace("\n", "")) == result.stderr.replace("\n", "")
        assert len(re.findall("^skipped ", result.stderr, re.MULTILINE)) == 4
        assert not re.search("^Error: lines", result.stderr, re.MULTILINE)

    def test_gallery(self, sketch_infer: Run, folder: Path, tmp_path: Path) -> None:
        output = tmp_path / "out.html"
        assert sketch_infer(folder, "--model", tiny.MODEL, "-q", "--output", output).exit_code == 0
        page = output.read_text(encoding="utf-8")
        assert not {"\x1b", "\x07", "\u202e"} & set(page)

    def test_columns_of_a_table(self, sketch_infer: Run, tmp_path: Path) -> None:
        pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
        parquet.write_table(pa.table({f"{BELL}\nError: forged": [1]}), tmp_path / "table.parquet")
        result = sketch_infer(tmp_path / "table.parquet", "--model", tiny.MODEL, "-q")
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "\x1b" not in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8")
@pytest.mark.parametrize("format_", ["parquet", "csv", "html", "jsonl", "json", "npz"])
def test_a_name_that_is_not_utf_8_loses_nothing(sketch_infer: Run, tmp_path: Path, format_: str) -> None:
    if format_ == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    source = tmp_path / os.fsdecode(b"caf\xe9.ndjson")
    source.write_text(LINE)
    output = tmp_path / f"out.{format_}"
    result = sketch_infer(source, "--model", tiny.MODEL, "-q", "--output", output)
    assert result.exit_code == 0, result.stderr
    if format_ == "parquet":
        import pyarrow.parquet

        assert pyarrow.parquet.read_table(output)["source"].to_pylist() == [str(tmp_path / "caf\\udce9.ndjson")]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_reports_where_standard_output_lacks_letters(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "猫.ndjson").write_text(LINE, encoding="utf-8")
    for arguments in (["--evaluate"], ["--evaluate", "--format", "json"], ["-v"], ["--format", "table"]):
        command = [sys.executable, "-m", "sketch_infer", str(tmp_path), "--model", str(tiny.MODEL), *arguments]
        result = subprocess.run(
            command, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": encoding}
        )
        assert result.returncode == 0, result.stderr
        assert b"Traceback" not in result.stderr


class TestLabels:
    def test_joiners_and_byte_order_marks(self, tmp_path: Path) -> None:
        labels = ["👩\u200d🎨", "क्\u200cष", "ice\u00a0cream"]
        (tmp_path / "labels.txt").write_text("\n\ufeff".join(labels), encoding="utf-8-sig")
        assert read_labels(tmp_path / "labels.txt") == labels
        assert check_labels(labels, 3) == tuple(labels)

    @pytest.mark.parametrize("label", [BELL, "a\u202eb", "a\nb", "\u2028", "zero\u200bwidth"])
    def test_labels_that_a_terminal_obeys(self, label: str) -> None:
        with pytest.raises(InputError, match="expected printable text as label 1"):
            check_labels(["ant", label], 2)

    def test_another_encoding(self, tmp_path: Path) -> None:
        (tmp_path / "labels.txt").write_text("ant\nbee\n", encoding="utf-16")
        with pytest.raises(InputError, match=r"labels\.txt: expected a UTF-8 text file"):
            read_labels(tmp_path / "labels.txt")


def test_list_labels(sketch_infer: Run) -> None:
    result = sketch_infer("--list-labels", "--model", tiny.MODEL)
    assert (result.exit_code, result.stdout.splitlines(), result.stderr) == (0, list(tiny.LABELS), "")


def test_an_unreadable_input_is_not_blamed_on_standard_output(
    sketch_infer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_file(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", is_file)
    result = sketch_infer(SAMPLES / "drawings.npy", "--model", "locked/model.onnx")
    assert result.exit_code == 2
    assert result.stderr == "Error: locked/model.onnx: cannot be read: Permission denied\n"


def test_json_is_exact(sketch_infer: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "e\u202ef.npy", np.zeros((1, 5, 3)))
    result = sketch_infer(tmp_path / "e\u202ef.npy", "--model", tiny.MODEL, "-q")
    assert json.loads(result.stdout)["source"] == str(tmp_path / "e\u202ef.npy")
