"""`sketch-export`: from a checkpoint to a proven model file."""

from dataclasses import replace
from pathlib import Path

import click
import torch

from sketch_export.checks.agreement import agreement_tables, compare_agreement
from sketch_export.checks.evaluate import compare_accuracy, further_figures
from sketch_export.checks.expected import Expected, check_expected
from sketch_export.checks.layers import compare_layers, layers_check, layers_table
from sketch_export.checks.pictures import plot_confusions, plot_reliability
from sketch_export.checks.proof import prove
from sketch_export.checks.proof_report import proof_report
from sketch_export.checks.shapes import describe_forward, format_shapes, layer_shapes
from sketch_export.exporter import GRAPH_CHOICES, GraphChoice, NotProvenError, export_onnx
from sketch_export.trace import OPSETS
from sketch_infer import __version__
from sketch_infer.array_types import FloatArray
from sketch_infer.checks.evaluation import format_evaluations
from sketch_infer.checks.parity import ParityReport
from sketch_infer.checks.receipt import Receipt, read_receipt, receipts_table
from sketch_infer.checks.report_page import write_report
from sketch_infer.checks.signing import read_signing_key, read_verify_key, sign_file, signature_path, verify_file
from sketch_infer.cli.console import (
    Group,
    note,
    provider_option,
    refuse_overwriting,
    report_option,
    say,
    sign_key_option,
    terminal_width,
)
from sketch_infer.errors import InputError, ModelFileError, ParityError
from sketch_infer.inference.providers import ProviderChoice
from sketch_infer.model.contract import INPUT_FORMS, POINTS, STROKES, InputForm
from sketch_infer.model.labels import read_labels
from sketch_infer.model.model_file import ModelFile
from sketch_infer.readers.files import read_sketches
from sketch_infer.strokes.preprocess import to_batch
from sketch_infer.tables import wrap
from sketch_models import Checkpoint, SketchRNN, load_checkpoint

PUBLISHED_LENGTH = 196
"""Points per sketch of the published network."""

EXAMPLE_SIZES = (3, 256, 40)
"""input_size, hidden_size and output_size of the published example network."""

checkpoint_path = click.Path(path_type=Path)


