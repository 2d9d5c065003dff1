"""What `sketch-infer` does with its options: classify, or check the model."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from sketch_infer.cli.console import note, refuse_one_file, refuse_overwriting, say, terminal_width
from sketch_infer.cli.job import Job
from sketch_infer.cli.options import Options
from sketch_infer.cli.progress import CommandReading
from sketch_infer.errors import ParityError
from sketch_infer.inference.classifier import Classifier
from sketch_infer.inference.cuda import CUDA, has_nvidia_card
from sketch_infer.inference.providers import CPU
from sketch_infer.model.labels import names_file, parse_labels
from sketch_infer.model.model_file import ModelFile
from sketch_infer.readers.files import can_be_read_again, expand_folders
from sketch_infer.writers.choose import choose_format

if TYPE_CHECKING:
    from sketch_infer.checks.evaluation import Tally
    from sketch_infer.cli.eager import EagerComparison


def classify(options: Options, model: Path) -> None:
    """Classify the sketches of `options.strokes`, and write or judge the predictions.

    Raises:
        click.UsageError: if an input or output does not go with the options.
        SketchError: if the work cannot be done.
    """
    output = options.output
    judged_only = options.evaluate and not output
    format_ = None if judged_only else choose_format(options.format_, output)
    reading = CommandReading(options.on_error == "skip", options.quiet)
    sources = expand_folders(options.strokes, reading)
    if options.resume and not can_be_read_again(sources):
        raise click.UsageError("--resume needs files: a pipe cannot be read a second time")
    named = [Path(options.labels)] if options.labels and names_file(options.labels) else []
    refuse_overwriting(output, [*sources, model, options.compare_eager, options.verify_key, *named])
    comparison = _eager_comparison(options.compare_eager) if options.compare_eager else None
    labels = parse_labels(options.labels)
    opened = open_model(model, options)
    classifier = Classifier(opened, options.provider, options.batch_size, options.threads, labels, options.reject)
    _tell_about_model(classifier, model, options)
    tally = _tally(classifier) if options.evaluate else None
    job = Job(sources, options.input_format, reading, classifier, comparison, tally)
    if output and format_ == "jsonl" and not (comparison or tally):
        from sketch_infer.writers.partial_lines import PartialLines, run_identity  # late, as few need it

        answers = (classifier.content_sha256, classifier.classes, options.reject)
        identity = run_identity(sources, *answers, options.input_format, options.top_k)
        job.run_resumably(PartialLines(output, identity, options.resume), options.top_k)
    else:
        job.run(format_, output, options.top_k)
    if options.verbose:
        note(reading.summary)
    job.finish(as_json=options.format_ == "json")


def open_model(model: Path, options: Options) -> Path | ModelFile:
    """Return the model as it was read if `--verify-key` says who has to have signed it, else its path.

    Raises:
        SignatureError: if somebody else made it.
    """
    if not options.verify_key:
        return model
    from sketch_infer.checks.signing import read_verify_key, verify_file  # late, as few ask for it

    key = read_verify_key(options.verify_key)
    file = ModelFile.read(model)
    verify_file(model, file.content, key)
    return file


def run_self_check(options: Options, model: Path) -> None:
    """Prove the model on this device, and print what was found.

    Raises:
        ParityError: if a check fails.
    """
    from sketch_infer.checks.receipt import Receipt  # late, as few ask for it
    from sketch_infer.checks.report_page import write_report
    from sketch_infer.checks.self_check import self_check
    from sketch_infer.checks.signing import read_signing_key, sign_file, signature_path

    inputs = [model, signature_path(model), options.sign_key, options.verify_key]
    refuse_overwriting(options.report, inputs, "--report")
    refuse_overwriting(options.attest, inputs, "--attest")
    refuse_one_file("--attest", options.attest, "--report", options.report)
    key = read_signing_key(options.sign_key) if options.sign_key else None  # before the check, which takes a while
    found = self_check(model, options.provider, options.verify_key)
    if options.report:
        write_report(found, options.report)
    if options.attest:
        content = Receipt.of(found, model).write(options.attest)
        if key:
            sign_file(options.attest, content, key)
    say(found.to_json() if options.format_ == "json" else found.to_text(terminal_width()))
    if not found:
        raise ParityError(f"the self-check of {model} failed; see above")


def _eager_comparison(checkpoint: Path) -> "EagerComparison":
    from sketch_infer.cli.eager import EagerComparison  # late, as few ask for it

    return EagerComparison(checkpoint)


def _tally(classifier: Classifier) -> "Tally":
    from sketch_infer.checks.evaluation import Tally  # late, as few ask for it

    return Tally(classifier.classes)


def _tell_about_model(classifier: Classifier, model: Path, options: Options) -> None:
    asked = click.get_current_context().get_parameter_source("provider") is ParameterSource.COMMANDLINE
    auto = options.provider == "auto" and not options.quiet
    if options.verbose:
        metadata = classifier.metadata
        note(f"model {model}: {metadata.precision}, {len(metadata.labels)} classes, {metadata.sequence_length} points")
    if options.verbose or (auto and (asked or classifier.provider != CPU or has_nvidia_card())):
        reason = f"; no CUDA: {classifier.cuda_missing}" if classifier.provider == CPU and auto else ""
        note(f"running on {classifier.provider}{reason}")
    if classifier.provider == CUDA and classifier.has_control_flow and not options.quiet:
        note("note: this model branches, and a GPU waits for each branch; for CUDA, export with --graph plain")
    if classifier.metadata.random_weights:
        note("warning: this model has random weights: its labels mean nothing")
