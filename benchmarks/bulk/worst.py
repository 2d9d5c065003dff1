"""`python -m benchmarks.bulk.worst`: the most memory that the worst inputs of each form take.

Each file is as small as its form allows and unpacks to as much as the limits of the readers let through.
"""

import gzip
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "memory.json"

_PEAK = """
import sys
from sketch_infer.cli.main import main
try: main(sys.argv[1:])
finally:
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print("peak", line.split()[1])
"""


def npz(path: Path, n: int) -> None:
    """N sketches of a million rows, all zeros, one byte a number."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as file,
    ):
        shape = (n, 1_000_000, 3)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for _ in range(n):
            file.write(bytes(3_000_000))


def npy(path: Path, n: int) -> None:
    """N sketches of a million rows of random differences in Fortran order, eight bytes a number."""
    rows = np.random.default_rng(0).normal(0, 9, (n, 1_000_000, 3))
    rows[..., 2] = 0
    np.save(path, np.asfortranarray(rows))


def ndjson(path: Path, n: int) -> None:
    """N lines of four megabytes: drawings of 500,000 points, after a small one each, in an archive."""
    axis = [number % 256 for number in range(500_000)]
    large = json.dumps({"drawing": [[axis, axis[::-1]]]}, separators=(",", ":"))
    small = json.dumps({"word": "c" * 900, "drawing": [[[1, 2, 30], [3, 4, 50]]]})
    path.write_bytes(gzip.compress(f"{small}\n{large[: 2**22]}\n".encode() * n, 6))


def objects(path: Path, n: int) -> None:
    """N lines of as many empty objects as fit into four megabytes."""
    path.write_bytes(gzip.compress((b'{"drawing": [' + b",".join([b"{}"] * 1_390_000) + b"]}\n") * n, 6))


def binary(path: Path, n: int) -> None:
    """N drawings of 30 strokes of 65,535 points."""
    stroke = (65_535).to_bytes(2, "little") + bytes(range(256)) * 512
    path.write_bytes((bytes(15) + (30).to_bytes(2, "little") + b"".join([stroke[: 2 + 2 * 65_535]] * 30)) * n)


def nested(path: Path, n: int) -> None:
    """N rows of a million points, all the same, in a table of nested lists."""
    import pyarrow as pa
    import pyarrow.parquet

    axis = pa.array(np.zeros(1_000_000, np.int64))
    strokes = pa.ListArray.from_arrays(pa.array([0, 1_000_000, 2_000_000], pa.int32()), pa.concat_arrays([axis, axis]))
    drawing = pa.ListArray.from_arrays(pa.array([0, 2], pa.int32()), strokes)
    row = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), drawing)
    table = pa.table({"drawing": pa.chunked_array([row] * n)})
    pyarrow.parquet.write_table(table, path, compression="zstd")


def dictionary(path: Path, n: int) -> None:
    """N rows of one JSON text of four megabytes, which a dictionary holds once."""
    import pyarrow as pa
    import pyarrow.parquet

    text = json.dumps([[list(range(256)) * 2_200] * 2], separators=(",", ":"))[: 2**22]
    table = pa.table({"drawing": pa.array([text] * n, pa.string())})
    pyarrow.parquet.write_table(table, path, compression="zstd")


WORST: dict[str, tuple[str, Callable[[Path, int], None], int]] = {
    ".npz": ("worst.npz", npz, 200),
    ".npy": ("worst.npy", npy, 4),
    ".ndjson.gz, points": ("points.ndjson.gz", ndjson, 10),
    ".ndjson.gz, objects": ("objects.ndjson.gz", objects, 4),
    ".bin": ("worst.bin", binary, 8),
    ".parquet, lists": ("nested.parquet", nested, 6),
    ".parquet, text": ("text.parquet", dictionary, 40),
}
"""By form: a file's name, who writes it, and for how many sketches."""


def peak_megabytes(file: Path, *options: str) -> float:
    """Classify a file in a process of its own and return the most memory that it took.

    Raises:
        RuntimeError: if the command did not end as commands do.
    """
    command = [sys.executable, "-c", _PEAK, str(file), "-q", "--provider", "cpu", "--on-error", "skip"]
    output = ["--output", str(file.with_name("out.csv"))]
    done = subprocess.run([*command, *output, *options], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 2) or "Traceback" in done.stderr:
        raise RuntimeError(f"{file.name}: exit code {done.returncode}: {done.stderr[-500:]}")
    return int(done.stdout.rpartition("peak ")[2]) / 1024


@click.command()
def main() -> None:
    """Print the table, and write it to benchmarks/results/memory.json."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "one.npy", np.zeros((1, 2, 3), np.float32))
        rows["one sketch"] = {"sketches": 1, "bytes": 152, "peak MB": round(peak_megabytes(Path(folder) / "one.npy"))}
        for form, (name, write, n) in WORST.items():
            write(file := Path(folder) / name, n)
            size, peak = file.stat().st_size, peak_megabytes(file)
            rows[form] = {"sketches": n, "bytes": size, "peak MB": round(peak)}
            file.unlink()
            click.echo(f"{form:20} {n:>6} sketches {size:>14,} bytes {peak:6.0f} MB")
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
