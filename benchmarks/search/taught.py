"""How well classes are taught with five drawings each.

The network's outputs for the classes that are taught, and for others that are asked about, are left out, as if it had
never heard of them. The drawings are the committed ones, which no network was trained with. Results go to
benchmarks/results/taught.json, which docs/python.md quotes.
"""

import json
from itertools import islice
from pathlib import Path

import click
import numpy as np

from benchmarks.search.__main__ import DATA, ROOT
from sketch_infer import Classifier, Predictions, read_sketches
from sketch_infer.array_types import FloatArray
from sketch_infer.inference.taught import Taught
from sketch_infer.readers.listener import CollectingListener
from sketch_search.encode import DEFAULT_MODEL

EXAMPLES, ASKED = 5, 20
"""Drawings a class to teach with, and to ask about."""

TAUGHT_AT_ONCE = (1, 5, 20)
OTHERS = 15
TRIALS = 50


Class = tuple[list[int], FloatArray]
"""A class's columns in the answers, one or none, and the logits for its drawings, float32 (N, columns)."""


def read_classes(folder: Path, classifier: Classifier) -> list[Class]:
    """Return the classes of a folder, a file each, with the network's logits for some drawings."""
    found = []
    for file in sorted(folder.glob("*.gz")):
        drawings = islice(read_sketches(str(file), listener=CollectingListener()), EXAMPLES + ASKED)
        strokes = [sketch.strokes[: classifier.metadata.sequence_length] for sketch in drawings]
        if len(strokes) == EXAMPLES + ASKED:
            name = file.name.split(".")[0]
            columns = [column for column, label in enumerate(classifier.classes) if label == name]
            found.append((columns, classifier.predict(strokes, input_format="network").logits))
    if len(found) < max(TAUGHT_AT_ONCE) + OTHERS:
        raise click.UsageError(f"expected {max(TAUGHT_AT_ONCE) + OTHERS} classes in {folder}, found {len(found)}")
    return found


def judge(classes: list[Class], n_taught: int) -> dict[str, float]:
    """Teach some classes and ask for them and for others, again and again.

    Returns:
        shares of the drawings: of taught classes those with the right label, whether accepted or not, and those
        accepted; of other classes those accepted.
    """
    random = np.random.default_rng(n_taught)
    right, accepted, wrongly = [], [], []
    for _ in range(TRIALS):
        order = random.permutation(len(classes)).tolist()[: n_taught + OTHERS]
        unknown = [column for number in order for column in classes[number][0]]
        logits = {number: np.delete(classes[number][1], unknown, axis=1) for number in order}
        chosen, others = order[:n_taught], order[n_taught:]
        taught = Taught("")
        for number in chosen:
            taught = taught.teach(str(number), logits[number][:EXAMPLES])
        for number in chosen:
            answer = taught.answer(_predictions(logits[number][EXAMPLES:]))
            right.append(np.array(answer.labels) == str(number))
            accepted.append(~np.asarray(answer.rejected))
        rejected = taught.answer(_predictions(np.concatenate([logits[number] for number in others]))).rejected
        wrongly.append(~np.asarray(rejected))
    shares = {"right": right, "accepted": accepted, "others accepted": wrongly}
    return {name: round(float(np.mean(values)), 3) for name, values in shares.items()}


def to_markdown(found: dict[str, dict[str, float]]) -> str:
    """Lay the results out as the docs have them."""
    lines = ["| Symbols | Right symbol | Accepted | Other drawings, accepted by mistake |", "|---|---|---|---|"]
    for n_taught, shares in found.items():
        lines.append(f"| {n_taught} | {' | '.join(f'{share:.0%}' for share in shares.values())} |")
    return "\n".join(lines)


def _predictions(logits: FloatArray) -> Predictions:
    return Predictions(logits, logits, tuple(map(str, range(logits.shape[1]))))


@click.command()
@click.argument("folder", default=DATA, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Model file or the name of an installed model.")
def main(folder: Path, model: str) -> None:
    """Teach classes of the drawings in FOLDER, and ask for them."""
    classes = read_classes(folder, Classifier(model, "cpu"))
    found = {str(n_taught): judge(classes, n_taught) for n_taught in TAUGHT_AT_ONCE}
    (ROOT / "benchmarks" / "results" / "taught.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    click.echo(to_markdown(found))


if __name__ == "__main__":
    main()
