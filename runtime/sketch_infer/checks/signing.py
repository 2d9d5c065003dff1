"""Ed25519 signatures of files: FILE.sig, 64 bytes, which OpenSSL can make and verify as well.

A signature covers every byte of a file, so it tells who wrote it, where a sha256 inside it tells damage alone.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from sketch_infer.atomic import write_atomically
from sketch_infer.errors import DependencyError, InputError, SignatureError, reading_errors, writing_errors

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_MAX_KEY_BYTES = 2**16
"""A key in PEM has about 120."""


def signature_path(path: Path) -> Path:
    """Return where the signature of a file is."""
    return path.with_name(f"{path.name}.sig")


def read_signing_key(path: Path) -> "Ed25519PrivateKey":
    """Read a private key.

    Args:
        path: PEM, as `openssl genpkey -algorithm ed25519` writes it, without a passphrase.

    Raises:
        InputError: if it is no such key.
        DependencyError: if cryptography is not installed.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read(path)
    try:
        key = load_pem_private_key(content, None)
    except TypeError as error:  # it has a passphrase
        raise InputError(f"{path}: expected a private key without a passphrase, found an encrypted one") from error
    except Exception as error:  # a ValueError, or UnsupportedAlgorithm, which shares no base but Exception
        raise _no_key(path, "private", "openssl genpkey -algorithm ed25519 -out KEY.pem") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private", "openssl genpkey -algorithm ed25519 -out KEY.pem")
    return key


def read_verify_key(path: Path) -> "Ed25519PublicKey":
    """Read a public key.

    Args:
        path: PEM, as `openssl pkey -pubout` writes it.

    Raises:
        InputError: if it is no such key.
        DependencyError: if cryptography is not installed.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _read(path)
    try:
        key = load_pem_public_key(content)
    except Exception as error:  # a ValueError, or UnsupportedAlgorithm, which shares no base but Exception
        raise _no_key(path, "public", "openssl pkey -in KEY.pem -pubout -out PUBLIC.pem") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public", "openssl pkey -in KEY.pem -pubout -out PUBLIC.pem")
    return key


def sign_file(path: Path, content: bytes, key: "Ed25519PrivateKey") -> None:
    """Write the signature of a file beside it.

    Args:
        path: of the file.
        content: what was written to it; it is not read again.
        key: to sign with.

    Raises:
        OutputError: if the signature cannot be written.
    """
    signature = signature_path(path)
    with write_atomically(signature) as temporary, writing_errors(signature):
        temporary.write_bytes(key.sign(content))


def verify_file(path: Path, content: bytes, key: "Ed25519PublicKey") -> None:
    """Hold a file that was read to the signature beside it.

    Args:
        path: of the file.
        content: its bytes, as they are going to be used.
        key: that has to have signed it.

    Raises:
        SignatureError: if there is no signature, or it is not of this key and this content.
    """
    from cryptography.exceptions import InvalidSignature

    where = signature_path(path)
    if not where.is_file():
        raise SignatureError(f"{path}: expected its signature in {where}, found none; sign it with --sign-key")
    try:
        key.verify(_read(where), content)
    except InvalidSignature as error:
        raise SignatureError(
            f"{path}: {where.name} is not this key's signature of it: the file was changed, or another key signed it"
        ) from error


def _require_cryptography() -> None:
    try:
        importlib.import_module("cryptography")  # what is needed of it is imported where it is used
    except ImportError as error:
        raise DependencyError("signatures need cryptography; install it with: pip install cryptography") from error


def _read(path: Path) -> bytes:
    with reading_errors(path), path.open("rb") as file:
        return file.read(_MAX_KEY_BYTES)


def _no_key(path: Path, kind: str, command: str) -> InputError:
    return InputError(f"{path}: expected an Ed25519 {kind} key in PEM, found something else; make one with: {command}")
