"""The engine on Ray Data: the one-process engine's answers, each row once, whatever dies on the way."""

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ray = pytest.importorskip("ray", reason="ray[data] is not installed", exc_type=ImportError)

import pyarrow as pa
import pyarrow.parquet
from ray.cluster_utils import Cluster

from sketch_infer import InputError, OutputError
from sketch_infer.errors import EngineError, ModelFileError
from sketch_infer.ray import SketchPredictor, predict_dataset, read_dataset, shards, source, write_dataset
from tests import tiny
from tests.docs.pages import CLI_COMMANDS
from tests.runtime.ray.ray_rows import drawing, expected, found, same, write_inputs
from tests.support import SAMPLES, Run

pytestmark = [
    # Ray's own, of its worker processes, its sockets and log files, and of a data set with fewer blocks than actors.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The minimum number of concurrent actors:UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]

SECONDS = 180
"""A test's most, on a busy machine; Ray waits for ever for what cannot come."""


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Cluster]:
    """Two machines, as far as Ray can tell, of one core each; the second one is `worker_nodes`."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    machine = {"num_cpus": 1, "object_store_memory": 2**27, "include_dashboard": False}
    # So that a lost machine is missed within seconds, and not within half a minute.
    noticing = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    cluster = Cluster(initialize_head=True, head_node_args={**machine, "_system_config": noticing})
    cluster.add_node(**machine)
    ray.init(cluster.address, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(autouse=True)
def at_most() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return write_inputs(tmp_path / "in")


def write_and_compare(dataset: Any, output: Path, model: Path, inputs: Path, n: int = 2603) -> None:
    written = write_dataset(dataset, output)
    rows, logits, _ = found(output)
    assert written.n_sketches == len(rows) == n
    assert same(rows, logits, model, str(inputs))


def test_the_command_answers_bit_for_bit_and_in_order(
    sketch_infer: Run, inputs: Path, tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FirstIsSlow(source._SketchSource):
        def _read_stream(self, f: Any, path: str) -> Iterator[pa.Table]:
            time.sleep(2 * path.endswith("a b.ndjson"))
            yield from super()._read_stream(f, path)

    monkeypatch.setattr(source, "_SketchSource", FirstIsSlow)
    monkeypatch.setattr(shards, "_ROWS_A_SHARD", 1000)
    options = ["--engine", "ray", "--model", tiny_onnx, "--logits", "--in-order", "--output", tmp_path / "out"]
    result = sketch_infer(inputs, *options)
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) > 1
    rows, logits, reasons = found(tmp_path / "out")
    assert same(rows, logits, tiny_onnx, str(inputs))
    keys = [(row["source"], row["index"]) for row in rows]
    assert keys == sorted(keys)
    assert reasons == []
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out"]

    again = sketch_infer(inputs, *options)
    assert again.exit_code == 2
    assert "expected a new or empty folder" in again.stderr
    other = sketch_infer(inputs / "e.npy", *options, "--overwrite")
    assert other.exit_code == 0, other.output
    assert len(found(tmp_path / "out")[0]) == 100


def test_what_cannot_be_used_is_listed_and_the_rest_answered(
    sketch_infer: Run, inputs: Path, tiny_onnx: Path, tmp_path: Path
) -> None:
    whole = (inputs / "c.ndjson.gz").read_bytes()
    (inputs / "c.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    lines = (inputs / "a b.ndjson").read_bytes().splitlines(keepends=True)
    lines[7] = b"no drawing\n"
    (inputs / "a b.ndjson").write_bytes(b"".join(lines))
    (inputs / "g.npy").write_bytes(b"no array")
    sources = [str(inputs), str(tmp_path / "none.npy")]
    options = ["--engine", "ray", "--model", tiny_onnx, "--logits", "--output", tmp_path / "out"]
    stopped = sketch_infer(inputs, *options)
    assert stopped.exit_code == 2
    assert len(stopped.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))

    result = sketch_infer(*sources, *options, "--on-error", "skip")
    assert result.exit_code == 1
    assert "skipped 4 that could not be used" in result.stderr
    rows, logits, reasons = found(tmp_path / "out")
    assert same(rows, logits, tiny_onnx, *sources)
    assert sorted(reasons) == sorted(expected(tiny_onnx, *sources)[2])


def test_an_actor_killed_in_the_middle_loses_and_doubles_no_row(inputs: Path, tiny_onnx: Path, tmp_path: Path) -> None:
    marker = tmp_path / "killed"

    class KilledOnce(SketchPredictor):
        calls = 0

        def __call__(self, batch: pa.Table) -> pa.Table:
            type(self).calls += 1
            if type(self).calls == 2 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sketch_infer.ray.dataset.SketchPredictor", KilledOnce)
        dataset = predict_dataset(read_dataset(str(inputs)), tiny_onnx, actors=1, logits=True)
    write_and_compare(dataset, tmp_path / "out", tiny_onnx, inputs)
    assert marker.exists()


def test_a_reader_killed_in_the_middle_loses_and_doubles_no_row(
    inputs: Path, tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "killed"

    class KilledOnce(source._SketchSource):
        def _read_stream(self, f: Any, path: str) -> Iterator[pa.Table]:
            for number, table in enumerate(super()._read_stream(f, path)):
                yield table
                if number == 1 and not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(source, "_SketchSource", KilledOnce)
    monkeypatch.setattr(source, "_BLOCK_BYTES", 2**14)  # so that blocks are on their way by then
    dataset = predict_dataset(read_dataset(str(inputs)), tiny_onnx, actors=1, logits=True)
    write_and_compare(dataset, tmp_path / "out", tiny_onnx, inputs)
    assert marker.exists()


def test_a_writer_killed_after_its_file_doubles_no_row(tiny_onnx: Path, tmp_path: Path) -> None:
    marker = tmp_path / "killed"

    class KilledOnce(shards._ShardSink):
        def write(self, blocks: Any, ctx: Any) -> Any:
            result = super().write(blocks, ctx)
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return result

    dataset = predict_dataset(read_dataset(str(SAMPLES / "drawings.ndjson")), tiny_onnx, actors=1, logits=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "_ShardSink", KilledOnce)
        write_and_compare(dataset, tmp_path / "out", tiny_onnx, SAMPLES / "drawings.ndjson", n=8)
    assert marker.exists()


def test_the_class_takes_a_data_set_that_is_already_rays(tiny_onnx: Path) -> None:
    table = pa.table({"id": ["x", "y", "z"], "drawing": [drawing(0, 9), [[[1], [1]]], drawing(1, 5)]})
    model = ray.put(tiny_onnx.read_bytes())
    rows = (
        ray.data.from_arrow(table)
        .map_batches(
            SketchPredictor,
            fn_constructor_args=[model],
            fn_constructor_kwargs={"top_k": 2, "on_error": "skip"},
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=1),
        )
        .take_all()
    )
    assert [row["id"] for row in rows] == ["x", "y", "z"]
    assert [row["error"] is None for row in rows] == [True, False, True]
    assert rows[1]["label"] is None
    assert len(rows[0]["top"]) == 2
    assert "drawing" not in rows[0]


def test_files_that_are_no_local_ones_are_read_through_their_file_system(inputs: Path) -> None:
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    tree = SubTreeFileSystem(str(inputs), LocalFileSystem())
    dataset = read_dataset(["d.parquet", "c.ndjson.gz", "e.npy"], filesystem=tree)
    rows = dataset.take_all()
    for name, n in (("d.parquet", 100), ("c.ndjson.gz", 1200), ("e.npy", 100)):
        indices = sorted(row["index"] for row in rows if row["source"] == name)
        assert indices == list(range(n))
    (sketch,) = [row for row in rows if (row["source"], row["index"]) == ("e.npy", 3)]
    assert np.array_equal(np.array(sketch["strokes"], np.float32).reshape(-1, 3), np.load(inputs / "e.npy")[3][:9])


def test_strokes_that_are_none_are_refused(tiny_onnx: Path) -> None:
    predictor = SketchPredictor(tiny_onnx, on_error="skip")
    batch = pa.table({"strokes": pa.array([[0.1, 0.2, 1.0], [0.1], None, [float("nan")] * 3], pa.list_(pa.float32()))})
    errors = predictor(batch)["error"].to_pylist()
    assert errors[0] is None
    assert "found 1 numbers" in errors[1]
    assert "found null" in errors[2]
    assert "NaN" in errors[3]
    with pytest.raises(InputError, match="found 1 numbers"):
        SketchPredictor(tiny_onnx)(batch)
    with pytest.raises(InputError, match="expected a column strokes or drawing, found x"):
        predictor(pa.table({"x": [1]}))
    with pytest.raises(InputError, match="batch_format='pyarrow'"):
        predictor({"strokes": np.zeros(3)})


def test_a_model_of_pen_points_is_refused(inputs: Path) -> None:
    for refused in (
        lambda: predict_dataset(read_dataset(str(inputs)), tiny.OF_POINTS),
        lambda: SketchPredictor(tiny.OF_POINTS),
    ):
        with pytest.raises(ModelFileError, match="use the model that sketch-export wrote without --input points"):
            refused()


def test_gpus_are_asked_for_an_actor(monkeypatch: pytest.MonkeyPatch, tiny_onnx: Path) -> None:
    asked: dict[str, Any] = {}
    dataset = ray.data.range(1)
    monkeypatch.setattr(dataset, "map_batches", lambda *_, **options: asked.update(options))
    with pytest.raises(EngineError, match="1 in all; found a Ray cluster of 2 CPUs and 0 GPUs"):
        predict_dataset(dataset, tiny_onnx, num_gpus=1)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 16.0, "GPU": 4.0})
    predict_dataset(dataset, tiny_onnx, num_gpus=0.5)
    assert asked["num_gpus"] == 0.5
    assert asked["fn_constructor_kwargs"]["provider"] == "cuda"
    assert asked["compute"].max_size == 8
    predict_dataset(dataset, tiny_onnx)
    assert asked["fn_constructor_kwargs"]["provider"] == "cpu"
    assert asked["compute"].max_size == 16
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 255.0})
    predict_dataset(dataset, tiny_onnx)
    assert asked["compute"].max_size == 240


@pytest.mark.cuda
def test_actors_run_on_cuda(inputs: Path, tiny_onnx: Path, tmp_path: Path) -> None:
    if not ray.cluster_resources().get("GPU"):
        pytest.skip("Ray sees no GPU")
    dataset = predict_dataset(read_dataset(str(inputs)), tiny_onnx, num_gpus=1)
    assert write_dataset(dataset, tmp_path / "out").n_sketches == 2603


def test_a_folder_that_is_not_of_shards_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(OutputError, match=r"found thesis\.txt among"):
        write_dataset(ray.data.range(1), tmp_path, overwrite=True)
    with pytest.raises(OutputError, match="found a file"):
        write_dataset(ray.data.range(1), tmp_path / "thesis.txt", overwrite=True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--engine", "ray", "none.npy", "--output", "x"], "none.npy: no such file"),
        (["--engine", "ray", "s3://a/b", "none.npy", "--output", "x"], "expected all files in one place"),
        (["--engine", "ray", "{0}", "{0}", "--output", "x"], "named twice"),
        (["--engine", "ray", "{0}", "--output", "s3://a/b"], "found a URI"),
    ],
)
def test_inputs_and_outputs_that_cannot_be_are_told_in_one_line(
    sketch_infer: Run, strokes_file: Path, tiny_onnx: Path, arguments: list[str], reason: str
) -> None:
    result = sketch_infer(*[argument.format(strokes_file) for argument in arguments], "--model", tiny_onnx)
    assert result.exit_code == 2
    assert reason in result.stderr.splitlines()[-1]


@pytest.mark.usefixtures("default_onnx")
@pytest.mark.parametrize("command", sorted({command for command in CLI_COMMANDS if "--engine ray" in command}))
def test_documented_examples_run(
    sketch_infer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "samples").symlink_to(SAMPLES)
    monkeypatch.chdir(tmp_path)
    result = sketch_infer(*shlex.split(command)[1:])
    assert result.exit_code == 0, result.stderr
    assert len(found(tmp_path / "answers")[0]) == 16


def test_a_cluster_that_does_not_answer_is_told(tiny_onnx: Path, strokes_file: Path, tmp_path: Path) -> None:
    import subprocess

    command = [sys.executable, "-m", "sketch_infer", strokes_file, "--model", tiny_onnx, "--output", tmp_path / "out"]
    result = subprocess.run(
        [*map(str, command), "--engine", "ray", "--ray-address", "127.0.0.1:1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Error: Ray at 127.0.0.1:1 did not start" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_machine_lost_in_the_middle_loses_and_doubles_no_row(
    cluster: Cluster, inputs: Path, tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine,) = cluster.worker_nodes
    lost, marker = machine.node_id, tmp_path / "lost"

    class WaitsThere(SketchPredictor):
        calls = 0

        def __call__(self, batch: pa.Table) -> pa.Table:
            type(self).calls += 1
            if type(self).calls == 2 and ray.get_runtime_context().get_node_id() == lost:
                marker.touch()
                time.sleep(SECONDS)
            return super().__call__(batch)

    def lose() -> None:
        while not marker.exists():
            time.sleep(0.05)
        cluster.remove_node(machine, allow_graceful=False)

    monkeypatch.setattr("sketch_infer.ray.dataset.SketchPredictor", WaitsThere)
    monkeypatch.setattr(source, "_BLOCK_BYTES", 2**14)
    dataset = predict_dataset(read_dataset(str(inputs)), tiny_onnx, logits=True)
    thread = threading.Thread(target=lose, daemon=True)
    thread.start()
    write_and_compare(dataset, tmp_path / "out", tiny_onnx, inputs)
    thread.join()
