"""Whether a model file is still what the exporter wrote, bit for bit.

The last metadata entry of the file is CONTENT_SHA256, and protobuf writes metadata last: the file ends with the sha256,
in hexadecimal, of all bytes before it. No ONNX library is needed to check that, and none sees a file that fails: its
parser is native code, and a damaged file could take the process with it.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread

from sketch_infer.errors import ModelFileError
from sketch_infer.model.onnx_header import OnnxHeader, read_header

CONTENT_SHA256 = "sketch_infer.content_sha256"
"""Key of the entry."""

DIGITS = 64
"""Bytes at the end of the file that hold the hash."""

_MAX_BYTES = 2**31
"""What protobuf, and so ONNX Runtime, reads at most."""


def content_sha256(content: bytes) -> bytes:
    """Return the hash that a file of this content ends with, 64 hexadecimal digits."""
    return sha256(memoryview(content)[:-DIGITS]).hexdigest().encode("ascii")


class ContentCheck:
    """Hashes a model file in a thread of its own, so that it costs no time beside the import of ONNX Runtime.

    Args:
        path: the file.

    Raises:
        ModelFileError: if it cannot be read, or is not the kind of file that ONNX Runtime can open.
    """

    def __init__(self, path: Path) -> None:
        try:
            if (size := path.stat().st_size) >= _MAX_BYTES:
                raise ModelFileError(f"expected a model file of less than {_MAX_BYTES} bytes, found {size}")
            content = path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"cannot be read: {error.strerror or error}") from error
        self.header: OnnxHeader = read_header(content)
        self._intact = False
        self._hashing = Event()
        self._thread = Thread(target=self._hash, args=(content,), daemon=True)
        self._thread.start()
        # Until the hash is computed outside the interpreter's lock, which the import of ONNX Runtime holds.
        self._hashing.wait()

    def finish(self, props: Mapping[str, str]) -> str:
        """Wait for the hash, compare, and return it.

        Args:
            props: the metadata that the file has.

        Raises:
            ModelFileError: if the file has no hash, or its content is not what it was when it was written.
        """
        self._thread.join()
        if CONTENT_SHA256 not in props:
            raise ModelFileError(f"its metadata lacks {CONTENT_SHA256!r}; export it again")
        if not self._intact:
            raise ModelFileError("its content does not match its sha256: it was damaged or edited; export it again")
        return props[CONTENT_SHA256]

    def _hash(self, content: bytes) -> None:
        self._hashing.set()
        self._intact = content[-DIGITS:] == content_sha256(content)