expected_option = click.option(
    "--expected",
    type=click.Path(path_type=Path),
    help="Your own network's answers, an .npz file of strokes and logits or log_probs: exit 1 if SketchRNN's differ.",
)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Export a SketchRNN from PyTorch to ONNX, and prove that the file computes the same network.

    CHECKPOINT is a PyTorch state dict (.pt, .pth) or a .safetensors file. The network's sizes are read from it.

    Exit codes: 0 success; 1 a proof failed; 2 wrong usage or an unusable file.
    """


@main.command()
@click.option("--checkpoint", type=checkpoint_path, help="Weights to export: .pt, .pth or .safetensors.")
@click.option("--random-weights", is_flag=True, help="Export an untrained network instead, to try the pipeline.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The .onnx file to write.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Text file with one class name per line, in the order of the outputs.",
)
@click.option(
    "--opset",
    type=click.IntRange(OPSETS[0], OPSETS[-1]),
    default=OPSETS[0],
    show_default=True,
    help="ONNX operator set.",
)
@click.option(
    "--sequence-length",
    type=click.IntRange(min=1),
    help=f"Points per sketch that a checkpoint without a config was trained on, if not {PUBLISHED_LENGTH}.",
)
@expected_option
@click.option("--initial-state", is_flag=True, help="Add h_0 and c_0, the LSTM's initial state, as inputs.")
@click.option(
    "--int8",
    is_flag=True,
    help="Quantize LSTM and head: smaller and faster, with answers that are close instead of equal.",
)
@click.option(
    "--graph",
    type=click.Choice(GRAPH_CHOICES),
    default="fast",
    show_default=True,
    help="fast skips padding. plain has PyTorch's own operations one for one, for inspection.",
)
@click.option(
    "--input",
    "input_form",
    type=click.Choice(INPUT_FORMS),
    default=STROKES,
    show_default=True,
    help="points for a file that takes pen points as a device samples them and prepares them itself: docs/contract.md.",
)
@sign_key_option("the file")
@report_option
@click.option("-v", "--verbose", is_flag=True, help="Print every comparison of the proof, not only the verdict.")
def onnx(
    checkpoint: Path | None,
    random_weights: bool,
    output: Path,
    labels: Path | None,
    sequence_length: int | None,
    expected: Path | None,
    opset: int,
    initial_state: bool,
    int8: bool,
    graph: GraphChoice,
    input_form: InputForm,
    sign_key: Path | None,
    report: Path | None,
    verbose: bool,
) -> None:
    """Export a checkpoint to one ONNX file.

    The batch axis is dynamic. The file is written only if it is proven equal to eager PyTorch or, with --int8, close
    to it.
    """
    if int8 and initial_state:
        raise click.UsageError("--int8 takes no --initial-state: its LSTMs start in states of their own")
    if int8 and graph != "fast":
        raise click.UsageError("--int8 goes with --graph fast")
    if initial_state and input_form == POINTS:
        raise click.UsageError("--input points takes no --initial-state: a drawing is whole")
    if random_weights == (checkpoint is not None):
        raise click.UsageError("expected either --checkpoint FILE or --random-weights")
    refuse_overwriting(output, [checkpoint, labels, expected, sign_key])
    refuse_overwriting(report, [checkpoint, labels, output, expected, sign_key], "--report")
    key = read_signing_key(sign_key) if sign_key else None  # before the proof, which takes a while
    loaded = load_checkpoint(checkpoint) if checkpoint else Checkpoint(_example_network())
    names = read_labels(labels) if labels else loaded.labels
    if random_weights:
        say("WARNING: these weights are random (seed 0): the file's labels will mean nothing")
    elif names is None:
        say(f"note: {checkpoint} names no classes; without --labels they are called class 0, class 1, ...")
    what = f"{checkpoint or 'random weights'}: {_sizes(loaded.model)}"
    say(wrap(f"exporting {what}, {graph} graph, {'int8' if int8 else 'fp32'} ...", terminal_width()))
    for remark in (describe_forward(loaded.model.config), *loaded.notes):
        say(wrap(remark, terminal_width()))
    _check_length(loaded, sequence_length, checkpoint)
    if expected:
        say(wrap(check_expected(loaded.model, Expected.read(expected, loaded.model)).found, terminal_width()))
    try:
        proof = export_onnx(
            loaded.model,
            output,
            names,
            opset=opset,
            initial_state=initial_state,
            random_weights=random_weights,
            graph=graph,
            precision="int8" if int8 else "fp32",
            reject_below=_reject_below(loaded, checkpoint),
            input_form=input_form,
        )
    except NotProvenError as error:
        say(error.report.to_text(terminal_width()))
        raise
    say(proof.to_text(terminal_width()) if verbose else _in_short(proof))
    for remark in proof.notes:
        say(wrap(f"note: {remark}", terminal_width()))
    if report:
        write_report(proof_report(f"Export of {output}", {ModelFile.read(output): proof}), report)
    say(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB, opset {opset})")
    if key:
        sign_file(output, output.read_bytes(), key)
        say(f"wrote {signature_path(output)}")


def _sizes(model: SketchRNN) -> str:
    """Return what there is to know of a network's sizes, in one line."""
    config = model.config
    n_weights = sum(weights.numel() for weights in model.parameters())
    return (
        f"SketchRNN({config.input_size}, {config.hidden_size}, {config.output_size}), "
        f"{config.sequence_length} points, {n_weights:,} weights"
    )


def _in_short(proof: ParityReport) -> str:
    """Return what was compared, and the verdict."""
    cases = ", ".join(dict.fromkeys(row.case for row in proof.rows))
    compared = f"compared with eager PyTorch and float64: {cases}"
    return f"{wrap(compared, terminal_width())}\n{wrap(proof.summary, terminal_width())}"


def _check_length(loaded: Checkpoint, said: int | None, path: Path | None) -> None:
    """Check that somebody knows the sequence length: a head's size says it only if the head reads every time step."""
    length = loaded.model.config.sequence_length
    if said not in (None, length):
        raise click.UsageError(f"--sequence-length {said}: {path} is of a network that reads {length} points")
    if said is None and not loaded.has_config and length != PUBLISHED_LENGTH:
        raise ModelFileError(
            f"{path}: its head has the size for {length} points per sketch, and {PUBLISHED_LENGTH} are usual; if it "
            f"was trained on {length}, add --sequence-length {length}; if its head pools, it is another network"
        )


def _reject_below(loaded: Checkpoint, path: Path | None) -> float | None:
    text = loaded.metadata.get("reject_below")
    try:
        return float(text) if text else None
    except ValueError as error:
        raise ModelFileError(f"{path}: expected a number as reject_below in its metadata, found {text!r}") from error


