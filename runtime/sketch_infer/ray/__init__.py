"""Classify drawings on a cluster with Ray Data; the answers are those of one process, row for row.

    from sketch_infer.ray import predict_dataset, read_dataset

    found = predict_dataset(read_dataset("s3://drawings/2026/"), actors=63)
    found.write_parquet("s3://answers/2026/")

For data sets that are already Ray's, use `SketchPredictor` with `Dataset.map_batches`. Importing this package imports
Ray; nothing else in `sketch_infer` does.
"""

from sketch_infer.errors import DependencyError

try:
    import pyarrow  # noqa: F401
    import ray.data  # noqa: F401
except ImportError as error:
    raise DependencyError(
        f"Ray Data cannot be imported ({error}); install it with: pip install 'ray[data]' pyarrow"
    ) from error

from sketch_infer.ray.dataset import predict_dataset
from sketch_infer.ray.predictor import SketchPredictor
from sketch_infer.ray.shards import Written, write_dataset
from sketch_infer.ray.source import read_dataset

__all__ = ["SketchPredictor", "Written", "predict_dataset", "read_dataset", "write_dataset"]
