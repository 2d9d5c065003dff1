"""Receipts of the self-check, and signatures of receipts and model files."""

import json
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sketch_infer import InputError, SignatureError
from sketch_infer.checks.receipt import Receipt, receipts_table
from sketch_infer.checks.signing import read_signing_key, read_verify_key, sign_file, verify_file
from sketch_infer.model.integrity import DIGITS, content_sha256
from tests.support import Run

pytest.importorskip("cryptography", reason="signatures need cryptography, the extra `sign`")
from tests.signing_keys import Keys, write_keys  # after the reason to skip


@pytest.fixture
def model(tiny_onnx: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(tiny_onnx, tmp_path / "model.onnx"))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return write_keys(tmp_path)


def sign(path: Path, keys: Keys) -> None:
    sign_file(path, path.read_bytes(), read_signing_key(keys.private))


def relabeled(model: Path) -> bytes:
    """Return the model with a label changed, and the hash computed again as the exporter does it."""
    content = model.read_bytes().replace(b"dog", b"fox")
    assert content != model.read_bytes()
    return content[:-DIGITS] + content_sha256(content)


@pytest.fixture
def receipt(sketch_infer: Run, model: Path, tmp_path: Path) -> dict[str, Any]:
    result = sketch_infer("--self-check", "--model", model, "--attest", tmp_path / "receipt.json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads((tmp_path / "receipt.json").read_text())
    return found


def test_a_receipt_says_what_ran_where(receipt: dict[str, Any], model: Path) -> None:
    assert receipt["verdict"] == "pass"
    assert receipt["model"] == "model.onnx"
    assert receipt["file_sha256"] == sha256(model.read_bytes()).hexdigest()
    assert 0 < receipt["largest_difference"] <= receipt["tolerance"] == 1e-5
    assert receipt["provider"] == "CPUExecutionProvider"
    assert receipt["onnxruntime"].startswith("onnxruntime")
    assert receipt["checks"]["rows are independent"].startswith("equal bit for bit")
    assert all(receipt[name] for name in ("device", "time", "processor", "system", "sketch_infer"))


def test_a_failed_check_has_its_receipt_too(sketch_infer: Run, model: Path, tmp_path: Path) -> None:
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    path = tmp_path / "receipt.json"
    assert sketch_infer("--self-check", "--model", model, "--attest", path).exit_code == 1
    found = Receipt.parse(path, path.read_bytes())
    assert not found
    assert found.largest_difference is None
    assert found.checks["model file"].startswith("FAIL: its content does not match its sha256")
    assert "none" in receipts_table([found])


def test_a_receipt_takes_the_place_of_nothing_else(sketch_infer: Run, model: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.json"
    result = sketch_infer("--self-check", "--model", model, "--attest", both, "--report", both)
    assert (result.exit_code, both.exists()) == (2, False)
    assert "is also the --report; name another file" in result.stderr
    (tmp_path / "link").symlink_to(tmp_path)
    linked = tmp_path / "link" / both.name
    assert sketch_infer("--self-check", "--model", model, "--attest", both, "--report", linked).exit_code == 2
    content = model.read_bytes()
    assert sketch_infer("--self-check", "--model", model, "--attest", model).exit_code == 2
    assert model.read_bytes() == content


def test_an_older_receipt_stays_if_the_check_cannot_begin(sketch_infer: Run, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    path.write_text("old")
    assert sketch_infer("--self-check", "--model", tmp_path / "none.onnx", "--attest", path).exit_code == 2
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"verdict": "maybe"}, "expected pass or fail"),
        ({"largest_difference": 0.5}, "it was edited"),
        ({"largest_difference": None}, "it was edited"),
        ({"largest_difference": -1.0}, r"'largest_difference' as a finite number >= 0, found -1\.0"),
        ({"largest_difference": float("nan")}, "'largest_difference' as a finite number"),
        ({"tolerance": float("inf")}, "'tolerance' as a finite number >= 0, found inf"),
        ({"checks": {"probes": "FAIL: none"}}, "it was edited"),
        ({"file_sha256": None}, "it was edited"),
        ({"device": 3}, "'device' is missing or of another type"),
        ({"kind": "receipt"}, "found 'receipt' as its kind"),
    ],
)
def test_a_receipt_that_contradicts_itself_is_refused(
    receipt: dict[str, Any], changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Receipt.parse(Path("a.json"), json.dumps(receipt | changed).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'"x"', b"\xff", b"[" * 10**5])
