"""Each row of docs/faults.md: the fault is made, and what the user sees and keeps is compared with the row."""

import contextlib
import ctypes
import gzip
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch

from benchmarks.bulk import forms
from sketch_export.cli.main import main as export_command
from sketch_infer import ModelFileError
from sketch_infer.checks.signing import read_signing_key, sign_file
from sketch_infer.inference.installed import find_model
from sketch_infer.model.integrity import DIGITS, content_sha256
from tests import tiny
from tests.networks import make_model
from tests.signing_keys import write_keys
from tests.support import ROOT, random_sketches, run_command

Outcome = tuple[int, str]

ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").partition("## Fuzzing")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| fault")
]
DRAWING = [[[0, 10, 20], [0, 5, 0]], [[3, 4], [5, 6]]]
LINE = json.dumps({"word": "cat", "drawing": DRAWING}) + "\n"
MANY = 3000
"""Drawings that take a while, so that a run can be caught in the middle."""


@dataclass
class Place:
    """A folder with a tiny model and some files, where the command runs."""

    folder: Path
    output: Path

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "sketch_infer", "--model", "tiny.onnx", *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": self.folder}
        return subprocess.Popen(command, **{**streams, **options})  # type: ignore[call-overload, no-any-return]

    def run(self, *arguments: str, output: str | None = "out.csv", **options: object) -> Outcome:
        self.output = self.folder / (output or "out.csv")
        if output:
            self.output.write_text("old")
            arguments = (*arguments, "--output", output)
        process = self.start(*arguments, **options)
        _, stderr = process.communicate(timeout=60)
        return process.returncode, stderr

    def partial(self) -> Path | None:
        return next(iter(self.folder.glob(".out.jsonl.*.partial")), None)

    def caught(self, *arguments: str, with_signal: int, output: str = "out.jsonl") -> Outcome:
        """Send a signal when there is something to lose."""
        self.output = self.folder / output
        self.output.write_text("old")
        process = self.start("many.ndjson", "--output", output, *arguments)
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            hidden = [path for path in self.folder.glob(".out*") if path.stat().st_size]
            if hidden:
                process.send_signal(with_signal)
                break
            time.sleep(0.002)
        _, stderr = process.communicate(timeout=60)
        return process.returncode, stderr


def _kept(place: Place, what: str) -> None:
    partial = place.partial()
    if what == "the old output":
        assert place.output.read_text() == "old"
        assert not [path.name for path in place.folder.iterdir() if path.name.startswith(".")]
    elif what == "the other results":
        records = place.output.read_text().splitlines()
        assert len(records) == 2 + 1  # and the header
    elif what == "the lines so far":
        assert place.output.read_text() == "old"
        assert partial
        lines = partial.read_bytes().split(b"\n")[:-1]
        assert lines
        assert [json.loads(line)["index"] for line in lines] == list(range(len(lines)))
    elif what == "the input":
        np.testing.assert_array_equal(np.load(place.folder / "strokes.npy"), random_sketches(3, 24, seed=5))
    else:
        assert what == "nothing"


@pytest.fixture
def place(tmp_path: Path, tiny_onnx: Path) -> Place:
    (tmp_path / "tiny.onnx").write_bytes(tiny_onnx.read_bytes())
    np.save(tmp_path / "strokes.npy", random_sketches(3, 24, seed=5))
    (tmp_path / "good.ndjson").write_text(LINE * 2)
    (tmp_path / "empty").mkdir()
    return Place(tmp_path, tmp_path / "out.csv")


def _int8(place: Place) -> str:
    try:
        return _write(place, "int8.onnx", find_model(None, "int8").read_bytes())
    except ModelFileError as error:
        pytest.skip(f"no int8 model: {error}")


def _write(place: Place, name: str, content: bytes) -> str:
    (place.folder / name).write_bytes(content)
    return name


def _npy(array: np.ndarray) -> bytes:
    import io

    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _pickled(place: Place) -> Outcome:
    ragged = np.array([np.zeros((2, 3)), np.zeros((4, 3))], object)
    np.savez(place.folder / "pickled.npz", train=ragged, allow_pickle=True)
    return place.run("pickled.npz")


def _short_npz(place: Place) -> Outcome:
    np.savez(place.folder / "whole.npz", train=np.zeros((9, 24, 3)))
    return place.run(_write(place, "short.npz", (place.folder / "whole.npz").read_bytes()[:-30]))


def _nan(place: Place) -> str:
    strokes = np.zeros((3, 24, 3), np.float32)
    strokes[2, 1] = np.nan
    return _write(place, "nan.npy", _npy(strokes))


