"""From a network to a proven model file."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

import onnx
import onnx_ir as ir
import torch
from torch import nn

from sketch_export.checks.expected import as_sketch_rnn
from sketch_export.checks.proof import int8_agreement, prove
from sketch_export.checks.recorded import check_probability
from sketch_export.fast_graph import make_fast
from sketch_export.passes.code_outputs import add_codes
from sketch_export.pen_points.compose import read_points
from sketch_export.pen_points.examples import probe_points
from sketch_export.plain_graph import make_plain
from sketch_export.sample_drawings import probe_sketches
from sketch_export.trace import OPSETS, trace
from sketch_export.weights import weights_sha256
from sketch_infer import __version__
from sketch_infer.atomic import write_atomically
from sketch_infer.checks.parity.report import ParityReport
from sketch_infer.checks.parity.tolerances import (
    FP32_TOLERANCE,
    INT8_AGREEMENT,
    INT8_TOLERANCE,
    TRUTH_FACTOR,
    TRUTH_FLOOR,
)
from sketch_infer.errors import InputError, ParityError
from sketch_infer.model.codes import CODE
from sketch_infer.model.contract.metadata import (
    INPUT_FORMS,
    PRECISIONS,
    PREPROCESSINGS,
    InputForm,
    ModelMetadata,
    Precision,
)
from sketch_infer.model.contract.probes import Probes
from sketch_infer.model.contract.tensors import POINTS
from sketch_infer.model.integrity import CONTENT_SHA256, DIGITS, content_sha256
from sketch_infer.model.labels import check_labels
from sketch_infer.model.model_file import ModelFile
from sketch_infer.strokes.pen_points import network_input
from sketch_infer.strokes.preprocess import INPUT_SIZE
from sketch_models import SketchHash, SketchRNN, run_eager

GraphChoice = Literal["fast", "plain"]
GRAPH_CHOICES: tuple[str, ...] = get_args(GraphChoice)

_NOTES: dict[GraphChoice, str] = {
    "fast": "Proven in ONNX Runtime. An engine that ignores an LSTM's sequence_lens opens this file and answers "
    "wrongly: for such engines export with --graph plain.",
    "plain": "PyTorch's own operations, one for one. Proven in ONNX Runtime.",
}
"""The file's doc_string: what whoever opens it elsewhere must know."""


class NotProvenError(ParityError):
    """The exported file differs from eager PyTorch and was not written; `report` says where and by how much."""

    def __init__(self, path: Path, report: ParityReport) -> None:
        super().__init__(f"{path} was not written: {report.summary}")
        self.report = report


def export_onnx(
    model: nn.Module,
    path: str | Path,
    labels: Sequence[str] | None = None,
    *,
    opset: int = OPSETS[0],
    initial_state: bool = False,
    random_weights: bool = False,
    graph: GraphChoice = "fast",
    precision: Precision = "fp32",
    reject_below: float | None = None,
    input_form: InputForm = "strokes",
) -> ParityReport:
    """Export a network to one ONNX file and prove it. The file is written only if the proof holds.

    Args:
        model: a SketchRNN, or your own module with the same attribute names, which is first run on the probes and
            compared with a SketchRNN that has its weights. It is not changed.
        path: the `.onnx` file to write; an existing one is replaced.
        labels: class names in the order of the outputs; None for "class 0", "class 1", ...
        opset: ONNX operator set, 18 to 20.
        initial_state: add inputs h_0 and c_0, each float32 (n_layers * 2, batch, hidden_size).
        random_weights: record that the network was never trained, so that the runtime warns about its labels.
        graph: "fast" for the graph that skips padding, "plain" for PyTorch's own operations one for one.
        precision: "int8" for a smaller and faster file whose answers are close to eager PyTorch's; it needs the fast
            graph without initial states.
        reject_below: probability of the most likely class below which a drawing is probably none of the classes.
        input_form: "points" for a file that reads points as a device samples them and prepares them itself.

    Returns:
        the proof: every output compared at every batch size; its notes say what the fast graph could not use.

    Raises:
        InputError: if the path does not end in .onnx, the labels do not match, or the network does not read
            (dx, dy, pen), has only one class, or has weights that are not finite.
        ValueError: for an unknown graph, precision or input form, for a combination that int8 or points exclude, or if
            reject_below is no probability.
        ParityError: if your own module answers differently from a SketchRNN with its weights.
        NotProvenError: if ONNX Runtime's outputs differ from eager PyTorch's.
        OutputError: if the file cannot be written.
    """
    network = as_sketch_rnn(model, lambda length: probe_sketches(length)[1])
    if network.config.input_size != INPUT_SIZE:
        raise InputError(
            f"expected a network that reads {INPUT_SIZE} values per point (dx, dy, pen), "
            f"found {network.config.input_size}"
        )
    if network.config.output_size < 2:
        raise InputError("expected a network of two classes or more, found one: its answer is 100% for any drawing")
    path = Path(path)
    if path.suffix != ".onnx":
        raise InputError(f"{path}: expected a path that ends in .onnx")
    if graph not in GRAPH_CHOICES:
        raise ValueError(f"expected graph {' or '.join(GRAPH_CHOICES)}, found {graph!r}")
    if precision not in PRECISIONS:
        raise ValueError(f"expected precision {' or '.join(PRECISIONS)}, found {precision!r}")
    if precision == "int8" and (graph != "fast" or initial_state):
        raise ValueError("expected the fast graph without initial states for int8")
    if input_form not in INPUT_FORMS:
        raise ValueError(f"expected input form {' or '.join(INPUT_FORMS)}, found {input_form!r}")
    if input_form == POINTS and initial_state:
        raise ValueError("expected no initial states for pen points")
    if reject_below is not None:
        reject_below = check_probability(reject_below)
    onnx_model = trace(network, opset, initial_state)
    make_plain(onnx_model)
    samples = probe_sketches(network.config.sequence_length)[1]
    notes = make_fast(onnx_model, samples, precision) if graph == "fast" else []
    if isinstance(network, SketchHash):
        add_codes(onnx_model, network)
    if input_form == POINTS:
        read_points(onnx_model)
    # The oldest format version that has the opset, so that old runtimes open the file.
    onnx_model.ir_version = onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)])
    onnx_model.doc_string = _NOTES[graph]
    metadata = replace(_describe(network, labels, random_weights, precision, input_form), reject_below=reject_below)
    with write_atomically(path) as temporary:
        content = _serialize(onnx_model, metadata)
        report = prove(ModelFile(str(path), content), network)
        if not report:
            raise NotProvenError(path, report)
        if precision == "int8":
            content = _serialize(onnx_model, replace(metadata, int8_agreement=int8_agreement(report)))
        temporary.write_bytes(content)
    return replace(report, notes=(*notes, *report.notes))


