"""Networks that a run starts from or learns from: what sketch-train cannot keep of them is said or refused."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from sketch_infer.errors import ModelFileError
from sketch_models import SketchRNN, load_checkpoint, save_checkpoint
from sketch_models.training.cli import main
from sketch_models.training.run import load_start
from tests.models.drawn_classes import TINY, train, two_classes

CLASSES = ("circle", "cross")
NO_SIZES = TINY[4:]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return two_classes(tmp_path / "data")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A network whose head was not trained here."""
    torch.manual_seed(0)
    path = tmp_path / "foreign.safetensors"
    save_checkpoint(path, SketchRNN(3, 8, 2, sequence_length=40).eval(), CLASSES)
    return path


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    return result.exit_code, result.output


def test_another_head_is_not_taken_for_what_its_network_answers(data: Path, foreign: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.safetensors"
    code, said = run(data, "--from", foreign, "--epochs", 0, "-o", output)
    assert (code, output.exists()) == (2, False)
    assert f"{foreign}: expected a network that sketch-train made, found one with another kind of head" in said
    code, said = run(data, "--from", foreign, "--codes", 32, "-o", output)
    assert (code, output.exists()) == (2, False)
    assert "expected a network that sketch-train made, found one with another kind of head" in said
    result = train(data, "--teacher", foreign, "-o", output)
    assert (result.exit_code, output.exists()) == (2, False)
    assert f"{foreign}: expected a network that sketch-train made, found one with another kind" in result.output
    code, said = run(data, "--from", foreign, "--epochs", 1, "-o", output, *NO_SIZES)
    assert code == 0, said
    assert "foreign.safetensors: its head is replaced by the nearest smooth one, which lacks" in said


def test_a_head_that_was_trained_here_is_kept_whole(data: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert train(data, "-o", first, "--epochs", 1).exit_code == 0
    code, said = run(data, "--from", first, "--epochs", 0, "-o", second)
    assert code == 0, said
    assert "replaced" not in said
    recorded = load_checkpoint(second).metadata["training"]
    assert "--epochs 0" in recorded
    assert "--hidden-size" not in recorded  # refused beside --from


def test_codes_that_a_run_leaves_out_are_told(data: Path, tmp_path: Path) -> None:
    first, codes = tmp_path / "first.safetensors", tmp_path / "codes.safetensors"
    assert train(data, "-o", first, "--epochs", 1).exit_code == 0
    assert run(data, "--from", first, "--codes", 32, "-o", codes)[0] == 0
    code, said = run(data, "--from", codes, "--epochs", 0, "-o", tmp_path / "again.safetensors")
    assert code == 0, said
    assert "codes.safetensors: its codes are left out; add them to the result with --codes" in said


def test_codes_need_classes_with_names(data: Path, foreign: Path, tmp_path: Path) -> None:
    save_checkpoint(foreign, load_checkpoint(foreign).model)
    code, said = run(data, "--from", foreign, "--codes", 32, "-o", tmp_path / "x.safetensors")
    assert code == 2
    assert "expected a network whose classes have names" in said


@pytest.mark.parametrize("biases", ["xx", '{"a": 1}', "[1]", "[1, 2, 3]", "[NaN, 0]", "[[1, 2]]"])
def test_damaged_biases_are_refused(biases: str, foreign: Path) -> None:
    save_checkpoint(foreign, load_checkpoint(foreign).model, CLASSES, {"class_biases": biases})
    with pytest.raises(ModelFileError, match="expected class_biases as one number per class"):
        load_start([foreign])


def test_a_run_without_its_checkpoint_is_not_resumed(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.safetensors"
    assert train(data, "-o", output, "--epochs", 1).exit_code == 0
    output.unlink()
    result = train(data, "-o", output, "--epochs", 1, "--resume")
    assert result.exit_code == 2
    assert "x.safetensors: expected a checkpoint file, found nothing" in result.output
    assert "judging it" not in result.output  # said before the epochs that may be left


@pytest.mark.parametrize("rate", ["1e6", "1e30"])
def test_a_run_that_diverges_says_so(rate: str, data: Path, tmp_path: Path) -> None:
    code, said = run(data, "-o", tmp_path / "x.safetensors", *TINY[:6], "--learning-rate", rate, "--epochs", 3)
    assert code == 2
    assert "training diverged in epoch" in said.splitlines()[-1]


@pytest.mark.parametrize("option", ["--balance", "--learning-rate", "--dropout", "--augment", "--label-smoothing"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_options_are_numbers(option: str, value: str, data: Path, tmp_path: Path) -> None:
    code, said = run(data, "-o", tmp_path / "x.safetensors", option, value)
    assert code == 2
    assert "Invalid value" in said


def test_a_name_that_is_not_utf_8_is_recorded(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.safetensors"
    assert train(data, "-o", output, "--epochs", 1, "--provenance", "d\udcff").exit_code == 0
    assert load_checkpoint(output).metadata["provenance"] == "d\\udcff"
    assert json.loads(Path(f"{output}.jsonl").read_text().splitlines()[0])["epoch"] == 1
