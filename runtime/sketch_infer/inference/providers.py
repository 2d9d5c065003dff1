"""Which execution provider really runs.

ONNX Runtime lists CUDA as available when its wheel was built with it, and a session that asks for CUDA without a
GPU or its libraries becomes a CPU session with a log line at most. Here the session is asked afterwards, and the
reason is found by loading the libraries one by one.
"""

import contextlib
import ctypes
import io
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

from sketch_infer.errors import DependencyError, ModelFileError, ProviderError
from sketch_infer.inference.forks import keep_in_children

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

ProviderChoice = Literal["auto", "cpu", "cuda"]
PROVIDER_CHOICES: tuple[str, ...] = get_args(ProviderChoice)

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

INSTALL_CUDA = "pip install 'onnxruntime-gpu[cuda,cudnn]'"

_FATAL = 4
"""ONNX Runtime's log severity for what ends the process, and nothing else."""

_one_at_a_time = threading.RLock()
if hasattr(os, "register_at_fork"):
    # A child would inherit the lock, taken by a thread that it does not have, and the redirected stdout.
    os.register_at_fork(
        before=_one_at_a_time.acquire, after_in_parent=_one_at_a_time.release, after_in_child=_one_at_a_time.release
    )


def import_onnxruntime() -> ModuleType:
    """Import onnxruntime, late, because it takes longer than everything else in the runtime together.

    Raises:
        DependencyError: if neither of its wheels is installed, or the one that is does not load.
    """
    try:
        import onnxruntime
    except ImportError as error:
        reason = str(error) or "it fails without a reason: is it too old for this numpy?"
        raise DependencyError(
            f"ONNX Runtime cannot be imported ({reason}); install it with: pip install onnxruntime, "
            f"or for an NVIDIA GPU: {INSTALL_CUDA}"
        ) from error
    module: ModuleType = onnxruntime
    return module


def session_options(threads: int = 1) -> "SessionOptions":
    """Return the options of every session.

    Args:
        threads: threads that share each operator's work; more than one is for a sketch at a time.

    Raises:
        DependencyError: if onnxruntime is not installed.
    """
    options = import_onnxruntime().SessionOptions()
    options.intra_op_num_threads = threads
    if threads > 1:
        # A step of the LSTM is too short to wake a thread for: the second one waits for it awake, and goes to sleep
        # when the run is over.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = _FATAL  # what fails is raised, in one line, and not logged as well
    return options


def start_session(
    content: bytes, options: "SessionOptions", provider: ProviderChoice
) -> tuple["InferenceSession", str]:
    """Open a model on the provider that was asked for, or say why that cannot be.

    Args:
        content: of an ONNX file: its bytes, because a path that is opened again may be another file.
        options: threads and the like.
        provider: "cuda" or nothing, "cpu", or "auto": CUDA where it starts, else the CPU.

    Returns:
        the session, and why "auto" did not take CUDA (empty when CUDA runs or was not wanted).

    Raises:
        ProviderError: if CUDA was asked for and did not start.
        ModelFileError: if ONNX Runtime cannot use the file.
    """
    if provider == "cpu":
        return _open_on_cpu(content, options), ""
    reason = missing_for_cuda()
    if not reason:
        try:
            session = _open_on_cuda(content, options)
        except Exception as error:  # its exception classes share no base but Exception
            _open_on_cpu(content, options)  # raises if it is the file that is at fault
            reason = _one_line(error)
        else:
            if session.get_providers()[0] == CUDA:
                return session, ""
            reason = _why_cuda_failed()
    if provider == "cuda":
        raise ProviderError(f"CUDA did not start: {reason}")
    return _open_on_cpu(content, options), reason


def _open_on_cuda(content: bytes, options: "SessionOptions") -> "InferenceSession":
    onnxruntime = import_onnxruntime()
    with quiet(onnxruntime):
        onnxruntime.preload_dlls()
        if missing := _missing_cudnn():
            raise ProviderError(missing)
        return _open(
            content,
            options,
            # TF32, the default, keeps 10 bits of a float32's 23: too few for parity with eager PyTorch. And by default
            # cuDNN times every convolution algorithm anew for each batch size.
            [(CUDA, {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}), CPU],
        )


def _open_on_cpu(content: bytes, options: "SessionOptions") -> "InferenceSession":
    onnxruntime = import_onnxruntime()
    # Unpack what is stored in half precision: a product with what is not constant by then rounds a single row unlike
    # one of many. The exporter has left nothing else to optimize.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return _open(content, options, [CPU])
    except Exception as error:  # its exception classes share no base but Exception
        raise ModelFileError(
            f"not a model that ONNX Runtime {onnxruntime.__version__} can open: {_one_line(error)}"
        ) from error


def _open(content: bytes, options: "SessionOptions", providers: Sequence[Any]) -> "InferenceSession":
    session = import_onnxruntime().InferenceSession(
        content,
        sess_options=options,
        providers=providers,
        # Else a failing run would silently be repeated on the CPU, and by every later run.
        enable_fallback=0,
    )
    session._model_bytes = None  # kept for that fallback: as much memory as the model takes already
    keep_in_children(session)
    return session


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).removeprefix("[ONNXRuntimeError] : ")


@contextlib.contextmanager
def quiet(onnxruntime: ModuleType) -> Iterator[None]:
    """Keep ONNX Runtime from writing its own account of a failure; ours is one line.

    Its native part writes to stderr, its Python part (missing libraries, failed providers) prints to stdout, where
    it would end up among results.
    """
    with _one_at_a_time:  # stdout and log level are the process's
        onnxruntime.set_default_logger_severity(_FATAL)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        finally:
            onnxruntime.set_default_logger_severity(2)  # its default: warnings


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


def missing_for_cuda() -> str:
    """Return what rules CUDA out before it is tried: wheel, driver or GPU; empty if nothing does."""
    onnxruntime = import_onnxruntime()
    if CUDA not in onnxruntime.get_available_providers():
        return "this onnxruntime is built for the CPU alone; CUDA needs onnxruntime-gpu[cuda,cudnn] in its place"
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return f"no NVIDIA driver here ({library} is missing)"
    count = ctypes.c_int(0)
    # CUDA driver API: both calls return 0 (CUDA_SUCCESS) when they worked.
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status or not count.value:
        return f"the NVIDIA driver finds no GPU (CUDA driver status {status}, {count.value} devices)"
    return ""


def _missing_cudnn() -> str:
    """Return what to do about a missing cuDNN: ONNX Runtime loads it late, when a session already claims CUDA."""
    library = "cudnn64_9.dll" if sys.platform == "win32" else "libcudnn.so.9"
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return f"{error}; install the CUDA libraries: {INSTALL_CUDA}"
    return ""


def _why_cuda_failed() -> str:
    """Return which library the CUDA provider lacks, found by loading it as ONNX Runtime does."""
    suffix = "onnxruntime_providers_cuda.dll" if sys.platform == "win32" else "libonnxruntime_providers_cuda.so"
    library = Path(str(import_onnxruntime().__file__)).parent / "capi" / suffix
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return f"{error}; install the CUDA libraries: {INSTALL_CUDA}"
    return (
        "the driver and libraries load, but ONNX Runtime could not start CUDA (is the driver too old for this wheel?)"
    )
