"""What the pages say, for the tests that do it."""

import re

from tests.support import ROOT

GUIDES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("install", "python", "device", "export", "train", "int8", "model-file", "web")),
)
"""Pages whose commands and code are run, in this order: a later page may use what an earlier one has written."""


def read_page(name: str) -> str:
    """Return the text of a page, named from the root of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the page's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Return the commands of a page's shell blocks, without their comments."""
    lines = [line.split("  #")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if line]


CLI_PAGE = read_page("docs/sketch-infer.md")
CLI_COMMANDS = commands(CLI_PAGE)
