"""A run that was interrupted while it wrote lines."""

from pathlib import Path

import pytest

from sketch_infer.writers.partial_lines import PartialLines

A, B = "a" * 16, "b" * 16


def interrupt(output: Path, text: str, identity: str = A) -> Path:
    """Leave a partial file behind, as Ctrl-C does."""
    lines = PartialLines(output, identity, resume=False)

    def write() -> None:
        with lines:
            lines.write(text)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert lines.kept
    return lines.path