def _serialize(model: ir.Model, metadata: ModelMetadata) -> bytes:
    model.metadata_props.update(metadata.to_props())
    proto = ir.to_proto(model)
    # An initializer carries its own shape; the copy beside it trips tools that transpose weights, as ONNX Runtime's
    # quantizer does.
    inferred = [value for value in proto.graph.value_info if value.name not in model.graph.initializers]
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(inferred)
    return sealed(proto)


def seal(model: onnx.ModelProto, path: Path) -> None:
    """Write a model file that was changed on purpose."""
    path.write_bytes(sealed(model))


def sealed(model: onnx.ModelProto) -> bytes:
    """Return the content of a model file, which ends with the hash of all before; one that it had is replaced."""
    props = {prop.key: prop.value for prop in model.metadata_props} | {CONTENT_SHA256: "0" * DIGITS}
    del model.metadata_props[:]
    for key in sorted(props, key=lambda key: key == CONTENT_SHA256):  # it comes last
        model.metadata_props.add(key=key, value=props[key])
    content: bytes = model.SerializeToString(deterministic=True)
    return content[:-DIGITS] + content_sha256(content)


def _describe(
    model: SketchRNN,
    labels: Sequence[str] | None,
    random_weights: bool,
    precision: Precision,
    input_form: InputForm,
) -> ModelMetadata:
    fp32 = {"fp32": FP32_TOLERANCE, "float64_factor": TRUTH_FACTOR, "float64_floor": TRUTH_FLOOR}
    int8 = {"int8": INT8_TOLERANCE, "top1_agreement": INT8_AGREEMENT}
    n_classes = model.config.output_size
    length = model.config.sequence_length
    names, sketches = probe_points(length) if input_form == POINTS else probe_sketches(length)
    if labels is None:
        labels = [f"class {number}" for number in range(n_classes)]
    answers = run_eager(model, network_input(sketches, length))
    answers.pop(CODE, None)  # the embedding's signs
    return ModelMetadata(
        labels=check_labels(labels, n_classes),
        sequence_length=model.config.sequence_length,
        preprocessing=PREPROCESSINGS[input_form],
        input_form=input_form,
        precision=precision,
        random_weights=random_weights,
        int8_agreement={},
        weights_sha256=weights_sha256(model),
        tolerance=fp32 if precision == "fp32" else int8,
        tool_versions={
            "sketch-export": __version__,
            "torch": torch.__version__,
            **{package: version(package) for package in ("onnx", "onnxscript", "onnx-ir")},
        },
        probes=Probes(names, sketches, answers),
        code_bits=model.hash_layer.code_bits if isinstance(model, SketchHash) else None,
    )
