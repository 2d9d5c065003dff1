"""`sketch-export evaluate`."""

from pathlib import Path

import click

from sketch_export.checks.evaluate import compare_accuracy, further_figures
from sketch_export.checks.pictures import plot_confusions, plot_reliability
from sketch_infer.checks.evaluation import format_evaluations
from sketch_infer.cli.console import note, provider_option, refuse_one_file, say, terminal_width
from sketch_infer.inference.providers import ProviderChoice
from sketch_models.training.judging.figures import check_picture


@click.command()
@click.argument("networks", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--confusion",
    type=click.Path(path_type=Path),
    callback=check_picture,
    help="Write a picture of the confusion matrix (.png, .svg, .pdf).",
)
@click.option(
    "--reliability",
    type=click.Path(path_type=Path),
    callback=check_picture,
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
    "--unfinished", is_flag=True, help="Also print the accuracy after 25, 50 and 75% of each drawing's points."
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
    refuse_one_file("--reliability", reliability, "--confusion", confusion)
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
