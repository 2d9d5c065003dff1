"""What a user of `sketch-infer` asked for: the values of all its options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.model.contract.metadata import Precision
from sketch_infer.readers.sketch import InputFormat, OnError


@dataclass(frozen=True)
class Options:
    """The parameters of the command, by the names that click gives them; `--help` describes each."""

    strokes: tuple[str, ...]

    model: str | None
    labels: str | None
    reject: bool
    precision: Precision | None
    provider: ProviderChoice
    batch_size: int | None
    threads: int | None

    input_format: InputFormat
    on_error: OnError

    format_: str | None
    output: Path | None
    top_k: int
    resume: bool

    evaluate: bool
    compare_eager: Path | None
    self_check: bool
    list_labels: bool
    report: Path | None
    attest: Path | None
    sign_key: Path | None
    verify_key: Path | None

    engine: Literal["local", "ray"]
    ray_address: str | None
    actors: int | None
    overwrite: bool
    in_order: bool
    logits: bool

    quiet: bool
    verbose: bool
