"""What is no index, or no whole one, is refused; nothing else is searched."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from sketch_infer import InputError
from sketch_search import SketchIndex
from sketch_search.layout import SECTIONS
from tests import tiny
from tests.search.conftest import LINES
from tests.support import Run


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_an_index_holds_keys_words_and_pictures(index_file: Path, drawings: Path) -> None:
    index = SketchIndex(index_file)
    assert len(index) == len(LINES) == 8
    assert [index.key(row) for row in range(8)] == [(str(drawings), row) for row in range(8)]
    assert [index.word(row) for row in range(8)][3] == "cat"
    assert index.codes.shape == (8, 2)
    assert index.picture(3)[:, :2].max() == 255
    assert sum(len(index.picture(row)) for row in range(8)) == index.header.n_points


@pytest.mark.parametrize("name", SECTIONS)
def test_every_damaged_section_is_refused(index_file: Path, name: str) -> None:
    section = SketchIndex(index_file).header.sections()[name]
    flip(index_file, section.end - 1)
    with pytest.raises(InputError, match=rf"drawings.index: the {name.replace('_', ' ')} of this index are damaged"):
        SketchIndex(index_file).picture(0)


@pytest.mark.parametrize("offset", [9, 20, 48, 200])
def test_a_damaged_header_is_refused(index_file: Path, offset: int) -> None:
    flip(index_file, offset)
    with pytest.raises(InputError, match=r"is damaged; build it again|is cut off; build it again"):
        SketchIndex(index_file)


def test_an_index_cut_off_anywhere_is_refused(index_file: Path) -> None:
    content = index_file.read_bytes()
    for size in [*range(0, len(content), 61), len(content) - 1]:
        index_file.write_bytes(content[:size])
        with pytest.raises(InputError, match=r"is cut off|another kind of file"):
            SketchIndex(index_file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content + b"\0", "followed by something else"),
        (lambda content: content[:7] + b"\x02" + content[8:], "another version"),
        (
            lambda _: b"PK\3\4" + bytes(500),
            "expected an index that sketch-search build wrote, found another kind of file",
        ),
    ],
)
def test_other_files_are_refused(index_file: Path, change: object, message: str) -> None:
    index_file.write_bytes(change(index_file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        SketchIndex(index_file)


def test_a_code_of_another_length_is_refused(index_file: Path) -> None:
    with pytest.raises(InputError, match="expected a code of 16 bits, found 64"):
        SketchIndex(index_file).nearest(np.zeros(8, np.uint8))


def test_missing_files_are_named(tmp_path: Path, sketch_search: Run) -> None:
    result = sketch_search("info", tmp_path / "none.index")
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path}/none.index: cannot be read: No such file or directory\n"


def test_another_model_is_refused(index_file: Path, drawings: Path, sketch_search: Run) -> None:
    other = SketchIndex(index_file).header
    changed = other.to_bytes().replace(other.model_sha256.encode(), b"0" * 64)
    changed = changed[:16] + hashlib.sha256(changed[48:]).digest() + changed[48:]
    index_file.write_bytes(changed + index_file.read_bytes()[len(changed) :])
    result = sketch_search("query", drawings, "--model", tiny.WITH_CODES, "--index", index_file)
    assert result.exit_code == 2
    assert "expected the model that it was built with" in result.stderr
    assert "(000000000000)" in result.stderr


def test_a_model_without_codes_is_refused(drawings: Path, sketch_search: Run, tmp_path: Path) -> None:
    result = sketch_search("build", drawings, "--model", tiny.MODEL, "--output", tmp_path / "new.index")
    assert result.exit_code == 2
    assert "codes" in result.stderr
    assert not (tmp_path / "new.index").exists()
