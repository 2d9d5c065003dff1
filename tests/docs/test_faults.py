"""Each row of docs/faults.md: the fault is made, and what the user sees and keeps is compared with the row."""

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.bulk import forms
from sketch_infer.inference.cuda import missing_for_cuda
from sketch_infer.inference.providers import import_onnxruntime
from tests import tiny
from tests.docs import index_scenes, scenes
from tests.docs.place import DRAWING, LINE, MANY, Outcome, Place, check_kept, npy
from tests.networks import make_model
from tests.support import ROOT, random_sketches

ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").partition("## Fuzzing")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| fault")
]
SKIP = ("--on-error", "skip")
HUGE = npy(np.zeros((9, 24, 3))).replace(b"(9, 24, 3), ", b"(1099511627776, 24, 3)")[:-12]

ABSOLUTE = np.array([[x, 90 + 2 * x % 40, x == 60] for x in range(10, 61, 5)] + [[0, 0, 0]] * 3)

FAULTS: dict[str, Callable[[Place], Outcome]] = {
    "a file that is not there": lambda place: place.run("none.npy"),
    "one of several files is not there, `--on-error skip`": lambda place: place.run("none.npy", "good.ndjson", *SKIP),
    "a file in a folder that may not be entered": scenes.locked_file,
    "a file of another kind": lambda place: place.run(place.write("notes.txt", b"")),
    "a folder without sketches": lambda place: place.run("empty"),
    "a folder in a folder that cannot be read": scenes.locked_folder,
    "a pipe in a folder": scenes.pipe_in_folder,
    "a link in a folder that leads nowhere": lambda place: place.run(scenes.lost_link(place)),
    "a link in a folder that leads nowhere, `--on-error skip`": lambda place: place.run(scenes.lost_link(place), *SKIP),
    "a file whose name commands a terminal, `--on-error skip`": lambda place: place.run(scenes.names(place), *SKIP),
    "no standard input": lambda place: scenes.in_shell(place, "COMMAND - --output out.csv <&-"),
    "an array that was cut off": lambda p: p.run(p.write("short.npy", npy(np.zeros((9, 24, 3)))[:-50])),
    "an array whose header is damaged": lambda p: p.run(
        p.write("header.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': ((((")
    ),
    "an array whose header claims 2^40 rows": lambda place: place.run(place.write("claims.npy", HUGE)),
    "an archive that was cut off": scenes.short_npz,
    "an archive with pickled objects": scenes.pickled,
    "NaN in an array": lambda place: place.run(scenes.nan(place)),
    "NaN in an array, `--on-error skip`": lambda place: place.run(scenes.nan(place), *SKIP),
    "absolute coordinates as rows": lambda p: p.run(p.write("absolute.npy", npy(ABSOLUTE))),
    "rows padded with -1": lambda p: p.run(
        p.write("padded.npy", npy(np.where(ABSOLUTE.any(-1, keepdims=True), ABSOLUTE, -1)))
    ),
    "a line that is no drawing": lambda place: place.run(scenes.bad_line(place)),
    "a line that is no drawing, `--on-error skip`": lambda place: place.run(scenes.bad_line(place), *SKIP),
    "drawings in a JSON array": lambda p: p.run(p.write("array.ndjson", f"[{LINE}]".replace("\n", "").encode())),
    "text in UTF-16": lambda p: p.run(p.write("wide.ndjson", LINE.encode("utf-16"))),
    "a stroke that may be points or columns": lambda p: p.run(
        p.write("either.ndjson", json.dumps({"drawing": [[[1, 2, 3, 4]] * 4]}).encode())
    ),
    "a drawing of one point": lambda p: p.run(p.write("dot.ndjson", b'{"drawing": [[[1], [2]]]}\n')),
    "a drawing with too many points": lambda p: p.run(
        p.write("dense.ndjson", json.dumps({"drawing": [[list(range(60_000))] * 2]}).encode())
    ),
    "a line without an end": lambda p: p.run(p.write("endless.ndjson", b"[" * 5_000_000)),
    "a gzip file that was cut off": lambda place: place.run(scenes.short_gzip(place)),
    "a gzip file that was cut off, `--on-error skip`": lambda place: place.run(scenes.short_gzip(place), *SKIP),
    "a binary file that was cut off, `--on-error skip`": lambda p: p.run(
        p.write("short.bin", (forms.to_binary(DRAWING) * 3)[:-1]), *SKIP
    ),
    "a table that was cut off": lambda p: p.run(scenes.table(p, "short.parquet", "drawing", kept=-9)),
    "a table without drawings": lambda p: p.run(scenes.table(p, "words.parquet", "word")),
    "a `.parquet` input without pyarrow": lambda p: scenes.without(
        "pyarrow", p, p.write("table.parquet", b""), output="out.csv"
    ),
    "a model file that is not there": lambda place: place.run("strokes.npy", "--model", "none.onnx"),
    "a model file that is damaged": lambda p: p.run("strokes.npy", "--model", p.write("damaged.onnx", b"\x08\x08no")),
    "a model file with an operator that we never export": lambda p: p.run(
        "strokes.npy", "--model", scenes.other_operator(p)
    ),
    "strokes for a model that reads pen points": lambda p: p.run("strokes.npy", "--model", str(tiny.OF_POINTS)),
    "a word that is no class, `--evaluate`": lambda p: p.run(
        p.write("words.ndjson", LINE.replace("cat", "zebra").encode()), "--evaluate"
    ),
    "a label that the model does not have, `--labels`": lambda p: p.run("strokes.npy", "--labels", "cat,doge"),
    "a model without a threshold, `--reject`": lambda p: p.run("strokes.npy", "--reject"),
    "a model file without a signature, `--verify-key`": scenes.unsigned,
    "a model file that was relabeled and hashed again, `--verify-key`": scenes.relabeled,
    "a file that is no key, `--verify-key`": lambda p: p.run("strokes.npy", "--verify-key", "good.ndjson"),
    "no cryptography, `--verify-key`": lambda p: scenes.without(
        "cryptography", p, "strokes.npy", "--verify-key", "k.pem"
    ),
    "CUDA that does not start, `--provider cuda`": lambda place: place.run("strokes.npy", "--provider", "cuda"),
    "an int8 model on CUDA, `--provider cuda`": lambda p: p.run(
        "strokes.npy", "--model", scenes.int8(p), "--provider", "cuda"
    ),
    "an output that is an input": lambda place: scenes.in_shell(
        place, "COMMAND strokes.npy --format csv --output strokes.npy"
    ),
    "an output folder that is not there": lambda place: scenes.in_shell(
        place, "COMMAND strokes.npy --output none/out.csv"
    ),
    "a `.parquet` output without pyarrow": lambda place: scenes.without(
        "pyarrow", place, "strokes.npy", output="out.parquet"
    ),
    "a page of more than 20,000 sketches": lambda p: p.run(
        p.write("most.npy", npy(np.zeros((20_001, 2, 3), np.float32))), output="out.html"
    ),
    "a disk that fills up": lambda place: scenes.full(place, "out.csv"),
    "a disk that fills up, `.jsonl`": lambda place: scenes.full(place, "out.jsonl"),
    "a full disk behind standard output": lambda place: scenes.in_shell(place, "COMMAND strokes.npy >/dev/full"),
    "a pipe that closes, as of `head`": lambda place: scenes.in_shell(
        place, "COMMAND many.ndjson -q | head -n 1 >/dev/null"
    ),
    "Ctrl-C": lambda place: scenes.interrupted(place, signal.SIGINT, "out.csv"),
    "Ctrl-C, `.jsonl`": lambda place: scenes.interrupted(place, signal.SIGINT),
    "`kill`, as of `docker stop`": lambda place: scenes.interrupted(place, signal.SIGTERM, "out.npz"),
    "`kill`, `.jsonl`": lambda place: scenes.interrupted(place, signal.SIGTERM),
    "a terminal that is closed": lambda place: scenes.interrupted(place, signal.SIGHUP, "out.json"),
    "`kill -9`, `.jsonl`": lambda place: scenes.interrupted(place, signal.SIGKILL),
    "`--resume` with other inputs": scenes.resumed_with_others,
    "`--resume` from a pipe": scenes.resumed_from_pipe,
    "a second run that writes the same `.jsonl` file": scenes.second_run,
    "a second run that writes the same `.jsonl` file from other inputs": lambda p: scenes.second_run(p, "good.ndjson"),
    "`--resume` in a folder where another user has put the lines": scenes.resumed_planted,
    "an index that is damaged": lambda place: index_scenes.asked(place, index_scenes.damaged_codes),
    "an index that was cut off": lambda place: index_scenes.asked(place, lambda content: content[:-1]),
    "a file that is no index": lambda place: index_scenes.asked(place, lambda _: b"PK" + bytes(99)),
    "an index of another model": index_scenes.other_model,
    "a model without codes": index_scenes.built_without_codes,
    "a file that is named twice": index_scenes.named_twice,
    "a checkpoint with another tensor, `sketch-export onnx`": lambda place: scenes.export(
        place, make_model().state_dict() | {"fc_mu2.weight": torch.zeros(5, 168)}
    ),
    "a checkpoint of a network and its EMA, `sketch-export onnx`": scenes.with_ema,
    "a checkpoint for another number of points, `sketch-export onnx`": lambda place: scenes.export(
        place, make_model().state_dict()
    ),
    "a class that computes something else, `sketch-export onnx --expected`": scenes.other_class,
}


