"""What is no index, or no whole one, is refused; nothing else is searched."""

import hashlib
from dataclasses import replace
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


def write_section(path: Path, name: str, values: np.ndarray) -> None:
    """Replace an array of an index, and give it the hash that fits."""
    header, content = SketchIndex(path).header, path.read_bytes()
    section = header.sections()[name]
    written = replace(header, sha256={**header.sha256, name: hashlib.sha256(values.tobytes()).hexdigest()}).to_bytes()
    path.write_bytes(written + content[len(written) : section.offset] + values.tobytes() + content[section.end :])


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


def test_a_flipped_bit_anywhere_changes_no_answer(index_file: Path) -> None:
    content, index = index_file.read_bytes(), SketchIndex(index_file)
    pictures = [index.picture(row).tolist() for row in range(8)]
    for offset in np.random.default_rng(0).integers(0, len(content), 200).tolist():
        index_file.write_bytes(content)
        flip(index_file, offset)
        try:
            found = SketchIndex(index_file)
            assert [found.picture(row).tolist() for row in range(8)] == pictures
        except InputError:
            continue
        np.testing.assert_array_equal(found.codes, index.codes)
        assert [found.key(row) for row in range(8)] == [index.key(row) for row in range(8)]
        # What is left are the bytes between the sections.
        assert all(not section.offset <= offset < section.end for section in found.header.sections().values())


@pytest.mark.parametrize(
    ("name", "value"), [("source_numbers", 1), ("word_numbers", 8), ("word_numbers", -2), ("picture_ends", 1)]
)
def test_values_that_lead_nowhere_are_refused(index_file: Path, name: str, value: int) -> None:
    values = SketchIndex(index_file).section(name).copy()
    values[-1] = value
    write_section(index_file, name, values)
    with pytest.raises(InputError, match=rf"the {name.replace('_', ' ')} of this index are impossible"):
        SketchIndex(index_file).picture(0)


def test_ends_of_pictures_that_only_add_up_are_refused(index_file: Path) -> None:
    ends = SketchIndex(index_file).section("picture_ends").copy()
    ends[:3] = np.array([1, 2, 3], np.uint64) << np.uint64(62)  # as int64 they rise by 2^62, up to the fourth one
    write_section(index_file, "picture_ends", ends)
    with pytest.raises(InputError, match="the picture ends of this index are impossible"):
        SketchIndex(index_file).picture(0)


def test_a_code_of_another_length_is_refused(index_file: Path) -> None:
    with pytest.raises(InputError, match="expected a code and an embedding of 16 bits, found 64 and 16"):
        SketchIndex(index_file).nearest(np.zeros(8, np.uint8), np.zeros(16))


def test_missing_files_are_named(tmp_path: Path, sketch_search: Run) -> None:
    result = sketch_search("info", tmp_path / "none.index")
    assert result.exit_code == 2
    assert result.stderr == f"Error: {tmp_path}/none.index: cannot be read: No such file or directory\n"


def test_another_model_is_refused(index_file: Path, drawings: Path, sketch_search: Run) -> None:
    changed = replace(SketchIndex(index_file).header, model_sha256="0" * 64).to_bytes()
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
