"""The sessions of one classifier, and the life that they have in its process."""

import os
import threading
from pathlib import Path

from sketch_infer.errors import ClassifierStateError, ModelFileError
from sketch_infer.inference.providers import CPU, ProviderChoice
from sketch_infer.inference.session import Session
from sketch_infer.model.model_file import ModelFile


class Sessions:
    """One session for all that is asked and, where it is worth it, one whose two threads share a single sketch.

    Args:
        model: path of the file, or the file read already.
        provider: as for `Session`.

    Raises:
        ModelFileError, ProviderError, DependencyError, ValueError: as `Session`.
    """

    def __init__(self, model: Path | ModelFile, provider: ProviderChoice) -> None:
        self._model, self._process = model, os.getpid()
        self._session: Session | None = Session(model, provider)
        self._for_one: Session | None = None
        self._single_calls = 0
        self._lock = threading.Lock()

    def open(self) -> Session:
        """Return the session.

        Raises:
            ClassifierStateError: if it was closed, or a fork copied it.
        """
        if self._process != os.getpid():
            raise ClassifierStateError(
                f"this classifier was opened in process {self._process} and copied by a fork into {os.getpid()}, where "
                "ONNX Runtime does not work; open one in each process, or start processes by multiprocessing's spawn"
            )
        if self._session is None:
            raise ClassifierStateError("this classifier was closed; open another one")
        return self._session

    def for_one_sketch(self, opened: Session) -> Session:
        """Return the session whose two threads share a sketch; for a first call, and in int8 or on CUDA, `opened`.

        A first call may be the only one, and would pay for opening the file again. In int8 a step is too short to be
        shared.
        """
        if opened.provider != CPU or opened.metadata.precision != "fp32":
            return opened
        with self._lock:
            self._single_calls += 1
            if self._single_calls > 1 and self._for_one is None and self._session:
                self._for_one = self._open_for_one(opened)
            return self._for_one or opened

    def close(self) -> None:
        """Free the memory; twice does nothing."""
        if self._process != os.getpid():  # a fork's copy, whose lock a thread of the parent may hold
            self._session = self._for_one = None
            return
        with self._lock:
            self._session = self._for_one = None

    def _open_for_one(self, opened: Session) -> Session:
        try:
            shared = Session(self._model, "cpu", threads=2)
        except ModelFileError:  # the file is gone: what is open still works
            return opened
        return shared if shared.content_sha256 == opened.content_sha256 else opened  # or was replaced
