"""What the commands of `sketch-search` do."""

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from sketch_infer.cli.console import note, refuse_overwriting, say
from sketch_infer.cli.progress import CommandReading
from sketch_infer.errors import SkippedError
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.readers.files import can_be_read_again, expand_folders
from sketch_infer.readers.sketch import InputFormat
from sketch_infer.writers.partial_lines import run_identity
from sketch_search.build import PartialIndex, Plan, to_line
from sketch_search.duplicates import find_duplicates
from sketch_search.encode import Encoder, read_all, refuse_repeated
from sketch_search.index import SketchIndex
from sketch_search.layout import read_prefix
from sketch_search.page import Card
from sketch_search.pictures import to_picture
from sketch_search.results import Format, open_results
from sketch_search.suspects import find_suspects


@dataclass(frozen=True)
class Reading:
    """Drawings to read and the model that encodes them: the parameters of the command by their names."""

    strokes: tuple[str, ...]
    model: str
    provider: ProviderChoice
    input_format: InputFormat
    skips: bool
    quiet: bool

    def listener(self) -> CommandReading:
        """Return what tells the user how the reading goes."""
        return CommandReading(self.skips, self.quiet)


@dataclass(frozen=True)
class Building:
    """What `build` writes, and how: the parameters of the command by their names."""

    output: Path
    append: bool
    resume: bool
    threads: int | None


def build(reading: Reading, building: Building) -> None:
    """Build an index, or add drawings to one.

    Raises:
        SkippedError: if drawings or files were skipped.
        SketchError: if the work cannot be done; what is done then waits beside the output.
    """
    output, listener = building.output, reading.listener()
    sources = expand_folders(reading.strokes, listener)
    if building.resume and not can_be_read_again(sources):
        raise click.UsageError("--resume needs files: a pipe cannot be read a second time")
    refuse_overwriting(output, [*sources, reading.model])
    base = SketchIndex(output) if building.append else None
    replaced = base.header.prefix() if base else read_prefix(output)
    encoder = Encoder(reading.model, reading.provider, building.threads)
    if base:
        base.check_model(encoder.content_sha256, encoder.model)
    refuse_repeated(sources, base)
    plan = Plan(encoder.model, encoder.content_sha256, encoder.bits, replaced, base)
    # The lines of an interrupted run fit any base: another run may have added drawings to it since.
    identity = run_identity(sources, encoder.content_sha256, reading.input_format, building.append)
    partial = PartialIndex(output, identity, building.resume, plan)
    sketches = read_all(sources, reading.input_format, listener)
    try:
        with partial, listener.bar(sources):
            for block, codes, embeddings in encoder.encode(partial.skip_done(sketches), listener):
                partial.write("".join(map(to_line, block, map(encoder.word, block), codes, embeddings)))
                listener.classified(len(block))
    finally:
        if partial.kept and can_be_read_again(sources):
            note("note: the drawings so far are kept; run the same command with --resume to continue")
    if not reading.quiet:
        note(f"{output}: {len(SketchIndex(output)):,} drawings; {listener.summary}")
    _tell_skipped(listener)


def query(reading: Reading, path: Path, k: int, format_: Format | None, html: Path | None) -> None:
    """Find the nearest drawings of each drawing.

    Raises:
        SkippedError: if drawings or files were skipped.
        SketchError: if the work cannot be done.
    """
    listener = reading.listener()
    sources = expand_folders(reading.strokes, listener)
    refuse_overwriting(html, [*sources, path, reading.model], "--html")
    index = SketchIndex(path)
    encoder = Encoder(reading.model, reading.provider)
    index.check_model(encoder.content_sha256, encoder.model)
    header = ("drawing", "rank", "word", "distance", "source", "index")
    with open_results(header, format_, html, "Similar drawings", "no drawings to search for") as results:
        for encoded in encoder.encode(read_all(sources, reading.input_format, listener), listener):
            for sketch, code, embedding in zip(*encoded, strict=True):
                found = index.nearest(code, embedding, k)
                neighbors = [
                    {name: value for name, value in asdict(one).items() if name != "position"} for one in found
                ]
                rows = [
                    (
                        f"{sketch.source} #{sketch.index}",
                        str(rank),
                        one.word or "",
                        str(one.distance),
                        one.source,
                        f"{one.index}",
                    )
                    for rank, one in enumerate(found, 1)
                ]
                cards = []
                if html:
                    picture = to_picture(sketch.strokes, sketch.aspect)
                    cards = [Card(picture, encoder.word(sketch) or "query", sketch.source, sketch.index, "query")]
                    cards += [
                        Card.of(index, one.position, f"{one.distance} bit{'' if one.distance == 1 else 's'}")
                        for one in found
                    ]
                results.add({"source": sketch.source, "index": sketch.index, "neighbors": neighbors}, rows, cards)
    _tell_skipped(listener)


def duplicates(path: Path, format_: Format | None, html: Path | None) -> None:
    """Find groups of equal drawings.

    Raises:
        SketchError: if the work cannot be done.
    """
    refuse_overwriting(html, [path], "--html")
    index = SketchIndex(path)
    header = ("group", "word", "source", "index")
    with open_results(
        header, format_, html, "Drawings that are there more than once", "no duplicates found"
    ) as results:
        for number, group in enumerate(find_duplicates(index), 1):
            keys = [(*index.key(position), index.word(position)) for position in group]
            record = {"drawings": [{"source": name, "index": at, "word": word} for name, at, word in keys]}
            rows = [(str(number), word or "", name, str(at)) for name, at, word in keys]
            results.add(record, rows, [Card.of(index, position) for position in group] if html else [])


def suspects(path: Path, limit: int | None, format_: Format | None, html: Path | None) -> None:
    """Find drawings that are probably labeled wrongly.

    Raises:
        SketchError: if the work cannot be done.
    """
    refuse_overwriting(html, [path], "--html")
    index = SketchIndex(path)
    # Each label is followed by its share of the neighbors; longer names would not fit a terminal beside the source.
    header = ("label", "neighbors", "suggestion", "neighbors", "source", "index")
    with open_results(header, format_, html, "Labels to check", "no suspects found") as results:
        for one in find_suspects(index)[:limit]:
            name, at = index.key(one.position)
            word = index.word(one.position) or ""
            record = {"source": name, "index": at, "word": word, "suggestion": one.suggestion}
            shares = {"share": one.share, "own_share": one.own_share, "distance": one.distance}
            row = (word, f"{one.own_share:.0%}", one.suggestion, f"{one.share:.0%}", name, str(at))
            cards = []
            if html:
                near = index.nearest(index.codes[one.position], index.embeddings[one.position], 9)
                cards = [Card.of(index, one.position, f"{one.suggestion}?")]
                cards += [Card.of(index, near_one.position) for near_one in near if near_one.position != one.position]
            results.add({**record, **shares}, [row], cards)


def info(path: Path) -> None:
    """Print what an index holds.

    Raises:
        InputError: if it is damaged.
    """
    index = SketchIndex(path)
    index.section("picture_ends"), index.section("pictures")
    header = index.header
    say(f"drawings  {header.n:,}")
    say(f"words     {len(header.words):,}")
    say(f"files     {len(header.sources):,}")
    say(f"codes     {header.bits} bits")
    say(f"model     {header.model} (SHA-256 {header.model_sha256})")
    say(f"size      {path.stat().st_size / 1e6:.1f} MB, undamaged")


def _tell_skipped(listener: CommandReading) -> None:
    if listener.n_skipped:
        raise SkippedError(f"skipped {listener.n_skipped} that could not be used (see above)")
