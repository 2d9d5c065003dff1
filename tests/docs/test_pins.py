"""hashes.txt, which `make lock` writes, and constraints.txt name the same versions."""

import re

from tests.support import ROOT

PINS = {re.sub(r"[-_.]+", "-", line).lower() for line in (ROOT / "constraints.txt").read_text().split()}
LOCKED = [block.split() for block in re.split(r"\n(?=\S)", (ROOT / "hashes.txt").read_text())]


def test_each_hashed_package_has_the_version_that_is_pinned() -> None:
    assert len(LOCKED) > 50
    unlike = {name for name, *_ in LOCKED if re.sub(r"[-_.]+", "-", name).lower() not in PINS}
    assert not unlike, "run `make lock` after a change of constraints.txt"


def test_each_has_hashes() -> None:
    for name, *rest in LOCKED:
        assert any(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", part) for part in rest), name