@main.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--checkpoint", type=checkpoint_path, required=True, help="The weights that MODELS must have.")
@click.option(
    "--strokes",
    help="Also compare on the sketches in this file (.npy, .ndjson, .ndjson.gz). For a folder of labeled "
    "drawings, CLASS.ndjson, compare labels and accuracy, and check that rows are independent.",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Also compare every tensor that eager PyTorch has too, and mark the first that differs.",
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
    network = load_checkpoint(checkpoint).model
    folder = Path(strokes) if strokes and Path(strokes).is_dir() else None
    extra = _read_case(strokes, network.config.sequence_length) if strokes and not folder else None
    files = [ModelFile.read(model) for model in models]  # once: all that follows is of these bytes
    proofs = {file: prove(file, network, provider, extra=extra) for file in files}
    tables, checks = [], [check_expected(network, Expected.read(expected, network))] if expected else []
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


@main.command()
@click.option(
    "--batch", type=click.IntRange(min=1), default=512, show_default=True, help="Number of rows in the input."
)
@click.option("--checkpoint", type=checkpoint_path, help="Network to inspect. Default: SketchRNN(3, 256, 40).")
def shapes(batch: int, checkpoint: Path | None) -> None:
    """Print every layer's shape, determined in three ways.

    The columns are the shape by formula, in eager PyTorch, and in the plain graph in ONNX Runtime.
    """
    network = load_checkpoint(checkpoint).model if checkpoint else _example_network()
    rows = layer_shapes(network, batch)
    say(format_shapes(rows, terminal_width()))
    if different := [row.layer for row in rows if not row]:
        raise ParityError(f"shapes differ in {', '.join(different)}")


@main.command()
@click.argument("networks", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--confusion", type=click.Path(path_type=Path), help="Write a picture of the confusion matrix (.png, .svg, .pdf)."
)
@click.option(
    "--reliability",
    type=click.Path(path_type=Path),
    help="Write a picture of the reliability diagram: how often a network is right at each level "
    "of certainty (.png, .svg, .pdf).",
)
@click.option(
    "--restrict", is_flag=True, help="Choose only among the classes of DATA, not among all classes of the network."
)
@click.option(
    "--others",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of drawings of other classes. Also print how well the network tells them from those of DATA. "
    "May be given several times.",
)
@click.option(
    "--unfinished", is_flag=True, help="Also print the accuracy after 25, 50 and 75 % of each drawing's points."
)
@provider_option
def evaluate(
    networks: tuple[Path, ...],
    data: Path,
    confusion: Path | None,
    reliability: Path | None,
    restrict: bool,
    others: tuple[Path, ...],
    unfinished: bool,
    provider: ProviderChoice,
) -> None:
    """Print the accuracy on labeled drawings.

    DATA is a folder of Quick, Draw! files, CLASS.ndjson or CLASS.ndjson.gz; NETWORKS, shown side by side, are
    checkpoints (run in eager PyTorch) and .onnx model files of the same classes.
    """
    parts = (0.25, 0.5, 0.75) if unfinished else ()
    comparison = compare_accuracy(networks, data, provider, restrict, others, parts)
    say(format_evaluations({str(path): one for path, one in comparison.evaluations.items()}, terminal_width()))
    if further := further_figures(comparison):
        say(further)
    if bad := comparison.bad:
        note(f"warning: left out {len(bad)} that cannot be used: {'; '.join(bad[:3])}")
    if comparison.n_cut:
        note(f"warning: cut {comparison.n_cut} drawings to the network's length")
    if confusion:
        plot_confusions(comparison.evaluations, confusion)
    if reliability:
        plot_reliability(comparison.evaluations, reliability)


@main.command()
@click.argument("paths", metavar="RECEIPTS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--verify-key",
    metavar="KEY",
    type=click.Path(path_type=Path),
    help="Refuse receipts that the owner of this Ed25519 public key (PEM) did not sign (needs cryptography).",
)
def receipts(paths: tuple[Path, ...], verify_key: Path | None) -> None:
    """Make one table of the receipts of many devices.

    RECEIPTS are files that `sketch-infer --self-check --attest` wrote. Exit code 1 if a device's check failed.
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


def _example_network() -> SketchRNN:
    torch.manual_seed(0)
    return SketchRNN(*EXAMPLE_SIZES).eval()


def _read_case(source: str, sequence_length: int) -> tuple[str, FloatArray]:
    sketches = [sketch.strokes for sketch in read_sketches(source)]
    if not sketches:
        raise InputError(f"{source}: expected sketches to compare on, found none")
    batch, n_cut = to_batch(sketches, sequence_length)
    cut = f", {n_cut} cut to {sequence_length} points" if n_cut else ""
    return f"{source} ({len(sketches)} sketches{cut})", batch
