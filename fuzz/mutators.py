"""Damage that keeps a file's structure, so that it reaches what lies behind the first check."""

import contextlib
import gzip
import hashlib
import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable

from sketch_infer.errors import InputError
from sketch_infer.model.integrity import DIGITS, content_sha256
from sketch_search.layout import MAGIC, PREFIX, read_header

from .seeds import index_bytes

Any_ = Callable[[bytes], bytes]
Mutator = Callable[[bytes, random.Random, Any_], bytes]
"""Makes an input of another, by its random numbers; the last argument is libFuzzer's own mutation of bytes."""

_SIZES = (0, 1, 2, 3, 5, -1, -3, 255, 65536, 1_000_001, 2**31, 2**40, 2**62, 2**63, 2**64, 10**30, "True", "2.5", "'3'")
_DTYPES = (
    "<f4", ">f4", "<f8", ">f8", "<f2", "<f16", "|i1", "|u1", "<i8", "<u8", "|b1", "|O", "<c8", "|S0", "<U9", "|V8",
    "<M8[s]", "<m8", "|V2147483647", "<f99", "f4,f4", "3f4", "a\\n", "",
)  # fmt: skip
_FLOATS = [struct.pack("<f", value) for value in (float("nan"), float("inf"), 3.4e38, -3.4e38, 1e-45, 0.0, 1.0, 2.0)]
_FLOATS += [struct.pack("<d", value) for value in (float("nan"), float("-inf"), 1.7e308, -1.7e308, 5e-324, 1e39, 1.0)]
_FLOATS += [b"\x01\x00\x80\x7f", b"\x01\0\0\0\0\0\xf0\x7f", b"\xff" * 8, b"\0" * 7 + b"\x80"]  # NaNs that signal, ints
_TOKENS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1e308", b"-1e308", b"1e-320", b"5e-324", b"-0.0", b"255", b"256",
    b"0.5", b"9007199254740993", b"18446744073709551616", b"9223372036854775808", b"9" * 400, b"true", b"false",
    b"null", b'""', b'"1"', b"[]", b"{}", b"[[]]", b"[1,2]", b'"\\ud800"', b'"\\n"', b"[[1,2],[3,4]]", b"[[],[]]",
)  # fmt: skip
_NUMBER_OR_WORD = re.compile(rb'-?\d[\d.eE+-]*|"[^"\n]*"|true|false|null|[\[\]{}:,\n]')
_HEADER = re.compile(rb"\{.*?\}", re.DOTALL)


