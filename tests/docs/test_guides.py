"""README and guides: their commands and code run as they stand there, their links lead somewhere."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sketch_models import SketchRNNConfig
from tests.docs.pages import GUIDES, blocks, commands, read_page
from tests.networks import make_model
from tests.support import ROOT

README = read_page("README.md")
COMMANDS = list(dict.fromkeys(command for guide in GUIDES for command in commands(read_page(guide))))
PROGRAMS = ("sketch-infer", "sketch-export", "sketch-train")
CODE = [(guide, code) for guide in GUIDES for code in blocks(read_page(guide), "python") if "def forward" not in code]
PAGES = sorted(
    path.relative_to(ROOT) for pattern in ("*.md", "*/*.md") for path in ROOT.glob(pattern) if ".venv" not in path.parts
)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the repository's, with the user's own files that the guides speak of."""
    folder = tmp_path_factory.mktemp("guides")
    shutil.copytree(ROOT / "runtime" / "samples", folder / "runtime" / "samples")
    (folder / "runtime" / "sketch_infer").symlink_to(ROOT / "runtime" / "sketch_infer")
    (folder / "models").symlink_to(ROOT / "models")
    torch.save(make_model(SketchRNNConfig(3, 8, 2)).state_dict(), folder / "weights.pt")
    (folder / "labels.txt").write_text("flat\ntall\n", encoding="utf-8")
    for part, n in {"train": 40, "test": 9}.items():
        (folder / "my_drawings" / part).mkdir(parents=True)
        for word, rows in {"flat": 20, "tall": 200}.items():
            lines = [f'{{"drawing": [[[0, 9, {k}, 3], [0, {rows}, 1, {k}]]]}}\n' for k in range(n)]
            (folder / "my_drawings" / part / f"{word}.ndjson").write_text("".join(lines), encoding="utf-8")
    return folder


def run(folder: Path, command: list[str]) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_command_is_known() -> None:
    assert {command.split()[0] for command in COMMANDS} == {*PROGRAMS, "make", "source"}
    assert {"make export", "source .venv/bin/activate"} <= set(commands(README))
    assert sum(command.startswith(PROGRAMS) for command in COMMANDS) > 10


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_make_targets_exist(command: str) -> None:
    for target in command.split()[1:]:
        assert re.search(rf"^{target}:.* ## ", read_page("Makefile"), re.MULTILINE)


OWN_MODEL = """
from sketch_models import load_checkpoint
def model(strokes): return load_checkpoint("weights.pt").model(strokes)[1]
model.eval = lambda: model
"""
"""A user's network, of which docs/export.md speaks."""


# Before the commands, some of which read what the code writes.
@pytest.mark.usefixtures("default_onnx")
@pytest.mark.parametrize(("guide", "code"), CODE, ids=[guide for guide, _ in CODE])
def test_code(workplace: Path, guide: str, code: str) -> None:
    if "model.eval()" in code:
        code = OWN_MODEL + code
    printed = run(workplace, [sys.executable, "-W", "error", "-c", code])
    assert printed or "savez" in code
    if guide == "README.md":
        assert printed in blocks(README, "text")


@pytest.mark.usefixtures("default_onnx")
@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith(PROGRAMS)])
def test_commands(workplace: Path, command: str) -> None:
    program, *arguments = shlex.split(command)
    run(workplace, [str(Path(sys.executable).with_name(program)), *arguments])


@pytest.mark.usefixtures("default_onnx")
def test_the_readme_shows_the_first_rows_of_the_table(workplace: Path) -> None:
    (command,) = [command for command in commands(README) if "--format table" in command]
    program, *arguments = shlex.split(command)
    printed = run(workplace, [str(Path(sys.executable).with_name(program)), *arguments]).splitlines()
    assert "\n".join([*printed[:5], "...\n"]) in blocks(README, "text")


def test_the_forward_pass_that_is_shown_is_the_networks() -> None:
    (code,) = [code for code in blocks(read_page("docs/export.md"), "python") if "def forward" in code]
    shown: dict[str, object] = {}
    exec(code, shown)  # noqa: S102  # our own page
    forward = shown["forward"]
    assert callable(forward)
    model, strokes = make_model(SketchRNNConfig(3, 6, 5)), torch.randn(2, 196, 3)
    for found, expected in zip(forward(model, strokes), model(strokes), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", read_page(str(page)), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)[^)]*\)", text):
        assert (ROOT / page.parent / target).exists(), target
