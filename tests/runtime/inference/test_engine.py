"""Many sketches through one session: their order, their number at a time, the machine's cores."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketch_infer import Classifier, ModelFileError
from sketch_infer.array_types import FloatArray
from sketch_infer.inference import cores
from sketch_infer.inference.batching import run_all
from sketch_infer.inference.session import Session


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

    def watch(self: Session, strokes: FloatArray, **options: Any) -> dict[str, FloatArray]:
        lengths.append([int(np.flatnonzero(sketch.any(axis=1)).max(initial=-1)) + 1 for sketch in strokes])
        return run(self, strokes, **options)

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

    def watch(self: Session, strokes: FloatArray, **options: Any) -> dict[str, FloatArray]:
        sizes.append(len(strokes))
        return run(self, strokes, **options)

    monkeypatch.setattr(Session, "run", watch)
    Classifier(tiny_onnx, "cpu", batch_size=16, threads=3).predict(mixed_sketches(8))
    assert sorted(sizes) == [2, 3, 3]


def test_a_chunk_that_fails_in_a_worker_is_raised(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Session, strokes: FloatArray, **_options: Any) -> dict[str, FloatArray]:
        raise ModelFileError(f"the model does not run on a batch of {len(strokes)}")

    monkeypatch.setattr(Session, "run", fail)
    with pytest.raises(ModelFileError, match="a batch of 2"):
        Classifier(tiny_onnx, "cpu", batch_size=2, threads=2).predict(mixed_sketches(8))


V1 = "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"
NESTED = "0::/user.slice/job.scope\n"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, 4),
        ("0::/\n", {"cpu.max": "150000 100000"}, 2),
        ("0::/\n", {"cpu.max": "20000 100000"}, 1),
        ("0::/\n", {"cpu.max": "900000 100000"}, 4),
        ("0::/../other\n", {"cpu.max": "200000 100000"}, 2),
        ("0::/\n", {}, 4),
        (NESTED, {"user.slice/cpu.max": "300000 100000", "user.slice/job.scope/cpu.max": "max 100000"}, 3),
        (NESTED, {"user.slice/cpu.max": "300000 100000", "user.slice/job.scope/cpu.max": "110000 100000"}, 2),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 4),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "250000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 3),  # a container
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "50000", "cpu/docker/abc/cpu.cfs_period_us": "100000"}, 1),
        (V1 + "0::/\n", {"unified/cpu.max": "100000 100000"}, 1),
        (None, {"cpu.max": "100000 100000"}, 4),
    ],
)
def test_the_cores_of_a_control_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, membership: str | None, files: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(cores, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "_MEMBERSHIP", tmp_path / "membership")
    if membership is not None:
        (tmp_path / "membership").write_text(membership)
    for name, content in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    assert cores.usable_cores() == expected


def test_the_memory_of_a_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_GROUPS", tmp_path)
    monkeypatch.setattr(cores, "_MEMBERSHIP", tmp_path / "membership")
    (tmp_path / "membership").write_text("3:memory:/a\n0::/\n")
    assert cores.memory_limit() == 0
    (tmp_path / "memory" / "a").mkdir(parents=True)
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert cores.memory_limit() == 0
    (tmp_path / "memory" / "a" / "memory.limit_in_bytes").write_text("1048576\n")
    assert cores.memory_limit() == 1048576
