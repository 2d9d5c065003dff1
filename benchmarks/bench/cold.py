"""Whole processes: what somebody waits for who types one command."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from sketch_infer.array_types import FloatArray

from .candidates import CHECKPOINT, OURS_FP32, OURS_INT8

TORCH, IMPORTS = "torch script", "imports"

_IMPORTS = "import numpy, onnxruntime, click"
"""The least that a process has to do before it can classify: importing what the runtime depends on."""


def measure_cold(sketch: FloatArray, label: str, rounds: int, scratch: Path) -> tuple[dict[str, float], list[str]]:
    """Time cold processes that classify one sketch, in turn; what they import is in the page cache.

    Args:
        sketch: float32 (T, 3), one that the network is sure of.
        label: its class, which each process must print.
        rounds: how often.
        scratch: folder for the sketch's file.

    Returns:
        median seconds by command, and notes on commands that failed or printed another class.
    """
    file = scratch / "one.npy"
    np.save(file, sketch)
    ours = [str(Path(sys.executable).with_name("sketch-infer")), str(file)]
    commands = {OURS_FP32: ours, OURS_INT8: [*ours, "--precision", "int8"]}
    commands[TORCH] = [sys.executable, str(Path(__file__).with_name("torch_script.py")), str(CHECKPOINT), str(file)]
    commands[IMPORTS] = [sys.executable, "-c", _IMPORTS]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    # With bytecode, as pip compiles what it installs: an editable package has it only where Python may write it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(scratch / "bytecode")
    notes = []
    for number in range(rounds + 1):
        for name, command in commands.items():
            if name not in seconds:
                continue
            start = time.perf_counter()
            result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
            elapsed = time.perf_counter() - start
            if problem := _problem(result, "" if name == IMPORTS else label):
                notes.append(f"whole process, {name}: {problem}")
                del seconds[name]
            elif number:  # the first round fills the page cache, and compiles
                seconds[name].append(elapsed)
    return {name: median(values) for name, values in seconds.items()}, notes


def _problem(result: subprocess.CompletedProcess[str], label: str) -> str:
    """Tell what is wrong with a process that should have printed a class, as JSON line or bare; empty if nothing is."""
    if result.returncode:
        return f"exit code {result.returncode}: {result.stderr.strip()[-200:]}"
    line = result.stdout.strip()
    found = json.loads(line)["label"] if line.startswith("{") else line
    return "" if found == label else f"printed {found!r}, where eager PyTorch's class is {label!r}"
