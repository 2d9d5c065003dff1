"""What goes wrong in the rows of docs/faults.md: each function makes a fault in a place, most run the command there.

The others return what the command is given.
"""

import contextlib
import ctypes
import gzip
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet
import pytest
import torch

from sketch_export.cli.main import main as export_command
from sketch_infer import ModelFileError
from sketch_infer.checks.signing import read_signing_key, sign_file
from sketch_infer.inference.installed import find_model
from sketch_infer.model.integrity import DIGITS, content_sha256
from tests import tiny
from tests.docs.place import LINE, MANY, Outcome, Place, npy
from tests.networks import make_model
from tests.signing_keys import write_keys
from tests.support import run_command


def int8(place: Place) -> str:
    try:
        return place.write("int8.onnx", find_model(None, "int8").read_bytes())
    except ModelFileError as error:
        pytest.skip(f"no int8 model: {error}")


def pickled(place: Place) -> Outcome:
    ragged = np.array([np.zeros((2, 3)), np.zeros((4, 3))], object)
    np.savez(place.folder / "pickled.npz", train=ragged, allow_pickle=True)
    return place.run("pickled.npz")


def short_npz(place: Place) -> Outcome:
    np.savez(place.folder / "whole.npz", train=np.zeros((9, 24, 3)))
    return place.run(place.write("short.npz", (place.folder / "whole.npz").read_bytes()[:-30]))


def nan(place: Place) -> str:
    strokes = np.zeros((3, 24, 3), np.float32)
    strokes[2, 1] = np.nan
    return place.write("nan.npy", npy(strokes))


def other_operator(place: Place) -> str:
    content = tiny.MODEL.read_bytes().replace(b"Concat", b"Einsum")
    return place.write("other.onnx", content[:-DIGITS] + content_sha256(content))


def bad_line(place: Place) -> str:
    return place.write("bad.ndjson", (LINE * 2 + "x\n").encode())


def short_gzip(place: Place) -> str:
    # Enough lines that the cut falls behind two of them.
    content = gzip.compress((LINE * 2).encode())
    return place.write("short.ndjson.gz", content[:-4])


def full(place: Place, output: str) -> Outcome:
    """Run with a limit on the size of files, which fails like a full disk."""
    place.write("many.ndjson", (LINE * MANY).encode())

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    return place.run("many.ndjson", output=output, preexec_fn=limit)


def interrupted(place: Place, with_signal: int, output: str = "out.jsonl") -> Outcome:
    place.write("many.ndjson", (LINE * 10 * MANY).encode())  # a run that lasts
    return place.caught("--quiet", with_signal=with_signal, output=output)


def resumed_with_others(place: Place) -> Outcome:
    assert interrupted(place, signal.SIGKILL)[0] == -signal.SIGKILL
    return place.run("good.ndjson", "--resume", output="out.jsonl")


def second_run(place: Place, source: str = "many.ndjson") -> Outcome:
    place.write("many.ndjson", (LINE * 10 * MANY).encode())
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


def resumed_from_pipe(place: Place) -> Outcome:
    os.mkfifo(place.folder / "pen.ndjson")
    return place.run("pen.ndjson", "--resume", output="out.jsonl")


def resumed_planted(place: Place) -> Outcome:
    """Resume lines that anyone may have written: another user's own file needs a second user."""
    assert interrupted(place, signal.SIGKILL)[0] == -signal.SIGKILL
    partial = place.partial()
    assert partial
    partial.chmod(0o666)
    return place.run("many.ndjson", "--resume", "-q", output="out.jsonl")


def lost_link(place: Place) -> str:
    (place.folder / "linked").mkdir()
    (place.folder / "linked" / "lost.npy").symlink_to("nowhere.npy")
    (place.folder / "linked" / "more").symlink_to(place.folder / "drawings")
    (place.folder / "drawings").mkdir()
    place.write("drawings/good.ndjson", (LINE * 2).encode())
    return "linked"


def locked_folder(place: Place) -> Outcome:
    (place.folder / "outer" / "locked").mkdir(parents=True)
    place.write("outer/good.ndjson", (LINE * 2).encode())
    (place.folder / "outer" / "locked").chmod(0)
    try:
        return place.run("outer", preexec_fn=without_roots_rights)
    finally:
        (place.folder / "outer" / "locked").chmod(0o755)


def locked_file(place: Place) -> Outcome:
    (place.folder / "inner").mkdir(mode=0)
    try:
        return place.run("inner/x.npy", preexec_fn=without_roots_rights)
    finally:
        (place.folder / "inner").chmod(0o755)


def names(place: Place) -> str:
    (place.folder / "names").mkdir()
    place.write("names/\x1b[2J.ndjson", b"x\n")
    place.write("names/good.ndjson", (LINE * 2).encode())
    return "names"


def without_roots_rights() -> None:
    """Give up the capabilities by which root reads everything, for this process and what it runs."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                raise OSError("capabilities cannot be given up here")


def pipe_in_folder(place: Place) -> Outcome:
    (place.folder / "pipes").mkdir()
    os.mkfifo(place.folder / "pipes" / "pen.ndjson")
    return place.run("pipes")


def table(place: Place, name: str, column: str, kept: int | None = None) -> str:
    whole = place.folder / "whole.parquet"
    pyarrow.parquet.write_table(pyarrow.table({column: ["[]"]}), whole)
    return place.write(name, whole.read_bytes()[:kept])


def without(package: str, place: Place, *arguments: str, output: str = "out.csv") -> Outcome:
    (place.folder / "hidden").mkdir()
    (place.folder / "hidden" / f"{package}.py").write_text("raise ImportError('hidden')")
    environment = {**os.environ, "PYTHONPATH": str(place.folder / "hidden")}
    return place.run(*arguments, output=output, env=environment)


def relabeled(place: Place) -> Outcome:
    keys = write_keys(place.folder)
    sign_file(place.folder / "other.onnx", tiny.MODEL.read_bytes(), read_signing_key(keys.private))
    content = tiny.MODEL.read_bytes().replace(b"dog", b"fox")
    place.write("other.onnx", content[:-DIGITS] + content_sha256(content))
    return place.run("strokes.npy", "--model", "other.onnx", "--verify-key", "public.pem")


def unsigned(place: Place) -> Outcome:
    write_keys(place.folder)
    return place.run("strokes.npy", "--verify-key", "public.pem")


def export(place: Place, state: dict[str, torch.Tensor], *arguments: str) -> Outcome:
    torch.save(state, place.folder / "weights.pt")
    place.output = place.folder / "out.onnx"
    place.output.write_text("old")
    with contextlib.chdir(place.folder):
        found = run_command(export_command, "onnx", "--checkpoint", "weights.pt", "--output", "out.onnx", *arguments)
    return found.exit_code, found.stderr


def with_ema(place: Place) -> Outcome:
    networks = {"model.": make_model(), "ema.": make_model(seed=1)}
    return export(place, {prefix + name: w for prefix, net in networks.items() for name, w in net.state_dict().items()})


def other_class(place: Place) -> Outcome:
    logits = np.ones((3, len(tiny.LABELS)), np.float32)
    np.savez(place.folder / "own.npz", strokes=np.load(place.folder / "strokes.npy"), logits=logits)
    options = ("--expected", "own.npz", "--sequence-length", str(tiny.LENGTH))
    return export(place, make_model().state_dict(), *options)


def in_shell(place: Place, line: str) -> Outcome:
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
