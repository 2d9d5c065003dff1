"""What parent and worker say to each other over the pipe; nothing here imports a heavy package."""

from collections.abc import Mapping
from dataclasses import dataclass

from sketch_infer.array_types import FloatArray

Outputs = dict[str, FloatArray]


@dataclass(frozen=True)
class Strokes:
    """Strokes for the worker to keep under a name, so that no run has to send them."""

    name: str
    strokes: FloatArray


@dataclass(frozen=True)
class Run:
    """Run the strokes of a name.

    Attributes:
        name: which strokes.
        rows: how many of them, from the first; all when None.
        one_by_one: a call for each sketch, or one call for all.
        repeats: calls to make, one after the other, where one call is for all.
        chunk: rows per batch inside a call; all of them when None.
    """

    name: str
    rows: int | None
    one_by_one: bool
    repeats: int
    chunk: int | None


@dataclass(frozen=True)
class Opened:
    """The model is open.

    Attributes:
        file_bytes: size of the model's file.
        facts: sizes of the network; the reference alone tells them.
    """

    file_bytes: int
    facts: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """The end of a run.

    Attributes:
        seconds: of each call.
        outputs: log_probs and logits, each (N, classes); those of the last repeat.
        cores: cores that were busy on average during the calls.
        idle_cores: the same for the time in which the worker waited for this request.
        peak_rss: largest resident size of the process so far, in bytes.
    """

    seconds: list[float]
    outputs: Outputs
    cores: float
    idle_cores: float
    peak_rss: int


@dataclass(frozen=True)
class Failure:
    """What was asked for did not work, and why."""

    reason: str
