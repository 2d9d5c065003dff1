"""What the pages say, for the tests that do it."""

import re

from tests.support import ROOT


def read_page(name: str) -> str:
    """Return the text of a page, named from the root of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the page's code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


CLI_PAGE = read_page("docs/sketch-infer.md")
CLI_COMMANDS = [block.strip() for block in blocks(CLI_PAGE, "sh")]
