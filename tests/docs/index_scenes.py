"""What goes wrong in the rows of docs/faults.md on `sketch-search`: indexes and models that do not fit."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sketch_infer.model.integrity import DIGITS, content_sha256
from tests import tiny
from tests.docs.place import Outcome, Place


def search(place: Place, *arguments: str) -> Outcome:
    command = [sys.executable, "-m", "sketch_search", *arguments]
    done = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def asked(place: Place, change: Callable[[bytes], bytes] | None = None, model: Path = tiny.WITH_CODES) -> Outcome:
    """Build an index, change its bytes, and ask it."""
    found = search(place, "build", "good.ndjson", "--model", str(tiny.WITH_CODES), "--output", "drawings.index")
    assert found[0] == 0, found[1]
    index = place.folder / "drawings.index"
    index.write_bytes(change(index.read_bytes()) if change else index.read_bytes())
    return search(place, "query", "good.ndjson", "--model", str(model), "--index", "drawings.index")


def built_without_codes(place: Place) -> Outcome:
    place.output.write_text("old")
    return search(place, "build", "good.ndjson", "--model", "tiny.onnx", "--output", place.output.name)


def named_twice(place: Place) -> Outcome:
    place.output.write_text("old")
    model = str(tiny.WITH_CODES)
    return search(place, "build", "good.ndjson", "./good.ndjson", "--model", model, "--output", place.output.name)


def damaged_codes(content: bytes) -> bytes:
    start = 16 + 32 + int.from_bytes(content[8:16], "little")
    start += -start % 64
    return content[:start] + bytes([content[start] ^ 1]) + content[start + 1 :]


def other_model(place: Place) -> Outcome:
    (place.folder / "other.onnx").write_bytes(with_other_hash(tiny.WITH_CODES.read_bytes()))
    return asked(place, model=Path("other.onnx"))


def with_other_hash(content: bytes) -> bytes:
    """Change the text that a model file carries for people, and nothing else."""
    changed = content.replace(b"Proven in", b"PROVEN IN")
    assert changed != content
    return changed[:-DIGITS] + content_sha256(changed)
