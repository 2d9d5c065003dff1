"""The end of a training run, starting from a checkpoint, and the splits of the 345 classes."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sketch_infer.checks.evaluation import evaluate
from sketch_infer.errors import InputError, ModelFileError
from sketch_infer.strokes.preprocess import drawing_to_sketch, to_batch
from sketch_models import SketchRNN, load_checkpoint, run_eager, save_checkpoint
from sketch_models.training.cli import main
from sketch_models.training.data.augment import Augmentation, vary
from sketch_models.training.data.dataset import read_drawings
from sketch_models.training.data.files import read_training_data
from sketch_models.training.judging.summary import finish, warn_of_imbalance
from sketch_models.training.network.fast_path import FastSketchRNN
from sketch_models.training.run import load_start
from tests.models.drawn_classes import TINY, cross, train, two_classes, write
from tests.support import ROOT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return two_classes(tmp_path / "data")


def drawings_of(file: Path) -> list[dict[str, object]]:
    with gzip.open(file, "rt") as stream:
        return [json.loads(line) for line in stream]


def test_finish_folds_the_calibration_into_the_head(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.safetensors"
    torch.manual_seed(0)
    network = SketchRNN(3, 8, 2, sequence_length=40).eval()
    with torch.no_grad():  # the same weights at all steps: a head that is linear between knots
        network.fc_mu1.weight.copy_((20 * network.fc_mu1.weight[:, :16]).half().float().tile(30))
    save_checkpoint(path, network, ("circle", "cross"))
    drawings = read_training_data([data], val=two_classes(tmp_path / "val", first_id=5000))
    text = finish(path, drawings, workers=1)
    assert "expected calibration error" in text
    calibrated = load_checkpoint(path)
    temperature = float(calibrated.metadata["temperature"])
    assert temperature != pytest.approx(1, abs=0.05)
    batch, _ = to_batch([drawing_to_sketch(drawings.val.strokes(row)) for row in range(len(drawings.val))], 40)
    before, after = run_eager(network, batch)["logits"], run_eager(calibrated.model, batch)["logits"]
    bias = (after - before / temperature).mean(axis=0)
    np.testing.assert_allclose(after, before / temperature + bias, rtol=1e-2, atol=2e-3 * np.abs(after).max())
    # A run that starts from it knows nothing of val's drawings.
    start = load_start([path]).model.fc_mu1.bias.detach()
    torch.testing.assert_close(start, network.fc_mu1.bias.detach() / temperature, rtol=2e-3, atol=2e-3)
    labels = drawings.val.labels
    losses = [
        evaluate(run_eager(model, batch)["log_probs"], labels, ("a", "b")).loss for model in (network, calibrated.model)
    ]
    assert losses[1] < losses[0]
    # A second time it only judges.
    content = path.read_bytes()
    assert "by class:" in finish(path, drawings, workers=1)
    assert path.read_bytes() == content


def test_another_network_in_the_place_of_the_run_s_keeps_its_labels(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "two.safetensors"
    assert train(data, "-o", output, "--epochs", 1).exit_code == 0
    save_checkpoint(output, load_checkpoint(output).model, ("square", "star"))
    other = output.read_bytes()
    resumed = train(data, "-o", output, "--epochs", 1, "--resume")
    assert resumed.exit_code == 2
    assert "expected the classes of the run, circle; cross, found square; star" in resumed.output.splitlines()[-1]
    assert "judging it" not in resumed.output  # said before the epochs that may be left
    with pytest.raises(InputError, match="expected the classes of the run"):
        finish(output, read_training_data([data]), workers=1)
    assert output.read_bytes() == other


def test_few_mistakes_fit_no_temperature(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "two.safetensors"
    result = train(data, "-o", output, "--epochs", 8)
    assert "probabilities not calibrated" in result.output
    assert "temperature" not in load_checkpoint(output).metadata
    assert "circle  " in result.output  # accuracy by class
    assert "the run will take about 0:" in result.output


def test_imbalance_is_warned_of_unless_balanced(data: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    write(tmp_path / "data", "cross", [cross(rng) for _ in range(9)], first_id=1000)
    write(tmp_path / "val", "cross", [cross(rng) for _ in range(9)], first_id=5000)
    drawings = read_training_data([data], val=tmp_path / "val")
    warning = warn_of_imbalance(drawings, balance=0)
    assert warning
    assert "cross has 9 drawings, circle 60" in warning
    assert warn_of_imbalance(drawings, balance=1) is None


def test_starting_from_a_checkpoint_keeps_what_it_knows_by_class(data: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert train(data, "-o", first, "--epochs", 4).exit_code == 0
    start = load_checkpoint(first)
    core = SketchRNN(3, 8, 1, sequence_length=40)
    net = FastSketchRNN(core, 3)
    assert net.start_from(start.model, ("circle", "cross"), ("cross", "moon", "circle")) == 2
    batch = np.random.default_rng(0).normal(0, 0.1, (4, 40, 3)).astype(np.float32)
    logits = run_eager(net.to_sketch_rnn(3), batch)["logits"]
    np.testing.assert_allclose(logits[:, [2, 0]], run_eager(start.model, batch)["logits"], atol=1e-4)

    sizes = TINY[4:]  # all but the sizes that the checkpoint has
    write(tmp_path / "data", "moon", [[[[0, 9, 0], [0, y, y]]] for y in range(20, 60)], first_id=9000)
    arguments = [str(data), "--from", str(first), "-o", str(second), "--epochs", "1", *sizes]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "knows 2 of the 3 classes" in result.output
    assert load_checkpoint(second).labels == ("circle", "cross", "moon")
    refused = CliRunner().invoke(main, [*arguments, "--hidden-size", "8"])
    assert refused.exit_code == 2
    assert "expected --from without --hidden-size" in refused.output


def test_a_run_starts_from_an_included_model_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = load_start([Path("quickdraw-345")])
    assert len(start.labels or ()) == 345
    monkeypatch.setattr("sketch_models.included._FOLDER", tmp_path)
    with pytest.raises(ModelFileError, match="quickdraw-345: expected this model's checkpoint"):
        load_start([Path("quickdraw-345")])


def test_starting_from_two_checkpoints_takes_the_mean_of_their_weights(data: Path, tmp_path: Path) -> None:
    first, second, other = (tmp_path / f"{name}.safetensors" for name in ("first", "second", "other"))
    assert train(data, "-o", first, "--epochs", 1).exit_code == 0
    assert train(data, "-o", second, "--epochs", 1, "--seed", 1).exit_code == 0
    means = load_start([first, second]).model.state_dict()
    states = [load_checkpoint(path).model.state_dict() for path in (first, second)]
    for name, mean in means.items():
        torch.testing.assert_close(mean, (states[0][name] + states[1][name]) / 2)

    arguments = ["--from", str(first), "--from", str(second), "-o", str(other), "--epochs", "1", *TINY[4:]]
    result = CliRunner().invoke(main, [str(data), *arguments])
    assert result.exit_code == 0, result.output
    assert "--from first.safetensors --from second.safetensors" in load_checkpoint(other).metadata["training"]

    mean = tmp_path / "mean.safetensors"
    result = CliRunner().invoke(main, [str(data), *arguments[:4], "-o", str(mean), "--epochs", "0"])
    assert result.exit_code == 0, result.output
    assert "val top-1" in result.output
    for name, tensor in load_checkpoint(mean).model.state_dict().items():  # stored as float16
        torch.testing.assert_close(tensor, means[name], rtol=2e-3, atol=2e-3)
    nothing = CliRunner().invoke(main, [str(data), "-o", str(mean), "--epochs", "0"])
    assert nothing.exit_code == 2
    assert "expected --from with --epochs 0" in nothing.output

    save_checkpoint(second, load_checkpoint(second).model, ["circle", "star"])
    refused = CliRunner().invoke(main, [str(data), *arguments])
    assert refused.exit_code == 2
    assert f"{second}: expected the sizes and classes of {first}" in refused.output


def test_unfinished_drawings_are_the_first_points(data: Path) -> None:
    drawings, _ = read_drawings(data, ("circle", "cross"))
    rows = np.arange(60)  # circles of 14 points
    whole_xy, _, _ = drawings.padded(rows)
    xy, pen, lengths = vary(*drawings.padded(rows), Augmentation(unfinished=1), np.random.default_rng(0))
    assert 4 <= lengths.min() < lengths.max() <= 14
    for row, length in enumerate(lengths):
        assert pen[row, length - 1]
        # The same shape, but for the scale.
        steps, whole = (np.diff(points[row, :length], axis=0) for points in (xy, whole_xy))
        scale = np.linalg.norm(whole) / np.linalg.norm(steps)
        np.testing.assert_allclose(steps * scale, whole, atol=1e-3)


def test_splits_of_further_classes_hold_out_by_key_id(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder, word, count in (
        ("train", "circle", 30),
        ("val", "circle", 5),
        ("test", "circle", 6),
        ("extra", "cross", 90),
    ):
        write(
            tmp_path / folder,
            word,
            [[[rng.integers(0, 255, 4).tolist()] * 2] for _ in range(count)],
            len(folder) * 1000,
        )
    extra = tmp_path / "extra" / "cross.ndjson.gz"
    records = drawings_of(extra)
    lines = [json.dumps(record) for record in records]
    nameless = [json.dumps({**record, "key_id": None}) for record in records[:20]]
    extra.write_bytes(gzip.compress("\n".join(nameless + lines[20:]).encode()))
    more = tmp_path / "more"
    more.mkdir()
    new = json.dumps({"word": "cross", "key_id": None, "drawing": [[[1, 2, 3], [4, 5, 6]]]})
    (more / "cross.ndjson.gz").write_bytes(gzip.compress("\n".join([*nameless, *lines[20:], new]).encode()))
    script = ROOT / "models" / "prepare_quickdraw.py"
    said = []
    for name in ("one", "two"):
        run = subprocess.run(
            [sys.executable, script, tmp_path, tmp_path / name], capture_output=True, text=True, check=True
        )
        said.append(run.stdout)
    assert said[0] == said[1]
    assert "2 classes; 71 drawings in train, 30 in val, 31 in test" in said[0]  # 30 + 90 - 50 + the new one
    split = {part: drawings_of(tmp_path / "one" / part / "cross.ndjson.gz") for part in ("train", "val", "test")}
    held = {record["key_id"] for part in ("val", "test") for record in split[part]}
    assert None not in held
    assert len(held) == 50
    assert held.isdisjoint(record["key_id"] for record in split["train"])
    assert {path.name for path in (tmp_path / "one" / "known").iterdir()} == {"circle.ndjson.gz"}
    assert drawings_of(tmp_path / "one" / "others" / "cross.ndjson.gz") == split["train"]
    for part in ("train", "val", "test"):
        one, two = (tmp_path / name / part / "cross.ndjson.gz" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
