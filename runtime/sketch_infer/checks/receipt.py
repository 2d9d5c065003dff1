"""A receipt: what a self-check found on one device, small enough to collect from a fleet."""

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from types import NoneType

from sketch_infer.atomic import write_atomically
from sketch_infer.checks.environment import describe_processor, installed_wheels
from sketch_infer.checks.report import Report
from sketch_infer.errors import InputError, reading_errors, writing_errors
from sketch_infer.tables import format_table

KIND = "sketch-infer receipt 1"
"""First entry of a receipt, with the version of the format."""

_MAX_BYTES = 2**20

_TYPES: dict[str, tuple[type, ...]] = {
    "file_sha256": (str, NoneType),
    "provider": (str, NoneType),
    "largest_difference": (float, NoneType),
    "tolerance": (float, NoneType),
    "checks": (dict,),
}
"""What a field holds in JSON, if not a string."""


@dataclass(frozen=True)
class Receipt:
    """One device's verdict on one model file.

    Attributes:
        device: name of the machine in its network.
        time: of the check, UTC, ISO 8601.
        verdict: "pass" or "fail".
        summary: one line: the verdict, and the first thing that does not hold.
        model: name of the file.
        file_sha256: of all of the file, as `sha256sum` prints it; None if it could not be opened.
        sketch_infer: version.
        onnxruntime: package and version.
        provider: the execution provider that ran; None if none did.
        processor, system: what it ran on.
        largest_difference: from eager PyTorch, in units of the row's scale; None if it did not come to that.
        tolerance: bound on it.
        checks: what was found by name of the check, "FAIL: " before what does not hold.
    """

    device: str
    time: str
    verdict: str
    summary: str
    model: str
    file_sha256: str | None
    sketch_infer: str
    onnxruntime: str
    provider: str | None
    processor: str
    system: str
    largest_difference: float | None
    tolerance: float | None
    checks: dict[str, str]

    def __bool__(self) -> bool:
        return self.verdict == "pass"

    @classmethod
    def of(cls, report: Report, model: Path) -> "Receipt":
        """Make the receipt of a self-check that just ended."""
        rows = report.parity.rows if report.parity is not None else ()
        compared = [row for row in rows if math.isfinite(row.max_scaled)]
        worst = max(compared, key=lambda row: row.max_scaled, default=None)
        return cls(
            device=platform.node(),
            time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            verdict="pass" if report else "fail",
            summary=report.summary,
            model=model.name,
            file_sha256=report.facts["file"].removeprefix("sha256 ") if "file" in report.facts else None,
            sketch_infer=report.facts["sketch-infer"],
            onnxruntime=" and ".join(f"{name} {version}" for name, version in installed_wheels().items()),
            provider=report.parity.provider if report.parity is not None else None,
            processor=describe_processor(),
            system=report.facts["machine"],
            largest_difference=worst.max_scaled if worst else None,
            tolerance=worst.tolerance if worst else None,
            checks={check.name: check.found if check else f"FAIL: {check.found}" for check in report.checks},
        )

    def write(self, path: Path) -> bytes:
        """Write it, whole or not at all, and return what was written.

        Raises:
            OutputError: if it cannot be written.
        """
        content = (json.dumps({"kind": KIND, **asdict(self)}, indent=2) + "\n").encode()
        with write_atomically(path) as temporary, writing_errors(path):
            temporary.write_bytes(content)
        return content

    @classmethod
    def parse(cls, path: Path, content: bytes) -> "Receipt":
        """Read a receipt's content.

        Raises:
            InputError: if it is damaged, or contradicts itself.
        """
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: expected a receipt of `sketch-infer --attest`, found no JSON") from error
        kind = values.pop("kind", None) if isinstance(values, dict) else None
        if kind != KIND:
            raise InputError(f"{path}: expected a {KIND!r}, found {str(kind)[:80]!r} as its kind")
        names = [field.name for field in fields(cls)]
        for name in names:
            if not isinstance(values.get(name, ...), _TYPES.get(name, (str,))):
                raise InputError(f"{path}: this receipt is damaged: its {name!r} is missing or of another type")
        for name in ("largest_difference", "tolerance"):
            if (number := values[name]) is not None and not 0 <= number < math.inf:  # nor NaN
                raise InputError(
                    f"{path}: this receipt is damaged: expected its {name!r} as a finite number >= 0, found {number}"
                )
        receipt = cls(**{name: values[name] for name in names})
        if receipt.verdict not in ("pass", "fail"):
            raise InputError(f"{path}: expected pass or fail as its verdict, found {receipt.verdict[:80]!r}")
        failed = [found for found in receipt.checks.values() if str(found).startswith("FAIL: ")]
        within = (receipt.largest_difference or 0.0) <= (receipt.tolerance or 0.0)
        if receipt and (failed or receipt.largest_difference is None or not within or not receipt.file_sha256):
            raise InputError(f"{path}: its verdict is pass and its figures are a failure's: it was edited")
        return receipt


def read_receipt(path: Path) -> bytes:
    """Return a receipt's bytes.

    Raises:
        InputError: if there is no file, or it is too large for a receipt.
    """
    with reading_errors(path), path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise InputError(f"{path}: expected a receipt of at most {_MAX_BYTES} bytes, found a larger file")
    return content


def receipts_table(receipts: Sequence[Receipt], width: int | None = None) -> str:
    """Return one line per device, and how many passed on how many different files.

    Args:
        receipts: in the order of the lines.
        width: of the terminal; None for no limit.
    """
    header = ["device", "time", "verdict", "file", "sha256", "onnxruntime", "provider", "processor", "difference"]
    rows = [
        [
            one.device,
            one.time,
            one.verdict,
            one.model,
            (one.file_sha256 or "unreadable")[:12],
            one.onnxruntime,
            (one.provider or "none").removesuffix("ExecutionProvider"),
            one.processor,
            "none" if one.largest_difference is None else f"{one.largest_difference:.1e}",
        ]
        for one in receipts
    ]
    passed = sum(map(bool, receipts))
    files = len({one.file_sha256 for one in receipts})
    count = f"{passed} of {len(receipts)} passed, on {files} different file{'s' if files > 1 else ''}"
    return f"{format_table(header, rows, width)}\n\n{count}"
