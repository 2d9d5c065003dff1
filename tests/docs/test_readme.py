"""The README's commands work as they stand there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sketch_models import SketchRNNConfig
from tests.docs.pages import blocks, read_page
from tests.networks import make_model
from tests.support import ROOT

README = read_page("README.md")
MAKEFILE = read_page("Makefile")
COMMANDS = [line.split("  #")[0].strip() for block in blocks(README, "sh") for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the repository's, with the user's own files that the README speaks of."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "runtime" / "samples", folder / "runtime" / "samples")
    torch.save(make_model(SketchRNNConfig(3, 8, 2)).state_dict(), folder / "weights.pt")
    (folder / "labels.txt").write_text("cat\ndog\n", encoding="utf-8")
    (folder / "models").mkdir()
    (folder / "models" / "sketch_rnn.safetensors").symlink_to(ROOT / "models" / "sketch_rnn.safetensors")
    for name in ("my_drawings", "other_drawings"):
        (folder / name).mkdir()
        for word, rows in {"flat": 20, "tall": 200}.items():
            lines = [f'{{"drawing": [[[0, 9, {n}, 3], [0, {rows}, 1, {n}]]]}}\n' for n in range(40)]
            (folder / name / f"{word}.ndjson").write_text("".join(lines), encoding="utf-8")
    return folder


def test_the_readme_has_commands() -> None:
    assert "make export" in COMMANDS
    assert "make test" in COMMANDS
    assert sum(command.startswith(".venv/bin/sketch-") for command in COMMANDS) >= 6
    assert len(blocks(README, "python")) == 1
    assert "OUTPUT_OF" not in README


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_make_targets_exist(command: str) -> None:
    for target in command.split()[1:]:
        assert re.search(rf"^{target}:.* ## ", MAKEFILE, re.MULTILINE)


@pytest.mark.usefixtures("default_onnx")
@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("make ")])
def test_commands(workplace: Path, command: str) -> None:
    program, *arguments = command.split()
    path = Path(sys.executable).parent / Path(program).name
    result = subprocess.run([path, *arguments], cwd=workplace, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.usefixtures("default_onnx")
def test_python(workplace: Path) -> None:
    for block in blocks(README, "python"):
        code = [sys.executable, "-W", "error", "-c", block]
        result = subprocess.run(code, cwd=workplace, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert "(2, 40)" in result.stdout
