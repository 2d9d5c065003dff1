"""Test vectors of the contract: pen points in, eager PyTorch's log-probabilities out, as JSON for any language."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from sketch_export.pen_points.examples import probe_points
from sketch_infer.atomic import write_atomically
from sketch_infer.errors import InputError
from sketch_infer.strokes.pen_points import network_input
from sketch_models import Checkpoint, load_checkpoint, run_eager


def _short(value: float) -> float:
    """Round to six digits: half of the text."""
    return float(f"{value:.6g}")


def contract_vectors(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the labels and, by case, a name, points (n, 3) of x, y and pen, the label and log_probs (classes,).

    Raises:
        InputError: if the checkpoint names no classes.
    """
    if checkpoint.labels is None:
        raise InputError("expected a checkpoint with class names, found none")
    length = checkpoint.model.config.sequence_length
    names, probes = probe_points(length)
    shortened = [[[_short(value) for value in point] for point in points] for points in probes]
    drawings = [np.array(points, np.float32) for points in shortened]
    log_probs = run_eager(checkpoint.model, network_input(drawings, length))["log_probs"]
    cases = [
        {
            "name": name,
            "label": checkpoint.labels[int(row.argmax())],
            "points": points,
            "log_probs": [round(float(value), 5) for value in row],
        }
        for name, points, row in zip(names, shortened, log_probs, strict=True)
    ]
    return {"labels": checkpoint.labels, "cases": cases}


def main() -> None:
    """Write the vectors of a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    vectors = contract_vectors(load_checkpoint(arguments.checkpoint))
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in vectors["cases"])
    with write_atomically(arguments.output) as temporary:
        text = f'{{"labels": {json.dumps(vectors["labels"])}, "cases": [\n{lines}\n]}}\n'
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
