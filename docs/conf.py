"""`make docs` builds the site with Sphinx into dist/docs; the site loads nothing from other hosts."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

from sketch_infer import __version__

ROOT = Path(__file__).parents[1]

project = "SketchRNN on the edge"
author = "The sketchrnn-edge maintainers"
copyright = author  # noqa: A001  # Sphinx's name for it
release = version = __version__
html_title = f"{project} {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
html_theme = "furo"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0f766e", "color-brand-content": "#0f766e"},
    "dark_css_variables": {"color-brand-primary": "#5eead4", "color-brand-content": "#5eead4"},
}
html_copy_source = False
html_show_sphinx = False
default_role = "code"
smartquotes = False  # they turn -- into a dash
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False}
napoleon_use_ivar = True
napoleon_use_rtype = False

NAVIGATION = {
    "Use it": (
        *("install", "sketch-infer", "input", "python", "sketch-search", "web"),
        *("contract", "device", "receipts", "ray", "faults"),
    ),
    "Your own network": ("export", "int8", "train", "model-card", "quickdraw-40", "quickdraw-345", "experiments"),
    "How it works": ("model-file", "proof", "speed", "onnxruntime", "gpu"),
    "Reference": ("api", "contributing", "security", "changelog"),
}
"""The pages by section; here and not in index.md, so that index.md can be read in the repository, too."""

PAGES = {
    "models/README.md": "model-card.md",
    "models/quickdraw-40/README.md": "quickdraw-40.md",
    "models/quickdraw-345/README.md": "quickdraw-345.md",
    "models/EXPERIMENTS.md": "experiments.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages that stand elsewhere in the repository, and their names on the site."""


def read_page(_: Sphinx, name: str, content: list[str]) -> None:
    """Fetch a page that stands elsewhere, and turn links between files of the repository into links of the site."""
    source = next((path for path, page in PAGES.items() if page == f"{name}.md"), f"docs/{name}.md")
    if source in PAGES:
        content[0] = (ROOT / source).read_text(encoding="utf-8")
    if name == "index":
        for caption, pages in NAVIGATION.items():
            content[0] += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])

    def to_site(match: re.Match[str]) -> str:
        text, target, anchor = match.groups()
        path = (ROOT / PurePosixPath(source).parent / target).resolve().relative_to(ROOT).as_posix()
        if path in PAGES:
            return f"[{text}](/{PAGES[path]}{anchor or ''})"
        if path.startswith("docs/"):
            return f"[{text}](/{path.removeprefix('docs/')}{anchor or ''})"
        return f"{text} (`{path}`)"  # on no page of the site

    content[0] = re.sub(r"\[([^]]*)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)", to_site, content[0])


def name_array_like(*event: Any) -> tuple[str, str] | None:
    """Write ArrayLike in signatures, and not the long union that it stands for."""
    *_, signature, returned = event
    written_out = stringify_annotation(ArrayLike, "smart")
    return (signature.replace(written_out, "ArrayLike"), returned) if signature else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", read_page)
    app.connect("autodoc-process-signature", name_array_like)
