"""`python -m benchmarks.bench`, or `make bench`."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from sketch_infer.array_types import FloatArray
from sketch_infer.atomic import write_atomically
from sketch_infer.errors import InputError
from sketch_infer.inference.installed import default_model
from sketch_infer.inference.session import Session

from . import machine
from .candidates import ROOT, Variant, all_variants, plain_model
from .chart import draw_chart
from .cold import measure_cold
from .engines import MATMUL_FLOPS
from .measure import Measurer
from .messages import Outputs
from .pieces import put_together, row_of
from .pool import Worker, WorkerError
from .report import Report
from .results import SINGLE_P50, make_rows, make_share, make_targets
from .workloads import (
    DENSE_BATCHES,
    SEED,
    Workload,
    make_workloads,
    needed_flops,
    read_drawings,
    sketch_lengths,
)

DRAWINGS = ROOT / "benchmarks" / "data" / "quickdraw_test"
"""Drawings that the default network was not trained on."""

QUIET_CORES = 0.2
"""What other processes may use without a warning. Two threads that wait for each other suffer most from a third: eager
PyTorch took up to ten times as long beside a busy core."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds of measurement.")
@click.option("--quick", is_flag=True, help="One round on few sketches, to try it.")
@click.option("--targets", is_flag=True, help="Also hold the figures to what they are meant to reach.")
@click.option("--publish", is_flag=True, help="Write the results where the documentation reads them.")
@click.option(
    "--only",
    type=click.Choice(["one", "dense", "bulk"]),
    help="One kind of workload, in a few minutes; the others' figures stay those of the last run.",
)
@click.option(
    "--drawings",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=DRAWINGS,
    help="Folder of Quick, Draw! files.  [default: benchmarks/data/quickdraw_test]",
)
def main(rounds: int, quick: bool, targets: bool, publish: bool, only: str | None, drawings: Path) -> None:
    """Measure sketch-infer beside its peers; print a table, write dist/bench.json and dist/bench.svg.

    Exit codes: 0 done, whether or not all targets are met; 1 our own outputs were wrong.
    """
    if quick and publish:
        raise click.UsageError("--quick measures too little to --publish")
    rounds, n_drawings, n_single = (1, 256, 20) if quick else (rounds, 2000, 100)
    batches = DENSE_BATCHES[:-1] if quick else DENSE_BATCHES
    metadata = Session(default_model(), "cpu").metadata
    length = metadata.sequence_length
    try:
        strokes = read_drawings(drawings, n_drawings, length)
    except InputError as error:
        raise click.ClickException(str(error)) from error
    settings = {
        "rounds": rounds,
        "seed": SEED,
        "drawings": len(strokes),
        "sketches_one_by_one": n_single,
        "dense_batches": batches,
        "mean_points": round(float(sketch_lengths(strokes).mean()), 1),
    }
    with tempfile.TemporaryDirectory() as scratch:
        try:
            report = _run(strokes, settings, metadata.labels, Path(scratch), only)
        except WorkerError as error:  # the reference's or the yardstick's: nothing can be said without them
            raise click.ClickException(str(error)) from error
    click.echo(f"\n{report.text(targets)}")
    if publish:
        _write(report, ROOT / "benchmarks" / "results" / "bench.json", ROOT / "docs" / "images" / "bench.svg")
    else:
        _write(report, ROOT / "dist" / "bench.json", ROOT / "dist" / "bench.svg")
    if report.measured.failed:
        sys.exit(1)


def _run(
    strokes: FloatArray, settings: dict[str, Any], labels: tuple[str, ...], scratch: Path, only: str | None
) -> Report:
    single, dense, bulk = make_workloads(strokes, settings["sketches_one_by_one"], settings["dense_batches"])
    kinds = {"one": [single], "dense": dense, "bulk": [bulk]}
    workloads = kinds[only] if only else [single, *dense, bulk]
    plain = plain_model(scratch)
    facts, references = _ask_reference(workloads, scratch)
    variants = all_variants(plain)
    notes = []
    rounds = settings["rounds"]
    measured = Measurer(workloads, references, scratch, _say).run(variants, rounds)
    cold: dict[str, float] = {}
    cold_notes: list[str] = []
    if single in workloads:
        _say("whole processes")
        surest = int(references[single.name]["log_probs"].max(axis=1).argmax())
        label = labels[int(references[single.name]["log_probs"][surest].argmax())]
        cold, cold_notes = measure_cold(strokes[surest][: sketch_lengths(strokes)[surest]], label, 2 * rounds, scratch)
    names = [workload.name for workload in dense]
    rows = make_rows(measured, names, bulk.name, len(strokes))
    targets = make_targets(rows, cold, names, bulk.name)
    share = make_share(measured, bulk.name, needed_flops(sketch_lengths(strokes), **facts), MATMUL_FLOPS)
    if share:
        targets.append(share.target)
    if measured.others_cores > QUIET_CORES:
        notes.append(f"other processes kept {measured.others_cores:.1f} cores busy: measure again on a quiet machine")
    about = machine.describe()
    return Report(settings, about, measured, rows, targets, share, cold, [*notes, *measured.notes, *cold_notes])


def _ask_reference(workloads: list[Workload], scratch: Path) -> tuple[dict[str, int], dict[str, Outputs]]:
    """Return the network's sizes and eager PyTorch's outputs on every workload."""
    _say("eager PyTorch's answers")
    references = {}
    with Worker(Variant("reference", "reference", default_model()), scratch) as worker:
        for workload in workloads:
            worker.give(workload)
            references[workload.name] = worker.run(workload, None).outputs
        return dict(worker.opened.facts), references


def _write(report: Report, figures: Path, chart: Path) -> None:
    figures.parent.mkdir(exist_ok=True)
    earlier = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else None
    results = put_together(json.loads(json.dumps(report.to_json())), earlier)
    with write_atomically(figures) as temporary:
        temporary.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    titles = {SINGLE_P50: "Latency of one sketch: lower is better", "bulk": "Throughput in bulk: higher is better"}
    panels = [(row, title) for name, title in titles.items() if (row := row_of(results, name)).values]
    if not panels:
        _say(f"wrote {figures.relative_to(ROOT)}")
        return
    cpu, cores = report.machine["cpu"], report.machine["usable_cores"]
    draw_chart(panels, chart, f"{cpu}, {cores} cores; each competitor at its best thread count and batch size")
    _say(f"wrote {figures.relative_to(ROOT)} and {chart.relative_to(ROOT)}")


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
