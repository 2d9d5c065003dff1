"""The parts of `make release` that need more than a shell: `check` the version, then write the `sums` of dist/."""

import hashlib
import json
import re
import sys
from pathlib import Path

VERSION_FILE = "runtime/sketch_infer/_version.py"
NPM_PACKAGE = "runtime/web/npm/package.json"
DIST = Path("dist")


def problems(version: str) -> list[str]:
    """Return what keeps this version from being released, in the repository that is the working directory."""
    found = []
    unreleased, _, entries = _text("CHANGELOG.md").partition("## Unreleased")[2].partition("\n## ")
    if unreleased.strip():
        found.append("CHANGELOG.md has lines under Unreleased; move them into this version's entry")
    newest = entries.partition("\n")[0]
    if not re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", newest):
        found.append(f"expected '## {version} - YYYY-MM-DD' as the newest entry of CHANGELOG.md, found '## {newest}'")
    versions = {
        "CITATION.cff": _line(r"version: (.+)", "CITATION.cff"),
        NPM_PACKAGE: json.loads(_text(NPM_PACKAGE))["version"],
    }
    found += [
        f"expected version {version} in {path}, found {other}" for path, other in versions.items() if other != version
    ]
    return found


def write_sums(version: str) -> str:
    """Write SHA256SUMS over the files of this version in dist/, and return what it says."""
    files = sorted(file for file in DIST.glob(f"*-{version}*") if file.suffix in (".whl", ".tgz"))
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (DIST / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return sums


def _line(pattern: str, path: str) -> str:
    if match := re.search(f"^{pattern}$", _text(path), re.MULTILINE):
        return match[1]
    sys.exit(f"{path}: expected a line {pattern}")


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


if __name__ == "__main__":
    VERSION = _line('__version__ = "(.+)"', VERSION_FILE)
    if sys.argv[1:] == ["check"]:
        if FOUND := problems(VERSION):
            sys.exit("\n".join(f"not ready to release {VERSION}: {problem}" for problem in FOUND))
    elif sys.argv[1:] == ["sums"]:
        sys.stdout.write(f"{write_sums(VERSION)}in dist/, with SHA256SUMS; next: git tag --sign v{VERSION}\n")
    else:
        sys.exit("expected check or sums")