def mutate_npy(data: bytes, rng: random.Random, any_: Any_) -> bytes:
    """Edit shape, dtype, order, version or numbers of an array."""
    kind = rng.randrange(6)
    found = _HEADER.search(data)
    if kind == 0 or not found or len(data) < 12:
        return any_(data)
    if kind == 1:
        return _poke(data, rng, found.end())
    header, body = found.group(), data[max(found.end(), 64 * -(-found.end() // 64)) :]
    if kind == 2:
        sizes = ", ".join(str(rng.choice(_SIZES)) for _ in range(rng.choice((0, 1, 2, 2, 3, 3, 3, 4))))
        header = re.sub(rb"\([^)]*\)", f"({sizes},)".encode(), header, count=1)
    elif kind == 3:
        header = re.sub(rb"'descr': '[^']*'", f"'descr': '{rng.choice(_DTYPES)}'".encode(), header, count=1)
    elif kind == 4:
        header = header.replace(b"True", b"?").replace(b"False", b"True").replace(b"?", b"False")
        body = rng.choice((body, b"", body[: len(body) // 2]))
    else:
        body = any_(body)
    version, size = rng.choice(((b"\x01\0", "<H"), (b"\x02\0", "<I"), (b"\x03\0", "<I")))
    header = header.ljust(-(len(header) + 13) % 64 + len(header) + 1)
    claimed = len(header) if rng.randrange(8) else rng.choice((0, 9999, 65535))
    return b"\x93NUMPY" + version + struct.pack(size, claimed) + header + body


def _poke(data: bytes, rng: random.Random, start: int) -> bytes:
    value = rng.choice(_FLOATS)
    at = start + rng.randrange(max(1, len(data) - start)) // len(value) * len(value)
    return data[:at] + value + data[at + len(value) :]


def mutate_npz(data: bytes, rng: random.Random, any_: Any_) -> bytes:
    """Edit an array in an archive that stays whole, or its name, or how it is compressed; or any byte."""
    if not rng.randrange(3):
        return any_(data)
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
            for member in old.infolist()[:3]:
                content = old.open(member).read(2**16)
                if rng.randrange(2):
                    content = mutate_npy(content, rng, any_)
                name = rng.choice((member.filename,) * 6 + ("a\nb.npy", "\x1b[2J", "f/"))
                method = rng.choice((0, 8, 8, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
                new.writestr(zipfile.ZipInfo(name), content, method)
    except Exception:  # what is no archive any more
        return any_(data)
    return _once_more(buffer.getvalue(), rng)


def _once_more(data: bytes, rng: random.Random) -> bytes:
    """Now and then, change one byte."""
    if rng.randrange(4) or not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def mutate_json(data: bytes, rng: random.Random, any_: Any_) -> bytes:
    """Put a number, word or bracket in another's place, or repeat or leave out a piece."""
    if not rng.randrange(5):
        return any_(data)
    for _ in range(rng.randrange(1, 4)):
        places = [match.span() for match in _NUMBER_OR_WORD.finditer(data[:4096])]
        if not places:
            return any_(data)
        (start, end), (_, further) = rng.choice(places), rng.choice(places)
        kind = rng.randrange(6)
        if kind < 3:
            data = data[:start] + rng.choice(_TOKENS) + data[end:]
        elif kind == 3:
            data = data[:start] + data[start:further] * rng.choice((2, 2, 3, 40)) + data[max(start, further) :]
        elif kind == 4:
            data = data[:start] + data[max(start, further) :]
        else:
            data = data[:end] + rng.choice(_TOKENS) + b"," + data[end:]
    return data


def mutate_gzip(data: bytes, rng: random.Random, any_: Any_) -> bytes:
    """Edit the lines within, or any byte of the compressed file."""
    if not rng.randrange(3):
        return any_(data)
    with contextlib.suppress(Exception), gzip.open(io.BytesIO(data)) as file:
        return _once_more(gzip.compress(mutate_json(file.read(2**16), rng, any_), 1, mtime=0), rng)
    return any_(data)


def mutate_binary(data: bytes, rng: random.Random, any_: Any_) -> bytes:
    """Change how many strokes or points a drawing claims, or cut or repeat drawings."""
    kind = rng.randrange(4)
    if kind == 0 or len(data) < 18:
        return any_(data)
    if kind == 1:
        at = rng.randrange(len(data))
        return data[:at] if rng.randrange(2) else data[at:] + data
    claimed = struct.pack("<H", rng.choice((0, 1, 2, 3, 255, 65535, rng.randrange(300))))
    at = rng.choice((16, 18, rng.randrange(len(data) - 1)))
    return data[:at] + claimed + data[at + 2 :]


def mutate_parquet(data: bytes, rng: random.Random, any_: Any_) -> bytes:
    """Change bytes of the pages or of the description at the end, and leave the marks and lengths around them whole."""
    if len(data) < 20 or not rng.randrange(6):
        return any_(data)
    end = len(data) - 8
    (description,) = struct.unpack("<I", data[end : end + 4])
    first = max(4, end - description) if rng.randrange(3) else 4
    edited = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(min(first, end - 1), end)
        edited[at] = rng.choice((0, 1, 2, 127, 128, 255, edited[at] ^ 1 << rng.randrange(8), edited[at] + 1 & 255))
    return bytes(edited)


def mutate_metadata(data: bytes, rng: random.Random, any_: Any_) -> bytes:
    """Edit one text of the metadata, most of which are JSON themselves."""
    try:
        props = dict(json.loads(data))
        key = rng.choice(sorted(props))
        text = mutate_json(str(props[key]).encode(), rng, any_).decode("utf-8", "replace")
    except (ValueError, TypeError, IndexError):
        return mutate_json(data, rng, any_)
    props[key] = text
    if not rng.randrange(20):
        del props[key]
    return json.dumps(props).encode()


def mutate_index(data: bytes, rng: random.Random, any_: Any_) -> bytes:
    """Edit the header or an array of an index, and give it the hash that fits; or any byte."""
    kind = rng.randrange(4)
    try:
        header = read_header("", io.BytesIO(data))
    except InputError:
        kind = 0
    if kind == 0:
        return any_(data)
    if kind == 1:
        length = int.from_bytes(data[8:16], "little")
        text = mutate_json(data[PREFIX : PREFIX + length], rng, any_)
        start = MAGIC + len(text).to_bytes(8, "little") + hashlib.sha256(text).digest()
        return start + text + data[PREFIX + length :]
    contents = {name: data[section.offset : section.end] for name, section in header.sections().items()}
    for _ in range(rng.randrange(1, 4)):
        name = rng.choice(sorted(contents))
        edited = bytearray(contents[name])
        if edited:
            at = rng.randrange(len(edited))
            edited[at] = rng.choice((0, 1, 2, 127, 128, 255, edited[at] + 1 & 255))
            contents[name] = bytes(edited)
    return index_bytes(header, contents)


def mutate_bytes(data: bytes, _: random.Random, any_: Any_) -> bytes:
    """Leave it to libFuzzer."""
    return any_(data)


def models_mutator(models: list[bytes]) -> Mutator:
    """Return what damages any byte of a model file, or edits its metadata and gives it the hash that fits."""

    def mutate(data: bytes, rng: random.Random, any_: Any_) -> bytes:
        whole = rng.choice(models)
        metadata_start = whole.index(b"sketch_infer.")
        if rng.randrange(8):
            cut = rng.randrange(len(whole)) if not rng.randrange(6) else len(whole)
            return any_(rng.choice((data, whole))[:cut])
        edited = bytearray(whole)
        for _ in range(rng.randrange(1, 5)):
            # Where metadata is text, a character for another leaves protobuf whole; the graph stays as it is.
            at = rng.randrange(metadata_start, len(whole) - DIGITS)
            if 32 <= edited[at] < 127:
                edited[at] = rng.choice(b'0123456789[]{},:"-eE. \n\\u')
        return bytes(edited[:-DIGITS]) + content_sha256(bytes(edited))

    return mutate
