"""What the exporter wrote once and is committed: the sample drawings, and the tiny models of the runtime's tests."""

from pathlib import Path

import numpy as np
import pytest

from sketch_export import prove
from sketch_export.sample_drawings import DRAWINGS, write_samples
from sketch_infer import ParityError, read_sketches
from sketch_infer.inference.session import Session
from tests import tiny
from tests.networks import make_model
from tests.support import SAMPLES

NAMES = ("drawings.npy", "drawings.ndjson")


@pytest.mark.parametrize(
    ("path", "seed", "labels"),
    [
        (tiny.MODEL, 0, tiny.LABELS),
        (tiny.WITH_STATE, 0, tiny.LABELS),
        (tiny.OF_POINTS, 0, tiny.LABELS),
        (tiny.OTHER, 1, tiny.OTHER_LABELS),
    ],
)
def test_the_tiny_models_are_the_networks_that_the_tests_take_them_for(
    path: Path, seed: int, labels: tuple[str, ...]
) -> None:
    assert prove(path, make_model(seed=seed))
    assert Session(path, "cpu").metadata.labels == labels
    with pytest.raises(ParityError):
        prove(path, make_model(seed=2))


def test_the_tiny_models_stay_tiny() -> None:
    assert sum(path.stat().st_size for path in tiny.FOLDER.glob("*.onnx")) < 300_000


def test_sample_files_agree_and_are_what_the_code_draws(tmp_path: Path) -> None:
    write_samples(tmp_path)
    for name in NAMES:
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes()
    from_arrays, from_drawings = (list(read_sketches(str(SAMPLES / name))) for name in NAMES)
    assert len(from_arrays) == len(from_drawings) == len(DRAWINGS) == 8
    for array, drawing in zip(from_arrays, from_drawings, strict=True):
        np.testing.assert_array_equal(array.strokes[: len(drawing.strokes)], drawing.strokes)
        assert not array.strokes[len(drawing.strokes) :].any()
