"""`sketch-export receipts`."""

from pathlib import Path

import click

from sketch_infer.checks.receipt import Receipt, read_receipt, receipts_table
from sketch_infer.checks.signing import read_verify_key, verify_file
from sketch_infer.cli.console import say, terminal_width
from sketch_infer.errors import ParityError


@click.command()
@click.argument("paths", metavar="RECEIPTS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--verify-key",
    metavar="KEY",
    type=click.Path(path_type=Path),
    help="Refuse receipts that the owner of this Ed25519 public key (PEM) did not sign (needs the package "
    "cryptography).",
)
def receipts(paths: tuple[Path, ...], verify_key: Path | None) -> None:
    """Make one table of the receipts of many devices.

    RECEIPTS are files that `sketch-infer --self-check --attest` wrote. Exit codes: 1 if a device's check
    failed or a signature does not fit; 2 if a receipt cannot be read, is damaged or contradicts itself.
    """
    key = read_verify_key(verify_key) if verify_key else None
    found = []
    for path in paths:
        content = read_receipt(path)
        if key:
            verify_file(path, content, key)
        found.append(Receipt.parse(path, content))
    say(receipts_table(found, terminal_width()))
    if failed := [one for one in found if not one]:
        raise ParityError(f"{len(failed)} of {len(found)} failed: {failed[0].device}: {failed[0].summary}")