def _other_operator(place: Place) -> str:
    content = tiny.MODEL.read_bytes().replace(b"Concat", b"Einsum")
    return _write(place, "other.onnx", content[:-DIGITS] + content_sha256(content))


def _bad_line(place: Place) -> str:
    return _write(place, "bad.ndjson", (LINE * 2 + "x\n").encode())


def _short_gzip(place: Place) -> str:
    # Enough lines that the cut falls behind two of them.
    content = gzip.compress((LINE * 2).encode())
    return _write(place, "short.ndjson.gz", content[:-4])


def _full(place: Place, output: str) -> Outcome:
    """Run with a limit on the size of files, which fails like a full disk."""
    _write(place, "many.ndjson", (LINE * MANY).encode())

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    return place.run("many.ndjson", output=output, preexec_fn=limit)


def _interrupted(place: Place, with_signal: int, output: str = "out.jsonl") -> Outcome:
    _write(place, "many.ndjson", (LINE * 10 * MANY).encode())  # a run that lasts
    return place.caught("--quiet", with_signal=with_signal, output=output)


def _resumed_with_others(place: Place) -> Outcome:
    assert _interrupted(place, signal.SIGKILL)[0] == -signal.SIGKILL
    return place.run("good.ndjson", "--resume", output="out.jsonl")


def _second_run(place: Place, source: str = "many.ndjson") -> Outcome:
    _write(place, "many.ndjson", (LINE * 10 * MANY).encode())
    place.output = place.folder / "out.jsonl"
    place.output.write_text("old")
    first = place.start("many.ndjson", "--output", "out.jsonl")
    while first.poll() is None and not ((partial := place.partial()) and partial.stat().st_size):
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)  # until the second one has been turned away
    try:
        return place.run(source, output="out.jsonl")
    finally:
        first.kill()
        first.communicate(timeout=60)


def _resumed_from_pipe(place: Place) -> Outcome:
    os.mkfifo(place.folder / "pen.ndjson")
    return place.run("pen.ndjson", "--resume", output="out.jsonl")


def _resumed_planted(place: Place) -> Outcome:
    """Resume lines that anyone may have written: another user's own file needs a second user."""
    assert _interrupted(place, signal.SIGKILL)[0] == -signal.SIGKILL
    partial = place.partial()
    assert partial
    partial.chmod(0o666)
    return place.run("many.ndjson", "--resume", "-q", output="out.jsonl")


def _lost_link(place: Place) -> str:
    (place.folder / "linked").mkdir()
    (place.folder / "linked" / "lost.npy").symlink_to("nowhere.npy")
    (place.folder / "linked" / "more").symlink_to(place.folder / "drawings")
    (place.folder / "drawings").mkdir()
    _write(place, "drawings/good.ndjson", (LINE * 2).encode())
    return "linked"


def _locked_folder(place: Place) -> Outcome:
    (place.folder / "outer" / "locked").mkdir(parents=True)
    _write(place, "outer/good.ndjson", (LINE * 2).encode())
    (place.folder / "outer" / "locked").chmod(0)
    try:
        return place.run("outer", preexec_fn=_without_roots_rights)
    finally:
        (place.folder / "outer" / "locked").chmod(0o755)


def _locked_file(place: Place) -> Outcome:
    (place.folder / "inner").mkdir(mode=0)
    try:
        return place.run("inner/x.npy", preexec_fn=_without_roots_rights)
    finally:
        (place.folder / "inner").chmod(0o755)


def _names(place: Place) -> str:
    (place.folder / "names").mkdir()
    _write(place, "names/\x1b[2J.ndjson", b"x\n")
    _write(place, "names/good.ndjson", (LINE * 2).encode())
    return "names"


