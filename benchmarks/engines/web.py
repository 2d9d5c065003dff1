"""ONNX Runtime in WebAssembly, as browsers run it, here in Node."""

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.bench.candidates import ROOT
from sketch_infer.array_types import FloatArray
from sketch_infer.model.contract.tensors import Feeds

WEB = ROOT / "runtime" / "web"
PACKAGE = WEB / "node_modules" / "onnxruntime-web"

_OLDEST_NODE = 20


class NotRun(Exception):  # noqa: N818  # not an error: what an engine needs is not on every machine
    """An engine was not asked; the message says what it needs."""


def find_node() -> str:
    """Return where a Node is that can run onnxruntime-web.

    Raises:
        NotRun: if there is none, it is too old, or the package is not installed.
    """
    node = shutil.which("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout if node else ""
    major = re.match(r"v(\d+)\.", version)
    if node is None or major is None or int(major[1]) < _OLDEST_NODE:
        raise NotRun(f"needs Node >= {_OLDEST_NODE}")
    if not PACKAGE.is_dir():
        raise NotRun("needs `npm ci` in runtime/web")
    return node


def run_web(path: Path, feeds: Feeds) -> tuple[str, FloatArray]:
    """Return the package's version and the logits.

    Raises:
        NotRun: if this machine cannot run it.
        RuntimeError: if it refused the file.
    """
    node = find_node()
    tensors = {
        name: {"type": array.dtype.name, "dims": array.shape, "data": array.ravel().tolist()}
        for name, array in feeds.items()
    }
    with tempfile.TemporaryDirectory() as folder, Path(__file__).with_name("web.mjs").open("rb") as script:
        asked = Path(folder, "feeds.json")
        asked.write_text(json.dumps(tensors), encoding="utf-8")
        # A script from stdin looks for packages where it runs.
        command: list[str | Path] = [node, "--input-type=module", "-", path.resolve(), asked]
        done = subprocess.run(command, cwd=WEB, stdin=script, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(done.stderr or f"Node ended with exit status {done.returncode}")
    answer = json.loads(done.stdout)
    # JSON has null for NaN, and float32 makes it NaN again.
    return answer["version"], np.array(answer["data"], np.float32).reshape(answer["dims"])
