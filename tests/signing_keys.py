"""Ed25519 keys for tests."""

from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


class Keys(NamedTuple):
    """Files of a private key and of its public one."""

    private: Path
    public: Path


def write_keys(folder: Path, name: str = "key", public: str = "public") -> Keys:
    """Make a pair of keys."""
    key = Ed25519PrivateKey.generate()
    keys = Keys(folder / f"{name}.pem", folder / f"{public}.pem")
    keys.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    keys.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return keys
