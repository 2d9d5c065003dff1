"""`sketch-export onnx`."""

from pathlib import Path

import click

from sketch_export.checks.expected import Expected, check_expected
from sketch_export.checks.proof_report import proof_report
from sketch_export.checks.recorded import compare_labels, recorded_threshold
from sketch_export.checks.shapes import describe_forward
from sketch_export.cli.options import (
    PUBLISHED_LENGTH,
    check_writable,
    checkpoint_path,
    example_network,
    expected_option,
)
from sketch_export.exporter import GRAPH_CHOICES, GraphChoice, NotProvenError, export_onnx
from sketch_export.trace import OPSETS
from sketch_infer.checks.parity.report import ParityReport
from sketch_infer.checks.report_page import write_report
from sketch_infer.checks.signing import read_signing_key, sign_file, signature_path
from sketch_infer.cli.console import refuse_overwriting, report_option, say, sign_key_option, terminal_width
from sketch_infer.errors import InputError, ModelFileError
from sketch_infer.model.contract.metadata import INPUT_FORMS, InputForm
from sketch_infer.model.contract.tensors import POINTS, STROKES
from sketch_infer.model.labels import read_labels
from sketch_infer.model.model_file import ModelFile
from sketch_infer.tables import wrap
from sketch_models import Checkpoint, SketchRNN, load_checkpoint


@click.command()
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
    help=f"Points per sketch, if the checkpoint does not record it and it is not {PUBLISHED_LENGTH}.",
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
    help="fast skips padding. plain has PyTorch's own operations one for one, for engines other than ONNX Runtime.",
)
@click.option(
    "--input",
    "input_form",
    type=click.Choice(INPUT_FORMS),
    default=STROKES,
    show_default=True,
    help="What the file takes: strokes that are prepared already, or pen points, which it prepares itself "
    "(docs/contract.md).",
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
    inputs = [checkpoint, labels, expected, sign_key]
    signature = signature_path(output) if sign_key and output.name else None
    refuse_overwriting(output, inputs)
    refuse_overwriting(signature, inputs, "the signature")
    refuse_overwriting(report, [*inputs, output, signature], "--report")
    for path in (output, signature, report):  # before the proof, too
        check_writable(path)
    key = read_signing_key(sign_key) if sign_key else None  # before the proof, which takes a while
    loaded = load_checkpoint(checkpoint) if checkpoint else Checkpoint(example_network())
    names = _labels(labels, loaded) if labels else loaded.labels
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
            reject_below=recorded_threshold(checkpoint, loaded),
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
        say(f"wrote {signature}")


def _labels(path: Path, loaded: Checkpoint) -> list[str]:
    """Read the labels, and hold them to the checkpoint's own; another number of them is refused by the export."""
    names = read_labels(path)
    if loaded.labels and len(names) == len(loaded.labels):
        compared = compare_labels(loaded.labels, names)
        if not compared:
            raise InputError(f"{path}: {compared.found}; leave out --labels")
        if tuple(names) != loaded.labels:
            say(wrap(f"note: {path}: {compared.found}", terminal_width()))
    return names


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
