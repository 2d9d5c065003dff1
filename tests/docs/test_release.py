"""`make release`: what is checked before, and the checksums after."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository, as far as it is looked at, that is ready to release 1.2.0."""
    files = {
        "runtime/sketch_infer/_version.py": '__version__ = "1.2.0"\n',
        "runtime/web/npm/package.json": json.dumps({"version": "1.2.0"}),
        "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.0\n",
        "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2027-01-31\n\n- New.\n\n## 1.1.0 - 2026-12-24\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def release(repository: Path, step: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci" / "release.py"), step]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def test_a_repository_that_is_ready_passes(repository: Path) -> None:
    assert release(repository, "check").returncode == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- Newer.\n", "has lines under Unreleased"),
        ("CHANGELOG.md", " - 2027-01-31", "", "expected '## 1.2.0 - YYYY-MM-DD' as the newest entry"),
        ("CHANGELOG.md", "## 1.2.0 - 2027-01-31\n", "", "found '## 1.1.0 - 2026-12-24'"),
        ("CITATION.cff", "\nversion: 1.2.0", "\nversion: 1.1.0", "expected version 1.2.0 in CITATION.cff, found 1.1.0"),
        ("runtime/web/npm/package.json", "1.2.0", "1.1.0", "in runtime/web/npm/package.json, found 1.1.0"),
    ],
)
def test_what_is_not_ready_is_named(repository: Path, file: str, old: str, new: str, problem: str) -> None:
    text = (repository / file).read_text(encoding="utf-8")
    assert old in text
    (repository / file).write_text(text.replace(old, new), encoding="utf-8")
    result = release(repository, "check")
    assert result.returncode == 1
    assert problem in result.stderr


def test_the_sums_are_those_of_this_version_alone(repository: Path) -> None:
    dist = repository / "dist"
    dist.mkdir()
    for name in (
        "sketch_infer-1.2.0-py3-none-any.whl",
        "sketch_infer-1.1.0-py3-none-any.whl",
        "sketch-infer-1.2.0.tgz",
    ):
        (dist / name).write_text(name, encoding="utf-8")
    assert release(repository, "sums").returncode == 0
    lines = [line.split("  ") for line in (dist / "SHA256SUMS").read_text(encoding="utf-8").splitlines()]
    assert [name for _, name in lines] == ["sketch-infer-1.2.0.tgz", "sketch_infer-1.2.0-py3-none-any.whl"]
    assert all(digest == hashlib.sha256(name.encode()).hexdigest() for digest, name in lines)
