"""Whether a model file is still what the exporter wrote, bit for bit.

The last metadata entry of the file is CONTENT_SHA256, and protobuf writes metadata last: the file ends with the sha256,
in hexadecimal, of all bytes before it. No ONNX library is needed to check that, and none sees a file that fails: its
parser is native code, and a damaged file could take the process with it.
"""

from collections.abc import Mapping
from hashlib import sha256
from threading import Event, Thread

from sketch_infer.errors import ModelFileError

CONTENT_SHA256 = "sketch_infer.content_sha256"
"""Key of the entry."""

DIGITS = 64
"""Bytes at the end of the file that hold the hash."""


def content_sha256(content: bytes) -> bytes:
    """Return the hash that a file of this content ends with, 64 hexadecimal digits."""
    return sha256(memoryview(content)[:-DIGITS]).hexdigest().encode("ascii")


class ContentHash:
    """Hashes a model file's content in a thread of its own, so that it costs no time beside the import of ONNX Runtime.

    Args:
        content: of the file.
    """

    def __init__(self, content: bytes) -> None:
        self._digest = b""
        self._hashing = Event()
        self._thread = Thread(target=self._hash, args=(content,), daemon=True)
        self._thread.start()
        # Until the hash is computed outside the interpreter's lock, which the import of ONNX Runtime holds.
        self._hashing.wait()

    def check(self, content: bytes, props: Mapping[str, str]) -> str:
        """Wait for the hash, compare, and return it.

        Args:
            content: of the file, again.
            props: the metadata that it has.

        Raises:
            ModelFileError: if the file has no hash, or its content is not what it was when it was written.
        """
        self._thread.join()
        if CONTENT_SHA256 not in props:
            raise ModelFileError(f"its metadata lacks {CONTENT_SHA256!r}; export it again")
        digest = self._digest.decode("ascii")
        if content[-DIGITS:] != self._digest or props[CONTENT_SHA256] != digest:
            raise ModelFileError("its content does not match its sha256: it was damaged or edited; export it again")
        return digest

    def _hash(self, content: bytes) -> None:
        self._hashing.set()
        self._digest = content_sha256(content)
