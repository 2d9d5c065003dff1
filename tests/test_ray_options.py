"""Options that go with one engine and not with the other; for these Ray need not be installed."""

from pathlib import Path

import pytest
from conftest import Run


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["a.npy", "--overwrite"], "--overwrite goes with --engine ray"),
        (["--engine", "ray", "a.npy"], "goes with --output DIR"),
        (["--engine", "ray", "--output", "x"], "expected STROKES"),
        (["--engine", "ray", "-", "--output", "x"], "is this process's own"),
        (["--engine", "ray", "a.npy", "--output", "x", "--resume"], "--resume goes with --engine local"),
        (["--engine", "ray", "a.npy", "--output", "x", "--threads", "1"], "--threads goes with --engine local"),
    ],
)
def test_wrong_usage_is_one_line(sketch_infer: Run, tiny_onnx: Path, arguments: list[str], reason: str) -> None:
    result = sketch_infer(*arguments, "--model", tiny_onnx)
    assert result.exit_code == 2
    assert reason in result.stderr.splitlines()[-1]
