"""Files into a Ray Dataset of sketches, by Ray's reader of files and this project's readers of their contents.

Ray's `read_text`, `read_json` and `read_numpy` hold a whole file in memory and do not say which line or row a row was;
`FileBasedDatasource` under them streams, opens files wherever they are, and leaves the contents to whom knows them.
"""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import ray
from ray.data.datasource import DefaultFileMetadataProvider, FileBasedDatasource

from sketch_infer.errors import InputError
from sketch_infer.ray.columns import ReadRows
from sketch_infer.readers.files import STDIN, SUFFIXES, expand_folders, read_sketches
from sketch_infer.readers.listener import ReadListener
from sketch_infer.readers.sketch import InputFormat, OnError, check_on_error

_BLOCK_ROWS = 512
_BLOCK_BYTES = 2**20
"""A block is what an actor takes at a time: some 1,600 drawings, a second or two. Ray's own 128 MiB would be three
minutes, and all of 200,000 drawings for one actor."""

_CORES_A_READER = 4
"""Cores of the cluster to one task that reads: raw pen points, the slowest to read, take a fifth of the time of their
classification, simplified drawings a thirtieth."""


def read_dataset(
    paths: str | Iterable[str],
    *,
    input_format: InputFormat = "auto",
    on_error: OnError = "stop",
    filesystem: Any = None,
) -> "ray.data.Dataset":
    """Read files of drawings or strokes, in any format of `sketch-infer`.

    A file is read by one task from its start to its end, so that each row keeps its index; blocks of it go on while the
    rest is read.

    Args:
        paths: files or folders: all of this machine, as all machines of the cluster see them, or all URIs of one object
            store (``s3://``, ``gs://``, ``abfs://`` and what else Arrow and fsspec open).
        input_format: as `--input-format`.
        on_error: "stop" at a row or file that cannot be used, or "skip" it: it becomes a row with an `error`.
        filesystem: of pyarrow or fsspec, where the paths do not say it.

    Returns:
        rows of source and index, the key; strokes, float32 dx, dy, pen of one point after the other; and error.

    Raises:
        InputError: if there is nothing to read, paths are mixed, a file is named twice or `on_error` is another word;
            later, with "stop", if a row or file cannot be used.
    """
    check_on_error(on_error)
    named = [paths] if isinstance(paths, str) else list(paths)
    remote = [path for path in named if "://" in path]
    if STDIN in named:
        raise InputError("standard input cannot be read by a cluster; name files")
    if remote and len(remote) < len(named):
        raise InputError(f"expected all files in one place, found {remote[0]} beside files of this machine")
    if remote or filesystem:
        source = _SketchSource(named, filesystem, input_format, on_error == "skip")
    else:
        source = _SketchSource(_files_here(named, on_error), None, input_format, on_error == "skip")
    dataset = ray.data.read_datasource(
        source,
        # Ray counts no core for a reader: where actors have them all, as after a machine was lost, it would never run.
        num_cpus=0,
        concurrency=min(source.n_files, max(2, cluster_cores() // _CORES_A_READER)),
        # As many tasks as files: asked for more, Ray would cut each block into that many.
        override_num_blocks=source.n_files,
    )
    dataset.context.target_max_block_size = _BLOCK_BYTES
    return dataset


def cluster_cores() -> int:
    """Return how many cores Ray has; starts or joins a Ray as its data sets do, if there is none yet."""
    if not ray.is_initialized():
        ray.init()
    return int(ray.cluster_resources().get("CPU", 0))


def _files_here(named: list[str], on_error: OnError) -> dict[str, str]:
    """Return the files of this machine by their absolute paths, since a worker may run in another folder."""
    files: dict[str, str] = {}
    for name in expand_folders(named):
        path = os.path.abspath(name)  # noqa: PTH100  # resolve() would follow links, whose target has another suffix
        if path in files:
            raise InputError(f"{name}: named twice; source and index would not identify a row")
        if on_error == "stop" and not Path(path).exists():
            raise InputError(f"{name}: no such file")
        files[path] = name
    return files


class _NotListed(DefaultFileMetadataProvider):  # type: ignore[misc]  # Ray's classes are untyped
    """Takes files as they are named: what is missing becomes an error of its row, and the order stays."""

    def expand_paths(self, paths: list[str], *_: Any, **__: Any) -> Iterator[tuple[str, int | None]]:
        """Yield each path and its size."""
        for path in paths:
            yield path, Path(path).stat().st_size if Path(path).exists() else None


class _SketchSource(FileBasedDatasource):  # type: ignore[misc]  # Ray's classes are untyped
    """Reads sketches of files.

    Args:
        files: URIs; or files of this machine, what the user calls them by their absolute paths.
        filesystem: of pyarrow or fsspec, or None for what the URIs say.
        input_format: what the numbers mean.
        skips: whether what cannot be used becomes a row with an error.
    """

    def __init__(
        self, files: list[str] | dict[str, str], filesystem: Any, input_format: InputFormat, skips: bool
    ) -> None:
        self._names = files if isinstance(files, dict) else {}
        scheme, remote, _ = next(iter(files)).partition("://")
        self._scheme = scheme + remote if remote else ""  # which Ray takes off
        self._input_format, self._skips = input_format, skips
        options: dict[str, Any] = {"filesystem": filesystem}
        if self._names:
            options["meta_provider"] = _NotListed()
        else:
            options["file_extensions"] = [suffix[1:] for suffix in SUFFIXES]
        super().__init__(list(files), **options)
        self.n_files = len(self._paths())

    def get_name(self) -> str:
        """Return what progress bars call the reading."""
        return "Sketches"

    def _open_input_source(
        self, filesystem: Any, path: str, **_: object
    ) -> AbstractContextManager[Callable[[], BinaryIO]]:
        """Leave the opening to `_read_stream`, where a file that cannot be opened is one row's error."""
        if self._names:
            return nullcontext(lambda: Path(path).open("rb"))
        return nullcontext(lambda: io.BufferedReader(filesystem.open_input_file(path)))

    def _read_stream(self, f: Callable[[], BinaryIO], path: str) -> Iterator[pa.Table]:
        source = self._names.get(path, self._scheme + path)
        rows = _FileRows(source, self._skips)
        try:
            opened = f()
        except FileNotFoundError:
            rows.bad(InputError(f"{source}: no such file"))
        except OSError as error:
            rows.bad(InputError(f"{source}: cannot be read: {error.strerror or error}"))
        else:
            with opened:
                for sketch in read_sketches(source, self._input_format, rows, opened):
                    rows.found.add(sketch)
                    if len(rows.found) >= _BLOCK_ROWS or rows.found.n_bytes >= _BLOCK_BYTES:
                        yield rows.found.take()
        if rows.found:
            yield rows.found.take()


class _FileRows(ReadListener):
    """Keeps what a file has, errors among it."""

    def __init__(self, source: str, skips: bool) -> None:
        self._source, self.skips = source, skips
        self.found = ReadRows()

    def bad(self, error: InputError, _position: int | None = None, /) -> None:
        """Add the error as a row, or stop."""
        if not self.skips:
            raise error
        self.found.add_error(self._source, str(error))