def _without_roots_rights() -> None:
    """Give up the capabilities by which root reads everything, for this process and what it runs."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                raise OSError("capabilities cannot be given up here")


def _pipe_in_folder(place: Place) -> Outcome:
    (place.folder / "pipes").mkdir()
    os.mkfifo(place.folder / "pipes" / "pen.ndjson")
    return place.run("pipes")


def _table(place: Place, name: str, column: str, kept: int | None = None) -> str:
    whole = place.folder / "whole.parquet"
    pyarrow.parquet.write_table(pyarrow.table({column: ["[]"]}), whole)
    return _write(place, name, whole.read_bytes()[:kept])


def _without(package: str, place: Place, *arguments: str, output: str = "out.csv") -> Outcome:
    (place.folder / "hidden").mkdir()
    (place.folder / "hidden" / f"{package}.py").write_text("raise ImportError('hidden')")
    environment = {**os.environ, "PYTHONPATH": str(place.folder / "hidden")}
    return place.run(*arguments, output=output, env=environment)


def _relabeled(place: Place) -> Outcome:
    keys = write_keys(place.folder)
    sign_file(place.folder / "other.onnx", tiny.MODEL.read_bytes(), read_signing_key(keys.private))
    content = tiny.MODEL.read_bytes().replace(b"dog", b"fox")
    _write(place, "other.onnx", content[:-DIGITS] + content_sha256(content))
    return place.run("strokes.npy", "--model", "other.onnx", "--verify-key", "public.pem")


def _unsigned(place: Place) -> Outcome:
    write_keys(place.folder)
    return place.run("strokes.npy", "--verify-key", "public.pem")


def _export(place: Place, state: dict[str, torch.Tensor], *arguments: str) -> Outcome:
    torch.save(state, place.folder / "weights.pt")
    place.output = place.folder / "out.onnx"
    place.output.write_text("old")
    with contextlib.chdir(place.folder):
        found = run_command(export_command, "onnx", "--checkpoint", "weights.pt", "--output", "out.onnx", *arguments)
    return found.exit_code, found.stderr


def _with_ema(place: Place) -> Outcome:
    networks = {"model.": make_model(), "ema.": make_model(seed=1)}
    return _export(
        place, {prefix + name: w for prefix, net in networks.items() for name, w in net.state_dict().items()}
    )


def _other_class(place: Place) -> Outcome:
    logits = np.ones((3, len(tiny.LABELS)), np.float32)
    np.savez(place.folder / "own.npz", strokes=np.load(place.folder / "strokes.npy"), logits=logits)
    options = ("--expected", "own.npz", "--sequence-length", str(tiny.LENGTH))
    return _export(place, make_model().state_dict(), *options)


def _in_shell(place: Place, line: str) -> Outcome:
    place.output.write_text("old")
    command = f"{sys.executable} -m sketch_infer --model tiny.onnx"
    done = subprocess.run(
        ["/bin/sh", "-c", line.replace("COMMAND", command)],
        cwd=place.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def _search(place: Place, *arguments: str) -> Outcome:
    command = [sys.executable, "-m", "sketch_search", *arguments]
    done = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def _asked(place: Place, change: Callable[[bytes], bytes] | None = None, model: Path = tiny.WITH_CODES) -> Outcome:
    """Build an index, change its bytes, and ask it."""
    found = _search(place, "build", "good.ndjson", "--model", str(tiny.WITH_CODES), "--output", "drawings.index")
    assert found[0] == 0, found[1]
    index = place.folder / "drawings.index"
    index.write_bytes(change(index.read_bytes()) if change else index.read_bytes())
    return _search(place, "query", "good.ndjson", "--model", str(model), "--index", "drawings.index")


def _built_without_codes(place: Place) -> Outcome:
    place.output.write_text("old")
    return _search(place, "build", "good.ndjson", "--model", "tiny.onnx", "--output", place.output.name)


def _damaged_codes(content: bytes) -> bytes:
    start = 16 + 32 + int.from_bytes(content[8:16], "little")
    start += -start % 64
    return content[:start] + bytes([content[start] ^ 1]) + content[start + 1 :]


def _other_model(place: Place) -> Outcome:
    (place.folder / "other.onnx").write_bytes(_with_other_hash(tiny.WITH_CODES.read_bytes()))
    return _asked(place, model=Path("other.onnx"))


def _with_other_hash(content: bytes) -> bytes:
    """Change the text that a model file carries for people, and nothing else."""
    changed = content.replace(b"Proven in", b"PROVEN IN")
    assert changed != content
    return changed[:-DIGITS] + content_sha256(changed)


SKIP = ("--on-error", "skip")
HUGE = _npy(np.zeros((9, 24, 3))).replace(b"(9, 24, 3), ", b"(1099511627776, 24, 3)")[:-12]

ABSOLUTE = np.array([[x, 90 + 2 * x % 40, x == 60] for x in range(10, 61, 5)] + [[0, 0, 0]] * 3)

FAULTS: dict[str, Callable[[Place], Outcome]] = {
    "a file that is not there": lambda place: place.run("none.npy"),
    "a folder without sketches": lambda place: place.run("empty"),
    "a link in a folder that leads nowhere": lambda place: place.run(_lost_link(place)),
    "a link in a folder that leads nowhere, `--on-error skip`": lambda place: place.run(_lost_link(place), *SKIP),
    "a folder in a folder that cannot be read": _locked_folder,
    "a pipe in a folder": _pipe_in_folder,
    "a file of another kind": lambda place: place.run(_write(place, "notes.txt", b"")),
    "an array that was cut off": lambda p: p.run(_write(p, "short.npy", _npy(np.zeros((9, 24, 3)))[:-50])),
    "an array whose header is damaged": lambda p: p.run(
        _write(p, "header.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': ((((")
    ),
    "an array whose header claims 2^40 rows": lambda place: place.run(_write(place, "claims.npy", HUGE)),
    "an archive with pickled objects": _pickled,
    "an archive that was cut off": _short_npz,
    "NaN in an array": lambda place: place.run(_nan(place)),
    "NaN in an array, `--on-error skip`": lambda place: place.run(_nan(place), *SKIP),
    "a line that is no drawing": lambda place: place.run(_bad_line(place)),
    "a line that is no drawing, `--on-error skip`": lambda place: place.run(_bad_line(place), *SKIP),
    "drawings in a JSON array": lambda p: p.run(_write(p, "array.ndjson", f"[{LINE}]".replace("\n", "").encode())),
    "text in UTF-16": lambda p: p.run(_write(p, "wide.ndjson", LINE.encode("utf-16"))),
    "absolute coordinates as rows": lambda p: p.run(_write(p, "absolute.npy", _npy(ABSOLUTE))),
    "rows padded with -1": lambda p: p.run(
        _write(p, "padded.npy", _npy(np.where(ABSOLUTE.any(-1, keepdims=True), ABSOLUTE, -1)))
    ),
    "a stroke that may be points or columns": lambda p: p.run(
        _write(p, "either.ndjson", json.dumps({"drawing": [[[1, 2, 3, 4]] * 4]}).encode())
    ),
    "a drawing of one point": lambda p: p.run(_write(p, "dot.ndjson", b'{"drawing": [[[1], [2]]]}\n')),
    "a line without an end": lambda p: p.run(_write(p, "endless.ndjson", b"[" * 5_000_000)),
    "a drawing with too many points": lambda p: p.run(
        _write(p, "dense.ndjson", json.dumps({"drawing": [[list(range(60_000))] * 2]}).encode())
    ),
    "a gzip file that was cut off": lambda place: place.run(_short_gzip(place)),
    "a gzip file that was cut off, `--on-error skip`": lambda place: place.run(_short_gzip(place), *SKIP),
    "a binary file that was cut off, `--on-error skip`": lambda p: p.run(
        _write(p, "short.bin", (forms.to_binary(DRAWING) * 3)[:-1]), *SKIP
    ),
    "a table that was cut off": lambda p: p.run(_table(p, "short.parquet", "drawing", kept=-9)),
    "a table without drawings": lambda p: p.run(_table(p, "words.parquet", "word")),
    "a `.parquet` input without pyarrow": lambda p: _without(
        "pyarrow", p, _write(p, "table.parquet", b""), output="out.csv"
    ),
    "one of several files is not there, `--on-error skip`": lambda place: place.run("none.npy", "good.ndjson", *SKIP),
    "a file whose name commands a terminal, `--on-error skip`": lambda place: place.run(_names(place), *SKIP),
    "a file in a folder that may not be entered": _locked_file,
    "a word that is no class, `--evaluate`": lambda p: p.run(
        _write(p, "words.ndjson", LINE.replace("cat", "zebra").encode()), "--evaluate"
    ),
    "a label that the model does not have, `--labels`": lambda p: p.run("strokes.npy", "--labels", "cat,doge"),
    "a model without a threshold, `--reject`": lambda p: p.run("strokes.npy", "--reject"),
    "no standard input": lambda place: _in_shell(place, "COMMAND - --output out.csv <&-"),
    "a model file that is not there": lambda place: place.run("strokes.npy", "--model", "none.onnx"),
    "a model file that is damaged": lambda p: p.run("strokes.npy", "--model", _write(p, "damaged.onnx", b"\x08\x08no")),
    "a model file with an operator that we never export": lambda p: p.run("strokes.npy", "--model", _other_operator(p)),
    "a model file without a signature, `--verify-key`": _unsigned,
    "a model file that was relabeled and hashed again, `--verify-key`": _relabeled,
    "a file that is no key, `--verify-key`": lambda p: p.run("strokes.npy", "--verify-key", "good.ndjson"),
    "no cryptography, `--verify-key`": lambda p: _without("cryptography", p, "strokes.npy", "--verify-key", "k.pem"),
    "strokes for a model that reads pen points": lambda p: p.run("strokes.npy", "--model", str(tiny.OF_POINTS)),
    "CUDA that does not start, `--provider cuda`": lambda place: place.run("strokes.npy", "--provider", "cuda"),
    "an int8 model on CUDA, `--provider cuda`": lambda p: p.run(
        "strokes.npy", "--model", _int8(p), "--provider", "cuda"
    ),
    "a disk that fills up": lambda place: _full(place, "out.csv"),
    "a disk that fills up, `.jsonl`": lambda place: _full(place, "out.jsonl"),
    "a full disk behind standard output": lambda place: _in_shell(place, "COMMAND strokes.npy >/dev/full"),
    "a pipe that closes, as of `head`": lambda place: _in_shell(place, "COMMAND many.ndjson -q | head -n 1 >/dev/null"),
    "Ctrl-C": lambda place: _interrupted(place, signal.SIGINT, "out.csv"),
    "Ctrl-C, `.jsonl`": lambda place: _interrupted(place, signal.SIGINT),
    "`kill`, as of `docker stop`": lambda place: _interrupted(place, signal.SIGTERM, "out.npz"),
    "`kill`, `.jsonl`": lambda place: _interrupted(place, signal.SIGTERM),
    "a terminal that is closed": lambda place: _interrupted(place, signal.SIGHUP, "out.json"),
    "`kill -9`, `.jsonl`": lambda place: _interrupted(place, signal.SIGKILL),
    "`--resume` with other inputs": _resumed_with_others,
    "a second run that writes the same `.jsonl` file": _second_run,
    "a second run that writes the same `.jsonl` file from other inputs": lambda p: _second_run(p, "good.ndjson"),
    "`--resume` from a pipe": _resumed_from_pipe,
    "`--resume` in a folder where another user has put the lines": _resumed_planted,
    "an output that is an input": lambda place: _in_shell(
        place, "COMMAND strokes.npy --format csv --output strokes.npy"
    ),
    "an output folder that is not there": lambda place: _in_shell(place, "COMMAND strokes.npy --output none/out.csv"),
    "a `.parquet` output without pyarrow": lambda place: _without(
        "pyarrow", place, "strokes.npy", output="out.parquet"
    ),
    "a page of more than 20,000 sketches": lambda p: p.run(
        _write(p, "most.npy", _npy(np.zeros((20_001, 2, 3), np.float32))), output="out.html"
    ),
    "`sketch-search`: an index that is damaged": lambda place: _asked(place, _damaged_codes),
    "`sketch-search`: an index that was cut off": lambda place: _asked(place, lambda content: content[:-1]),
    "`sketch-search`: a file that is no index": lambda place: _asked(place, lambda _: b"PK" + bytes(99)),
    "`sketch-search`: an index of another model": _other_model,
    "`sketch-search`: a model without codes": _built_without_codes,
    "a checkpoint with another tensor, `sketch-export onnx`": lambda place: _export(
        place, make_model().state_dict() | {"fc_mu2.weight": torch.zeros(5, 168)}
    ),
    "a checkpoint of a network and its EMA, `sketch-export onnx`": _with_ema,
    "a checkpoint for another number of points, `sketch-export onnx`": lambda place: _export(
        place, make_model().state_dict()
    ),
    "a class that computes something else, `sketch-export onnx --expected`": _other_class,
}


def test_each_row_of_the_table_has_its_fault() -> None:
    assert [row[0] for row in ROWS] == list(FAULTS)


@pytest.mark.skipif(sys.platform == "win32", reason="signals, limits and shells of POSIX")
@pytest.mark.parametrize(("fault", "message", "code", "kept"), ROWS, ids=[row[0] for row in ROWS])
def test_faults(place: Place, fault: str, message: str, code: str, kept: str) -> None:
    if "cuda" in fault and _has_gpu():
        pytest.skip("CUDA starts here")
    if "head" in fault:
        _write(place, "many.ndjson", (LINE * MANY).encode())
    found, stderr = FAULTS[fault](place)
    assert found == int(code), stderr
    assert "Traceback" not in stderr
    if message:
        pattern = re.escape(message.strip("`")).replace("…", ".*")
        assert re.search(rf"^{pattern}$", stderr, re.MULTILINE), stderr
    else:
        assert not stderr
    _kept(place, kept)


def _has_gpu() -> bool:
    from sketch_infer.inference.cuda import missing_for_cuda
    from sketch_infer.inference.providers import import_onnxruntime

    return not missing_for_cuda(import_onnxruntime())
