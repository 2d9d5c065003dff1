"""What a device's checkout runs, tests/runtime, imports nothing that only a build machine has."""

import ast
from pathlib import Path

import pytest

from tests.support import ROOT

BUILD_MACHINE = {
    "onnx",
    "onnx_ir",
    "onnxscript",
    "safetensors",
    "torch",
    "sketch_export",
    "sketch_models",
    "pyarrow",
    "ray",
}
FILES = [ROOT / "tests" / name for name in ("conftest.py", "support.py", "tiny/__init__.py", "golden/__main__.py")]
FILES += sorted((ROOT / "tests" / "runtime").rglob("test_*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_of_a_build_machine_is_imported(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and "importorskip" in ast.unparse(node):
            return  # without it, the rest of the file is skipped
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not {name.partition(".")[0] for name in names} & BUILD_MACHINE
        assert not {"tests.networks", "tests.export"} & {".".join(name.split(".")[:2]) for name in names}
