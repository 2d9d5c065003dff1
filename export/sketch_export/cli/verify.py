"""`sketch-export verify`."""

from dataclasses import replace
from pathlib import Path

import click

from sketch_export.checks.agreement import agreement_tables, compare_agreement
from sketch_export.checks.expected import Expected, check_expected
from sketch_export.checks.layers import compare_layers, layers_check, layers_table
from sketch_export.checks.proof import prove
from sketch_export.checks.proof_report import proof_report
from sketch_export.checks.recorded import compare_labels
from sketch_export.cli.options import check_writable, checkpoint_path, expected_option
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.report_page import write_report
from sketch_infer.cli.console import (
    note,
    provider_option,
    refuse_overwriting,
    report_option,
    say,
    terminal_width,
)
from sketch_infer.errors import InputError, ParityError
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.model.model_file import ModelFile
from sketch_infer.readers.files import read_sketches
from sketch_infer.strokes.preprocess import to_batch
from sketch_models import load_checkpoint


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--checkpoint", type=checkpoint_path, required=True, help="The checkpoint that MODELS were exported from."
)
@click.option(
    "--strokes",
    help="Also compare on the sketches in this file (.npy, .ndjson, .ndjson.gz). For a folder of labeled "
    "drawings, CLASS.ndjson, compare labels and accuracy, and check that rows are independent.",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Also compare every intermediate tensor that exists in eager PyTorch, and mark the first that differs.",
)
@expected_option
@report_option
@provider_option
def verify(
    models: tuple[Path, ...],
    checkpoint: Path,
    expected: Path | None,
    strokes: str | None,
    layers: bool,
    report: Path | None,
    provider: ProviderChoice,
) -> None:
    """Verify existing model files.

    MODELS are compared with eager PyTorch and with float64, both using the weights of CHECKPOINT.
    """
    refuse_overwriting(report, [*models, checkpoint, strokes, expected], "--report")
    check_writable(report)
    loaded = load_checkpoint(checkpoint)
    network = loaded.model
    folder = Path(strokes) if strokes and Path(strokes).is_dir() else None
    extra = _read_case(strokes, network.config.sequence_length) if strokes and not folder else None
    files = [ModelFile.read(model) for model in models]  # once: all that follows is of these bytes
    proofs = {file: prove(file, network, provider, extra=extra) for file in files}
    tables, checks = [], [check_expected(network, Expected.read(expected, network))] if expected else []
    if loaded.labels:
        for file in files:
            compared = compare_labels(loaded.labels, file.check().metadata.labels)
            checks.append(replace(compared, name=f"{Path(file.name).name}: {compared.name}"))
    if layers:
        for file in files:
            comparisons = compare_layers(file, network, provider)
            tables.append(layers_table(f"Layers of {Path(file.name).name} on its probes", comparisons))
            checks.append(layers_check(Path(file.name).name, comparisons))
    if folder:
        eager, agreements, left_out = compare_agreement(files, network, folder, provider)
        tables += agreement_tables(eager, agreements, left_out)
        if left_out:
            note(f"warning: {len(left_out)} drawings of {folder} cannot be used and are left out; see the report")
        for file, agreement in agreements.items():
            checks += [replace(check, name=f"{Path(file.name).name}: {check.name}") for check in agreement.checks]
    found = proof_report(f"Proof of {', '.join(map(str, models))}", proofs, checks, tables)
    if report:
        write_report(found, report)
    say(found.to_text(terminal_width()))
    if not found:
        raise ParityError(
            f"{', '.join(map(str, models))} differs from eager PyTorch with {checkpoint}; see the report above"
        )


def _read_case(source: str, sequence_length: int) -> tuple[str, FloatArray]:
    sketches = [sketch.strokes for sketch in read_sketches(source)]
    if not sketches:
        raise InputError(f"{source}: expected sketches to compare on, found none")
    batch, n_cut = to_batch(sketches, sequence_length)
    cut = f", {n_cut} cut to {sequence_length} points" if n_cut else ""
    return f"{source} ({len(sketches)} sketches{cut})", batch
