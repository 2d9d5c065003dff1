"""What CUDA needs of this machine and of the installed wheel, and what of it is missing."""

import contextlib
import ctypes
import sys
from pathlib import Path
from types import ModuleType

CUDA = "CUDAExecutionProvider"

INSTALL_CUDA = "pip install 'onnxruntime-gpu[cuda,cudnn]'"


def has_nvidia_card() -> bool:
    """Return whether this machine has an NVIDIA card or its driver, whether or not CUDA can use it."""
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            ctypes.CDLL("nvcuda.dll")
            return True
        return False
    if Path("/dev/nvidiactl").exists() or Path("/dev/nvmap").exists():  # nvmap: Jetson, whose GPU is no PCI device
        return True
    with contextlib.suppress(OSError):
        for device in Path("/sys/bus/pci/devices").iterdir():
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
            if vendor == "0x10de" and kind.startswith("0x03"):  # a display controller of NVIDIA
                return True
    return False


def missing_for_cuda(onnxruntime: ModuleType) -> str:
    """Return what rules CUDA out before it is tried: wheel, driver or GPU; empty if nothing does."""
    if CUDA not in onnxruntime.get_available_providers():
        return "this onnxruntime is built for the CPU only; CUDA needs onnxruntime-gpu[cuda,cudnn] instead"
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return f"no NVIDIA driver found ({library} is missing)"
    count = ctypes.c_int(0)
    # CUDA driver API: both calls return 0 (CUDA_SUCCESS) when they worked.
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status or not count.value:
        return f"the NVIDIA driver finds no GPU (CUDA driver status {status}, {count.value} devices)"
    return ""


def missing_cudnn() -> str:
    """Return what to do about a missing cuDNN: ONNX Runtime loads it late, when a session already claims CUDA."""
    library = "cudnn64_9.dll" if sys.platform == "win32" else "libcudnn.so.9"
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return f"{error}; install the CUDA libraries: {INSTALL_CUDA}"
    return ""


def missing_library(onnxruntime: ModuleType) -> str:
    """Return which library the CUDA provider lacks, found by loading it as ONNX Runtime does; empty if none."""
    suffix = "onnxruntime_providers_cuda.dll" if sys.platform == "win32" else "libonnxruntime_providers_cuda.so"
    library = Path(str(onnxruntime.__file__)).parent / "capi" / suffix
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return f"{error}; install the CUDA libraries: {INSTALL_CUDA}"
    return ""
