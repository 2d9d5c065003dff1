"""Many sketches through one session: their order, their number at a time, the machine's cores."""

import os
from pathlib import Path

import numpy as np
import pytest

from sketch_infer import Classifier, ModelFileError
from sketch_infer.inference import cores
from sketch_infer.inference.batching import run_all
from sketch_infer.inference.session import Session
from sketch_infer.strokes.preprocess import FloatArray


def mixed_sketches(n_sketches: int) -> list[FloatArray]:
    random = np.random.default_rng(0)
    sketches = random.uniform(-0.03, 0.03, (n_sketches, 24, 3)).astype(np.float32)
    sketches[:, :, 2] = 0
    return [sketch[:n] for sketch, n in zip(sketches, random.integers(0, 25, n_sketches), strict=True)]


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 1), (3, 4), (100, 2)])
def test_results_stand_in_the_order_of_the_sketches(tiny_onnx: Path, batch_size: int, workers: int) -> None:
    session, sketches = Session(tiny_onnx, "cpu"), mixed_sketches(40)
    found, n_cut = run_all(session, sketches, batch_size, workers)
    assert n_cut == sum(len(sketch) > 24 for sketch in sketches)
    for row, sketch in enumerate(sketches):
        alone, _ = run_all(session, [sketch], 1, 1)
        for name, values in alone.items():
            np.testing.assert_array_equal(found[name][row], values[0])


def test_chunks_hold_sketches_of_like_lengths(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[list[int]] = []
    run = Session.run

    def watch(self: Session, strokes: FloatArray) -> dict[str, FloatArray]:
        lengths.append([int(np.flatnonzero(sketch.any(axis=1)).max(initial=-1)) + 1 for sketch in strokes])
        return run(self, strokes)

    monkeypatch.setattr(Session, "run", watch)
    sketches = mixed_sketches(20)
    padded = np.zeros((20, 24, 3), np.float32)
    for row, sketch in enumerate(sketches):
        padded[row, : len(sketch)] = sketch[:24]
    Classifier(tiny_onnx, "cpu", batch_size=6, threads=1).predict(padded)  # the padding of an array does not count
    assert [len(chunk) for chunk in lengths] == [6, 6, 6, 2]
    in_turn = [length for chunk in lengths for length in chunk]
    assert in_turn == sorted(in_turn, reverse=True)


def test_every_worker_has_a_chunk(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    run = Session.run

    def watch(self: Session, strokes: FloatArray) -> dict[str, FloatArray]:
        sizes.append(len(strokes))
        return run(self, strokes)

    monkeypatch.setattr(Session, "run", watch)
    Classifier(tiny_onnx, "cpu", batch_size=16, threads=3).predict(mixed_sketches(8))
    assert sorted(sizes) == [2, 3, 3]


def test_a_chunk_that_fails_in_a_worker_is_raised(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Session, strokes: FloatArray) -> dict[str, FloatArray]:
        raise ModelFileError(f"the model does not run on a batch of {len(strokes)}")

    monkeypatch.setattr(Session, "run", fail)
    with pytest.raises(ModelFileError, match="a batch of 2"):
        Classifier(tiny_onnx, "cpu", batch_size=2, threads=2).predict(mixed_sketches(8))


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 4), ("150000 100000", 2), ("20000 100000", 1), ("900000 100000", 4), (None, 4)],
)
def test_the_cores_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(cores, "_CPU_LIMIT", tmp_path / "cpu.max")
    if limit:
        (tmp_path / "cpu.max").write_text(limit + "\n")
    assert cores.usable_cores() == expected