@pytest.fixture
def place(tmp_path: Path, tiny_onnx: Path) -> Place:
    (tmp_path / "tiny.onnx").write_bytes(tiny_onnx.read_bytes())
    np.save(tmp_path / "strokes.npy", random_sketches(3, 24, seed=5))
    (tmp_path / "good.ndjson").write_text(LINE * 2)
    (tmp_path / "empty").mkdir()
    return Place(tmp_path, tmp_path / "out.csv")


def test_each_row_of_the_table_has_its_fault() -> None:
    assert [row[0] for row in ROWS] == list(FAULTS)


@pytest.mark.skipif(sys.platform == "win32", reason="signals, limits and shells of POSIX")
@pytest.mark.parametrize(("fault", "message", "code", "kept"), ROWS, ids=[row[0] for row in ROWS])
def test_faults(place: Place, fault: str, message: str, code: str, kept: str) -> None:
    if "cuda" in fault and _has_gpu():
        pytest.skip("CUDA starts here")
    if "head" in fault:
        place.write("many.ndjson", (LINE * MANY).encode())
    found, stderr = FAULTS[fault](place)
    assert found == int(code), stderr
    assert "Traceback" not in stderr
    if message:
        pattern = re.escape(message.strip("`")).replace("…", ".*")
        assert re.search(rf"^{pattern}$", stderr, re.MULTILINE), stderr
    else:
        assert not stderr
    check_kept(place, kept)


def _has_gpu() -> bool:
    return not missing_for_cuda(import_onnxruntime())
