"""Which execution provider really runs.

ONNX Runtime lists CUDA as available when its wheel was built with it, and a session that asks for CUDA without a
GPU or its libraries becomes a CPU session with a log line at most. Here CUDA runs the whole graph, and has run it once,
or the reason is found by loading the libraries one by one.
"""

import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from sketch_infer.errors import DependencyError, ModelFileError, ProviderError
from sketch_infer.inference.cuda import CUDA, INSTALL_CUDA, missing_cudnn, missing_for_cuda, missing_library
from sketch_infer.inference.forks import keep_in_children

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

ProviderChoice = Literal["auto", "cpu", "cuda"]
PROVIDER_CHOICES: tuple[str, ...] = get_args(ProviderChoice)

CPU = "CPUExecutionProvider"

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


def run_zeros(session: "InferenceSession") -> None:
    """Run one row of zeros through a session."""
    inputs = {each.name: [size if isinstance(size, int) else 1 for size in each.shape] for each in session.get_inputs()}
    session.run(None, {name: np.zeros(shape, np.float32) for name, shape in inputs.items()})


def start_session(
    content: bytes,
    provider: ProviderChoice,
    threads: int = 1,
    profile: Path | None = None,
    first_run: "Callable[[InferenceSession], object]" = run_zeros,
) -> tuple["InferenceSession", str]:
    """Open a model on the provider that was asked for, or say why that cannot be.

    Args:
        content: of an ONNX file: its bytes, because a path that is opened again may be another file.
        provider: "cuda" or nothing, "cpu", or "auto": CUDA where it starts, else the CPU.
        threads: threads that share each operator's work; more than one is for a sketch at a time.
        profile: beginning of the path of a profile to write; none when None.
        first_run: runs the session before anyone relies on CUDA, and raises where it does not work: a missing part of
            cuDNN, a GPU too old for the wheel or too little memory show only then.

    Returns:
        the session, and why "auto" did not take CUDA (empty when CUDA runs or was not wanted).

    Raises:
        ProviderError: if CUDA was asked for and did not start.
        ModelFileError: if ONNX Runtime cannot use the file.
        DependencyError: if onnxruntime is not installed.
    """
    if provider == "cpu":
        return _open_on_cpu(content, _options(threads, profile)), ""
    onnxruntime = import_onnxruntime()
    reason = missing_for_cuda(onnxruntime)
    if not reason:
        try:
            with quiet(onnxruntime):
                session = _open_on_cuda(content, _options(threads, profile))
                first_run(session)
        except Exception as error:  # its exception classes share no base but Exception
            _open_on_cpu(content, _options(threads))  # raises if it is the file that is at fault
            reason = _one_line(error)
        else:
            return session, ""
    if provider == "cuda":
        raise ProviderError(f"CUDA did not start: {reason}")
    return _open_on_cpu(content, _options(threads, profile)), reason


def _options(threads: int, profile: Path | None = None) -> "SessionOptions":
    options = import_onnxruntime().SessionOptions()
    options.intra_op_num_threads = threads
    if threads > 1:
        # A step of the LSTM is too short to wake a thread for: the second one waits for it awake, and goes to sleep
        # when the run is over.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = _FATAL  # what fails is raised, in one line, and not logged as well
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    return options


def _open_on_cuda(content: bytes, options: "SessionOptions") -> "InferenceSession":
    onnxruntime = import_onnxruntime()
    onnxruntime.preload_dlls()
    if missing := missing_cudnn():
        raise ProviderError(missing)
    # All of the graph on the GPU, or none of it: without this ONNX Runtime leaves to the CPU what it cannot place.
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    # TF32, the default, keeps 10 bits of a float32's 23: too few for parity with eager PyTorch. And by default cuDNN
    # times every convolution algorithm anew for each batch size.
    try:
        session = _open(content, options, [(CUDA, {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"})])
    except Exception as error:  # its exception classes share no base but Exception
        if missing := missing_library(onnxruntime):
            raise ProviderError(missing) from error
        raise
    if session.get_providers()[0] != CUDA:
        raise ProviderError("ONNX Runtime opened the file on the CPU without an error (is the driver too old for it?)")
    return session


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