def test_what_is_no_receipt_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"a\.json: expected a"):
        Receipt.parse(Path("a.json"), content)


def test_a_signed_model_runs_and_a_relabeled_one_does_not(
    sketch_infer: Run, model: Path, keys: Keys, strokes_file: Path
) -> None:
    sign(model, keys)
    arguments = (strokes_file, "--model", model, "--format", "csv")
    first = sketch_infer(*arguments, "--verify-key", keys.public)
    assert first.exit_code == 0, first.stderr

    model.write_bytes(relabeled(model))
    assert sketch_infer(*arguments).stdout.replace("fox", "dog") == first.stdout  # its own hash says nothing
    for mode in (arguments, ("--list-labels", "--model", model)):
        result = sketch_infer(*mode, "--verify-key", keys.public)
        assert result.exit_code == 1
        assert "model.onnx.sig is not this key's signature of it" in result.stderr
        assert not result.stdout


def test_the_self_check_fails_for_a_relabeled_model(sketch_infer: Run, model: Path, keys: Keys, tmp_path: Path) -> None:
    sign(model, keys)
    check = ("--self-check", "--model", model, "--verify-key", keys.public, "--attest", tmp_path / "receipt.json")
    assert "signature             ok" in sketch_infer(*check).stdout
    model.write_bytes(relabeled(model))
    result = sketch_infer(*check)
    assert result.exit_code == 1
    assert "FAIL: signature: " in result.stdout
    assert json.loads((tmp_path / "receipt.json").read_text())["verdict"] == "fail"


def test_a_model_of_another_key_or_of_none_is_refused(model: Path, keys: Keys, tmp_path: Path) -> None:
    key = read_verify_key(keys.public)
    with pytest.raises(SignatureError, match=r"expected its signature in .*model.onnx.sig, found none"):
        verify_file(model, model.read_bytes(), key)
    sign(model, write_keys(tmp_path, "other", "other-public"))
    with pytest.raises(SignatureError, match="another key signed it"):
        verify_file(model, model.read_bytes(), key)
    (tmp_path / "model.onnx.sig").write_bytes(b"")
    with pytest.raises(SignatureError, match="is not this key's signature"):
        verify_file(model, model.read_bytes(), key)


def test_a_receipt_is_signed(sketch_infer: Run, model: Path, keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    arguments = ("--self-check", "--model", model, "--attest", path, "--sign-key", keys.private)
    assert sketch_infer(*arguments).exit_code == 0
    verify_file(path, path.read_bytes(), read_verify_key(keys.public))


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the command openssl")
def test_openssl_verifies_a_signature(model: Path, keys: Keys) -> None:
    sign(model, keys)
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(keys.public), "-rawin", "-in", str(model)]
    subprocess.run([*verify, "-sigfile", f"{model}.sig"], check=True, capture_output=True)


def test_other_keys_are_refused_with_the_command_that_makes_one(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected an Ed25519 private key .* openssl genpkey -algorithm ed25519"):
        read_signing_key(keys.public)
    with pytest.raises(InputError, match=r"expected an Ed25519 public key .* openssl pkey -in KEY\.pem -pubout"):
        read_verify_key(keys.private)
    with pytest.raises(InputError, match=r"none\.pem: cannot be read"):
        read_verify_key(tmp_path / "none.pem")


def test_without_cryptography_the_pip_line_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "cryptography.py").write_text("raise ImportError('not here')")
    code = "from sketch_infer.cli.main import main; main()"
    arguments = ["--list-labels", "--model", str(model), "--verify-key", "public.pem"]
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert result.returncode == 1
    assert result.stderr == "Error: signatures need cryptography; install it with: pip install cryptography\n"
