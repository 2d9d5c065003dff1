"""The card in the folder for the Hugging Face Hub: `make hub`."""

import re
import runpy
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("name", ["quickdraw-40", "quickdraw-345"])
def test_a_card_links_to_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    runpy.run_path(str(MODELS / "hub_folder.py"))["copy_card"](MODELS / name / "README.md", tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("https://")]
    assert links == [f"reliability-{name.removeprefix('quickdraw-')}.png"]
    assert all((tmp_path / link).is_file() for link in links)
    assert text.startswith("---\nlicense: ")
