"""Whether a model file is still what the exporter wrote, bit for bit.

The last metadata entry of the file is CONTENT_SHA256, and protobuf writes metadata last: the file ends with the sha256,
in hexadecimal, of all bytes before it. No ONNX library is needed to check that.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread

from .errors import ModelFileError

CONTENT_SHA256 = "sketch_infer.content_sha256"
"""Key of the entry."""

_DAMAGED = "its content does not match its sha256: it was damaged or edited; export it again"

DIGITS = 64
"""Bytes at the end of the file that hold the hash."""


def content_sha256(content: bytes) -> bytes:
    """Return the hash that a file of this content ends with, 64 hexadecimal digits."""
    return sha256(memoryview(content)[:-DIGITS]).hexdigest().encode("ascii")


class ContentCheck:
    """Hashes a model file in a thread of its own, so that it costs no time while ONNX Runtime is imported.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError:  # ONNX Runtime cannot read it either, and says so
            content = b""
        self._intact = False
        self._sealed = CONTENT_SHA256.encode() in content[-2 * DIGITS :]
        self._hashing = Event()
        self._thread = Thread(target=self._hash, args=(content,), daemon=True)
        self._thread.start()
        # Until the hash is computed outside the interpreter's lock, which ONNX Runtime's import holds.
        self._hashing.wait()

    def refuse_damaged(self) -> None:
        """Wait for the hash and compare, before ONNX Runtime's native code gets to see what may be damaged.

        Raises:
            ModelFileError: if the file ends with a hash, and its content is not what it was when that was written.
        """
        self._thread.join()
        if self._sealed and not self._intact:
            raise ModelFileError(_DAMAGED)

    def finish(self, props: Mapping[str, str]) -> None:
        """Check that ONNX Runtime found the hash that was compared.

        Args:
            props: the metadata that the file has.

        Raises:
            ModelFileError: if the file has no hash, or its content is not what it was when it was written.
        """
        if CONTENT_SHA256 not in props:
            raise ModelFileError(f"its metadata lacks {CONTENT_SHA256!r}; export it again")
        if not self._intact:
            raise ModelFileError(_DAMAGED)

    def _hash(self, content: bytes) -> None:
        self._hashing.set()
        self._intact = content[-DIGITS:] == content_sha256(content)
