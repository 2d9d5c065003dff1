"""Time a points file, the strokes file of the same network and the preparation in numpy, on drawings made in code.

What the points file takes longer than the strokes file is its preparation. Answers are compared first.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from sketch_export.pen_points.examples import varied_points
from sketch_infer import default_model
from sketch_infer.array_types import FloatArray
from sketch_infer.inference.session import Session
from sketch_infer.strokes.pen_points import network_input

BATCHES = (1, 16, 64, 256)
N_DRAWINGS = 512
ROUNDS = 5


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _measure(points: Session, strokes: Session, batch: list[FloatArray]) -> tuple[float, float]:
    """Return the seconds of the preparation in the file and in numpy."""
    prepared = network_input(batch, strokes.metadata.sequence_length)
    whole = _seconds(lambda: points.run(batch))
    network = _seconds(lambda: strokes.run(prepared))
    return whole - network, _seconds(lambda: network_input(batch, strokes.metadata.sequence_length))


@click.command()
@click.argument("points_file", type=click.Path(path_type=Path))
def main(points_file: Path) -> None:
    """Print what the preparation takes in POINTS_FILE and in numpy, in medians, on one thread."""
    points, strokes = Session(points_file, "cpu"), Session(default_model(), "cpu")
    drawings = list(varied_points(N_DRAWINGS))
    expected = strokes.run(network_input(drawings[:64], strokes.metadata.sequence_length))
    np.testing.assert_allclose(points.run(drawings[:64])["logits"], expected["logits"], rtol=0, atol=1e-3)
    click.echo(f"{N_DRAWINGS} drawings of {np.median([len(one) for one in drawings]):.0f} points in the median")
    for size in BATCHES:
        batches = [drawings[at : at + size] for at in range(0, N_DRAWINGS, size)]
        taken = [_measure(points, strokes, batch) for _ in range(ROUNDS) for batch in batches]
        in_file, in_numpy = (1e3 * statistics.median(column) for column in zip(*taken, strict=True))
        click.echo(
            f"batch {size}: in the file {in_file:.2f} ms, in numpy {in_numpy:.2f} ms: {in_file / in_numpy:.2f} x"
        )


if __name__ == "__main__":
    main()
