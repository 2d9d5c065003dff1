"""A Ray Dataset of sketches into one of answers."""

from collections.abc import Sequence
from pathlib import Path

import ray

from sketch_infer.errors import EngineError
from sketch_infer.inference.classifier import Classifier
from sketch_infer.inference.installed import find_model
from sketch_infer.ray.predictor import SketchPredictor, refuse_points
from sketch_infer.ray.source import cluster_cores
from sketch_infer.readers.sketch import InputFormat, OnError, check_on_error

_ACTORS_A_FREE_CORE = 16
"""A core is left to reading, writing and Ray itself where there are that many to share the work of one."""

_CPUS_AN_ACTOR = 0.5
"""What Ray counts, though an actor uses a whole core: so there is room on other machines for those of a lost one, whose
work would else wait for ever. Ray fills every machine to the half before it goes beyond on one: a core for each."""

ROWS_AT_ONCE = 512
"""Sketches that an actor sorts by length and runs in chunks, as the one-process engine does."""


def predict_dataset(
    dataset: "ray.data.Dataset",
    model: str | Path | None = None,
    *,
    actors: "int | tuple[int, int] | None" = None,
    num_gpus: float = 0,
    labels: Sequence[str] | None = None,
    reject: bool = False,
    top_k: int = 5,
    logits: bool = False,
    batch_size: int | None = None,
    input_format: InputFormat = "auto",
    on_error: OnError = "stop",
) -> "ray.data.Dataset":
    """Classify the rows of a data set. Like all of Ray Data it is lazy: it runs when rows are taken or written.

    Args:
        dataset: from `read_dataset`, or any with a column `strokes` or `drawing` (see `SketchPredictor`).
        model: a model file on this machine, or the name of an installed model; None for the default. Its content is
            sent to the actors.
        actors: number of processes that classify, each on one core, or (least, most) for Ray to choose. Default: one
            per GPU or core, except that with more than sixteen cores one in seventeen is left for reading and writing.
        num_gpus: GPUs per actor; the model then runs on CUDA, and fails if CUDA does not start.
        labels: choose only among these classes of the model; None for all.
        reject: give no label to sketches that are probably none of the classes.
        top_k: number of classes to list per sketch.
        logits: whether to add a column of logits.
        batch_size: sketches per call into ONNX Runtime; None for 16, 6 in int8, or 256 on CUDA.
        input_format: of drawings.
        on_error: "stop" at a row that cannot be used, or "skip": its answers are null and `error` says why.

    Returns:
        the rows with label, probability, top, aspect, cut, error, and logits if requested; without strokes and drawing.

    Raises:
        InputError: if `on_error` is another word.
        ModelFileError: if the model cannot be used.
        EngineError: if the cluster is too small for the actors.
    """
    check_on_error(on_error)
    path = find_model(model)
    with Classifier(path, "cpu", threads=1, labels=labels, reject=reject) as classifier:
        refuse_points(classifier)  # one error here, and not one an actor
    return dataset.map_batches(
        SketchPredictor,
        fn_constructor_args=[ray.put(path.read_bytes())],
        fn_constructor_kwargs={
            "labels": labels,
            "reject": reject,
            "top_k": top_k,
            "logits": logits,
            "provider": "cuda" if num_gpus else "cpu",
            "batch_size": batch_size,
            "input_format": input_format,
            "on_error": on_error,
        },
        batch_size=ROWS_AT_ONCE,
        batch_format="pyarrow",
        compute=_pool(actors, num_gpus),
        # Ray starts an actor that dies, alone or with its machine, again and gives it what it had not finished.
        num_cpus=_CPUS_AN_ACTOR,
        num_gpus=num_gpus or None,
    )


def _pool(actors: "int | tuple[int, int] | None", num_gpus: float) -> "ray.data.ActorPoolStrategy":
    """Return the pool of actors.

    Raises:
        EngineError: if the cluster has no core, or share of a GPU, for each.
    """
    if isinstance(actors, tuple):
        return ray.data.ActorPoolStrategy(min_size=actors[0], max_size=actors[1])
    cores = cluster_cores()
    most, has = cores, f"{cores} CPUs"
    if num_gpus:
        gpus = ray.cluster_resources().get("GPU", 0.0)
        most, has = min(cores, int(gpus / num_gpus)), f"{has} and {gpus:g} GPUs"
    chosen = actors or min(most, cores - cores // (_ACTORS_A_FREE_CORE + 1))
    if not 1 <= chosen <= most:
        each = f"1 CPU and {num_gpus:g} GPU" if num_gpus else "1 CPU"
        raise EngineError(
            f"expected room for actors of {each} each, {max(1, chosen)} in all; found a Ray cluster of {has}"
        )
    return ray.data.ActorPoolStrategy(size=chosen)
