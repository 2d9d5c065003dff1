"""How every HTML page begins: complete in itself, loading nothing, running no script but its own."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from sketch_infer.untrusted import html_text


def read_asset(name: str) -> str:
    """Return the text of a style sheet or script of this folder."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def page_head(title: str, styles: Sequence[str], script: str | None = None) -> str:
    """Return a page from its doctype to its heading.

    Args:
        title: of the page, and its heading; plain text.
        styles: names of the style sheets that follow base.css.
        script: text of the one script that the page may run; None for a page without.
    """
    allowed = ""
    if script is not None:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed = f"script-src 'sha256-{digest}'; "
    # Whatever words and file names the page holds, they cannot load anything or run.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; {allowed}base-uri 'none'; form-action 'none'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html_text(title)}</title>
<style>{"".join(map(read_asset, ("base.css", *styles)))}</style>
</head>
<body>
<h1>{html_text(title)}</h1>
"""
