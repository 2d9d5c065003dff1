"""What this machine offers a model: ONNX Runtime's wheels and limits, CUDA's libraries, cores and memory."""

import contextlib
import ctypes
import importlib.metadata
import mmap
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from sketch_infer.errors import DependencyError
from sketch_infer.inference.cores import memory_limit, usable_cores
from sketch_infer.inference.cuda import CUDA, missing_for_cuda
from sketch_infer.inference.providers import import_onnxruntime, quiet

_UNHEARD_OF = 9999
"""A version that no ONNX Runtime knows: its refusal names the newest that it does."""


@dataclass(frozen=True)
class RuntimeLimits:
    """The newest ONNX versions that the installed ONNX Runtime opens; 0 where it does not say."""

    opset: int
    ir_version: int


def installed_wheels() -> dict[str, str]:
    """Return the packages that install the module `onnxruntime`, name to version; two overwrite each other."""
    names = importlib.metadata.packages_distributions().get("onnxruntime", [])
    return {name: importlib.metadata.version(name) for name in sorted(set(names))}


def runtime_limits() -> RuntimeLimits:
    """Ask ONNX Runtime, with two empty models that are too new for it."""
    return RuntimeLimits(
        opset=_limit(8, _UNHEARD_OF, r"till opset (\d+)"),
        ir_version=_limit(_UNHEARD_OF, 18, r"max supported IR version: (\d+)"),
    )


def _limit(ir_version: int, opset: int, message: str) -> int:
    onnxruntime = import_onnxruntime()
    try:
        with quiet(onnxruntime):
            onnxruntime.InferenceSession(_empty_model(ir_version, opset), providers=["CPUExecutionProvider"])
    except Exception as error:  # its exception classes share no base but Exception
        found = re.search(message, str(error))
        return int(found.group(1)) if found else 0
    return 0


def _empty_model(ir_version: int, opset: int) -> bytes:
    """Return a ModelProto of versions from 128 to 16383 or below 128, with a graph called "g" of no nodes."""
    version = _varint(opset)
    opset_import = b"\x10" + version  # OperatorSetIdProto.version
    fields = [b"\x08" + _varint(ir_version), b"\x3a\x03\x12\x01g"]  # ir_version; graph, its name
    return b"".join([*fields, b"\x42", _varint(len(opset_import)), opset_import])


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 0x7F | 0x80, number >> 7])


def describe_runtime() -> str:
    """Return ONNX Runtime's version, the package that it came with, and whether CUDA can be tried, in one line."""
    try:
        onnxruntime = import_onnxruntime()
    except DependencyError as error:
        return str(error)
    wheels = ", ".join(installed_wheels()) or "unknown package"
    reason = missing_for_cuda(onnxruntime)
    return (
        f"ONNX Runtime {onnxruntime.__version__} ({wheels}) on CPU{f'; no CUDA: {reason}' if reason else ' and CUDA'}"
    )


def missing_cuda_libraries() -> list[str]:
    """Return the libraries that this wheel's CUDA provider was linked with and that do not load here.

    The names are read off the provider, because they change with the wheel; cuDNN is loaded later, by its own name.
    Empty for a wheel without CUDA, and on Windows.
    """
    onnxruntime = import_onnxruntime()
    provider = Path(str(onnxruntime.__file__)).parent / "capi" / "libonnxruntime_providers_cuda.so"
    if CUDA not in onnxruntime.get_available_providers() or not provider.is_file():
        return []
    with quiet(onnxruntime):
        onnxruntime.preload_dlls()
    with provider.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        names = {name.decode() for name in re.findall(rb"\0(lib(?:cu|nv)\w*\.so\.\d+)(?=\0)", content)}
    major = str(getattr(onnxruntime, "cuda_version", "")).partition(".")[0]
    # Both are there in two versions, of which one is for CUDA graphs of an older driver.
    needed = {name for name in names if ("cudart" not in name and "nvrtc" not in name) or name.endswith(f".{major}")}
    return sorted(name for name in needed | {"libcudnn.so.9"} if not _loads(name))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def describe_machine() -> str:
    """Return system, processor, Python, cores and the limits of the container, in one line."""
    parts = [f"{platform.system()} {platform.machine()}", f"Python {platform.python_version()}"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parts.append(f"{usable_cores()} of {cores} cores usable")
    if memory := memory_limit():
        parts.append(f"memory limit {memory / 2**30:.1f} GiB")
    return ", ".join(parts)


def describe_processor() -> str:
    """Return the name of the processor or, where Linux names it, of the board."""
    with contextlib.suppress(OSError):  # a Raspberry Pi, a Jetson
        return Path("/proc/device-tree/model").read_text(encoding="utf-8").rstrip("\0")
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe_python_packages() -> dict[str, str]:
    """Return the versions of what the runtime is made of."""
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "click")}
    return {"python": sys.version.split()[0], **installed_wheels(), **packages}
