"""The page of `sketch-infer` says what `--help` says, and its examples run."""

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
import torch

from sketch_export import export_onnx
from sketch_infer.checks.signing import read_signing_key, sign_file
from sketch_infer.cli.main import EXAMPLES, main
from tests.docs.pages import CLI_COMMANDS, CLI_PAGE
from tests.networks import make_model
from tests.signing_keys import write_keys
from tests.support import SAMPLES, Run

CONTEXT = click.Context(main, info_name="sketch-infer")
OPTIONS = [option for option in main.get_params(CONTEXT) if isinstance(option, click.Option)]
SECTIONS = dict(re.findall(r"^### `([^\n]+)`\n(.*?)(?=^##)", CLI_PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def users_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of their own that the examples name."""
    folder = tmp_path_factory.mktemp("users_files")
    (folder / "runtime").mkdir()
    (folder / "runtime" / "samples").symlink_to(SAMPLES)
    export_onnx(make_model(), folder / "my_model.onnx")
    torch.save(make_model().state_dict(), folder / "my_weights.pt")
    keys = write_keys(folder)
    sign_file(folder / "my_model.onnx", (folder / "my_model.onnx").read_bytes(), read_signing_key(keys.private))
    return folder


@pytest.fixture
def workplace(users_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    shutil.copytree(users_files, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("option", OPTIONS, ids=[option.opts[-1] for option in OPTIONS])
def test_every_option_is_described_as_in_help_with_an_example(option: click.Option) -> None:
    record = option.get_help_record(CONTEXT)
    assert record
    section = SECTIONS[record[0]]
    assert option.help
    assert " ".join(option.help.split()) in " ".join(section.split())
    if option.show_default:
        assert f"[default: {option.default}" in section
    (example,) = re.findall(r"^```sh\n(.*)\n```", section, re.MULTILINE)
    assert set(option.opts) & set(shlex.split(example))
    assert set(option.opts) & set(re.findall(r"(?<=\s)--?[a-z0-9-]+", EXAMPLES)), "--help has no example of it"


def test_the_page_has_no_option_that_help_lacks() -> None:
    records = [option.get_help_record(CONTEXT) for option in OPTIONS]
    assert list(SECTIONS) == [record[0] for record in records if record]
    for paragraph in (main.help or "").split("\n\n"):
        assert " ".join(paragraph.split()) in " ".join(CLI_PAGE.split())


@pytest.mark.usefixtures("workplace", "default_onnx")
@pytest.mark.parametrize("command", [command for command in CLI_COMMANDS if "--engine ray" not in command])
def test_examples_run(sketch_infer: Run, command: str) -> None:
    program, *arguments = shlex.split(command)
    result = sketch_infer(*arguments)
    assert (program, result.exit_code) == ("sketch-infer", 0), result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_is_as_documented(shell: str) -> None:
    from click.shell_completion import get_completion_class

    assert f"_SKETCH_INFER_COMPLETE={shell}_source sketch-infer" in CLI_PAGE
    complete = get_completion_class(shell)
    assert complete
    found = complete(main, {}, "sketch-infer", "_SKETCH_INFER_COMPLETE")
    assert {item.value for item in found.get_completions(["--input-format"], "stroke")} == {"stroke-3", "stroke-5"}
    assert "--on-error" in {item.value for item in found.get_completions([], "--")}


def test_version_names_the_runtime(sketch_infer: Run) -> None:
    first, second = sketch_infer("--version").stdout.splitlines()
    assert re.fullmatch(r"sketch-infer, version \d+\.\d+\.\d+", first)
    assert re.match(r"ONNX Runtime \d+\.\d+\.\d+ \(onnxruntime.*\) on CPU(; no CUDA: .+| and CUDA)$", second)
