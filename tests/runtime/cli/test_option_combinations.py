"""Options that do not go together are refused, each pair with its reason; nothing that was asked for is ignored."""

import click
import pytest

from sketch_infer.cli.combinations import CONFLICTS, NEEDS
from sketch_infer.cli.main import main
from tests.support import Run

GIVEN = {
    "STROKES": ["a.npy"],
    "STROKES -": ["-"],
    "--output": ["--output", "out.csv"],
    "--output -": ["--output", "-"],
    "--output FILE.npz": ["--output", "out.npz"],
    "--output FILE.parquet": ["--output", "out.parquet"],
    "--output FILE.html": ["--output", "out.html"],
    "--format": ["--format", "json"],
    "--format csv": ["--format", "csv"],
    "--format jsonl": ["--format", "jsonl"],
    "--evaluate without --output": ["--evaluate"],
    "--engine ray": ["--engine", "ray"],
    "--model FILE": ["--model", "a.onnx"],
    "--labels": ["--labels", "cat,dog"],
    "--provider": ["--provider", "cpu"],
    "--precision": ["--precision", "int8"],
    "--input-format": ["--input-format", "raw"],
    "--on-error": ["--on-error", "skip"],
    "--top-k": ["--top-k", "3"],
    "--batch-size": ["--batch-size", "8"],
    "--threads": ["--threads", "1"],
    "--compare-eager": ["--compare-eager", "a.pt"],
    "--report": ["--report", "a.html"],
    "--attest": ["--attest", "a.json"],
    "--sign-key": ["--sign-key", "key.pem"],
    "--verify-key": ["--verify-key", "public.pem"],
    "--ray-address": ["--ray-address", "auto"],
    "--actors": ["--actors", "2"],
}
"""How to give what the tables name; other names are flags and stand for themselves."""


def given(name: str) -> list[str]:
    return GIVEN.get(name, [name])


@pytest.mark.parametrize(("one", "other"), CONFLICTS)
def test_a_pair_that_does_not_go_together_is_refused_with_the_reason(sketch_infer: Run, one: str, other: str) -> None:
    arguments = given(one) if one.startswith(f"{other} ") else [*given(one), *given(other)]
    result = sketch_infer(*arguments)
    assert result.exit_code == 2
    assert CONFLICTS[one, other] in result.stderr.splitlines()[-1]
    assert one in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("option", NEEDS)
def test_what_needs_another_option_says_which(sketch_infer: Run, option: str) -> None:
    result = sketch_infer("a.npy", *given(option))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {option} needs {NEEDS[option]}"


def test_the_tables_name_options_that_exist() -> None:
    named = {*NEEDS, *NEEDS.values(), *(name for pair in CONFLICTS for name in pair)}
    options = {option for parameter in main.params for option in parameter.opts if isinstance(parameter, click.Option)}
    assert {name.split(" ")[0] for name in named} - {"STROKES"} <= options


def test_an_option_at_its_default_value_takes_no_side(sketch_infer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert "no such file" in sketch_infer("none.npy").stderr


def test_strokes_are_asked_for_and_standard_input_is_read_once(sketch_infer: Run) -> None:
    assert "expected STROKES (files to classify) or --self-check" in sketch_infer().stderr
    assert "can be read only once" in sketch_infer("-", "-").stderr
