"""Answers into a folder of parquet files that is there as a whole or not at all, each row once."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import ray
from ray.data import Datasink
from ray.data.block import BlockAccessor

from sketch_infer.errors import OutputError, writing_errors
from sketch_infer.ray.columns import ERRORS, shard

_ROWS_A_SHARD = 65536
_ROW_GROUP = 16384
_ERRORS = "_errors"
"""Folder of the side output; Arrow, Spark and Ray leave out names that begin so when they read the folder above."""


@dataclass(frozen=True)
class Written:
    """What a run wrote.

    Attributes:
        n_sketches: rows with answers.
        n_cut: those of them that had more points than the network reads.
        n_errors: rows and files in the side output.
        reason: one of them.
    """

    n_sketches: int
    n_cut: int
    n_errors: int
    reason: str


@dataclass(frozen=True)
class _Shard:
    """What one task wrote: its place in the order of tasks, its files ("" for none), and as `Written`."""

    place: int
    answers: str
    errors: str
    counts: Written


def write_dataset(
    dataset: "ray.data.Dataset", output: str | Path, *, overwrite: bool = False, in_order: bool = False
) -> Written:
    """Run a data set of `predict_dataset(read_dataset(...))`, and write its rows.

    Args:
        dataset: rows with source and index, answers, and errors.
        output: the folder, which all machines of the cluster see: `part-00000.parquet` and so on, with the columns of
            `--output FILE.parquet`, and logits where there are any; in `_errors` source and reason of the rest.
        overwrite: whether to take the place of the folder of an earlier run, once this one is complete.
        in_order: whether the rows, from the first shard to the last, are to be in the order of the input.

    Raises:
        OutputError: if the folder is there, or cannot be written.
        InputError: if a row or file cannot be used and is not to be skipped.
    """
    output = Path(output)
    with _whole_folder(output, overwrite) as folder:
        sink = _ShardSink(folder, output)
        dataset.context.execution_options.preserve_order = in_order
        dataset.write_datasink(sink, ray_remote_args={"num_cpus": 0})  # as readers
        return sink.written


@contextmanager
def _whole_folder(output: Path, overwrite: bool) -> Iterator[Path]:
    """Give the block a folder beside `output`, which takes its place when the block ends well."""
    target = output.resolve()
    refuse_taken(output, overwrite)
    folder = target.with_name(f".{target.name[:40]}-{os.urandom(4).hex()}")
    try:
        with writing_errors(output):
            (folder / _ERRORS).mkdir(parents=True)
            yield folder
            refuse_taken(output, overwrite)  # another run may have been faster
            if target.exists():
                old = folder.with_name(folder.name + "-old")
                target.rename(old)
                folder.rename(target)
                shutil.rmtree(old, ignore_errors=True)
            else:
                folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_taken(output: Path, overwrite: bool) -> None:
    """Refuse a folder that is taken.

    Raises:
        OutputError: if there is something that is not an empty folder, and is not to be overwritten or was not written
            by `write_dataset`: a slip in the name must not cost a home folder. Or if it is no folder, but a URI.
    """
    if re.match(r"\w+:/", str(output)):  # Path has taken one of the two slashes
        raise OutputError(
            f"{output}: expected a folder, found a URI; docs/ray.md says how to write to an object store from Python"
        )
    if not output.exists():
        return
    if not output.is_dir():
        raise OutputError(f"{output}: expected a folder to write, found a file")
    found = [path.name for path in output.iterdir()]
    if found and not overwrite:
        raise OutputError(
            f"{output}: expected a new or empty folder, found {min(found)} in it; --overwrite replaces what is there"
        )
    others = [
        name for name in found if name != _ERRORS and not (name.startswith("part-") and name.endswith(".parquet"))
    ]
    if others:
        raise OutputError(f"{output}: expected an earlier run's shards to overwrite, found {min(others)} among them")


class _ShardSink(Datasink):  # type: ignore[misc]  # Ray's classes are untyped
    """Writes each task's rows to files of their own name, and keeps those that Ray counts as done.

    Ray runs a task again when its process dies, even if it had written its file by then: what is not reported as a
    result is removed at the end.
    """

    def __init__(self, folder: Path, output: Path) -> None:
        self._folder, self._output = folder, output
        self.written = Written(0, 0, 0, "")

    @property
    def min_rows_per_write(self) -> int:
        """Rows that make a shard."""
        return _ROWS_A_SHARD

    def write(self, blocks: Iterable[Any], ctx: Any) -> _Shard:
        """Write a task's rows, on a worker."""
        if not self._folder.is_dir():
            raise OutputError(
                f"{self._output}: expected a folder that all machines of the cluster see, found it missing"
            )
        table = pa.concat_tables([BlockAccessor.for_block(block).to_arrow() for block in blocks])
        good = table.filter(pc.is_null(table["error"]))
        bad = table.filter(pc.is_valid(table["error"]))
        name = f"{ctx.task_idx:08d}-{os.urandom(4).hex()}.parquet"
        with writing_errors(self._output):
            if len(good):
                columns = shard("logits" in good.column_names)
                answers = pa.table([good[field.name].cast(field.type) for field in columns], schema=columns)
                path = self._folder / name
                pyarrow.parquet.write_table(answers, path, row_group_size=_ROW_GROUP, compression="zstd")
            if len(bad):
                reasons = pa.table([bad["source"], bad["error"]], schema=ERRORS)
                pyarrow.parquet.write_table(reasons, self._folder / _ERRORS / name, compression="zstd")
        counts = Written(
            len(good), pc.sum(good["cut"]).as_py() or 0, len(bad), bad["error"][0].as_py() if len(bad) else ""
        )
        return _Shard(ctx.task_idx, name if len(good) else "", name if len(bad) else "", counts)

    def on_write_complete(self, write_result: Any) -> None:
        """Name the shards in order, remove what tasks left that ran again, and sum up."""
        shards = sorted(write_result.write_returns, key=lambda one: one.place)
        self._keep(self._folder, [one.answers for one in shards if one.answers])
        self._keep(self._folder / _ERRORS, [one.errors for one in shards if one.errors])
        if not any(one.errors for one in shards):
            (self._folder / _ERRORS).rmdir()
        counts = [one.counts for one in shards]
        self.written = Written(
            sum(count.n_sketches for count in counts),
            sum(count.n_cut for count in counts),
            sum(count.n_errors for count in counts),
            next((count.reason for count in counts if count.reason), ""),
        )

    @staticmethod
    def _keep(folder: Path, names: list[str]) -> None:
        for path in folder.glob("*.parquet"):
            if path.name not in names:
                path.unlink()
        for number, name in enumerate(names):
            (folder / name).rename(folder / f"part-{number:05d}.parquet")
