"""The candidates' engines. Each imports its package when it opens, so that no process holds more than its own."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from sketch_infer.array_types import FloatArray

from .candidates import CHECKPOINT, Variant
from .messages import Outputs
from .peers import OnnxRuntime, OpenVino, Torch

MATMUL_SIZE = 2048
MATMUL_FLOPS = 2.0 * MATMUL_SIZE**3


class Engine(Protocol):
    """An opened model."""

    file_bytes: int
    facts: Mapping[str, int]

    def predict(self, strokes: FloatArray, chunk: int | None) -> Outputs:
        """Classify strokes (N, sequence_length, 3) in batches of `chunk` rows, all at once when None."""


def open_engine(variant: Variant) -> Engine:
    """Open a variant's model."""
    engines: dict[str, Callable[[Variant], Engine]] = {
        "reference": _Reference,
        "ours": _Ours,
        "eager": Torch,
        "compiled": Torch,
        "traced": Torch,
        "onnxruntime": OnnxRuntime,
        "openvino": OpenVino,
        "matmul": _MatMul,
    }
    return engines[variant.engine](variant)


class _Reference:
    """Eager PyTorch, what all others are checked against; it also tells the network's sizes."""

    def __init__(self, variant: Variant) -> None:
        import onnx

        from sketch_export.fast_graph import SETTLE_STEPS
        from sketch_models import load_checkpoint

        self._model = load_checkpoint(CHECKPOINT).model
        config = self._model.config
        props = {prop.key: prop.value for prop in onnx.load(variant.model).metadata_props}
        self.file_bytes = 0
        self.facts: Mapping[str, int] = {
            "hidden_size": config.hidden_size,
            "classes": config.output_size,
            "steps": config.time_steps,
            "settling": int(props.get(SETTLE_STEPS, 0)),  # a network that does not settle has none
        }

    def predict(self, strokes: FloatArray, chunk: int | None) -> Outputs:
        from sketch_models import run_eager

        del chunk
        return {name: values.astype(np.float32) for name, values in run_eager(self._model, strokes).items()}


class _Ours:
    """The library as a user calls it: threads and batches are its own affair."""

    facts: Mapping[str, int] = {}

    def __init__(self, variant: Variant) -> None:
        from sketch_infer import Classifier

        self._classifier = Classifier(variant.model, provider="cpu")
        self.file_bytes = variant.model.stat().st_size

    def predict(self, strokes: FloatArray, chunk: int | None) -> Outputs:
        del chunk
        predictions = self._classifier.predict(strokes, input_format="network")
        return {"log_probs": predictions.log_probs, "logits": predictions.logits}


class _MatMul:
    """The yardstick: one call is one large product in ONNX Runtime, whatever the strokes."""

    file_bytes = 0
    facts: Mapping[str, int] = {}

    def __init__(self, variant: Variant) -> None:
        import onnxruntime
        from onnx import TensorProto, helper

        shape = [MATMUL_SIZE, MATMUL_SIZE]
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "abc"]
        graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", values[:2], values[2:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = variant.threads or 1
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        random = np.random.default_rng(0)
        self._inputs = {name: random.random(shape, np.float32) for name in "ab"}

    def predict(self, strokes: FloatArray, chunk: int | None) -> Outputs:
        del strokes, chunk
        self._session.run(None, self._inputs)
        return {}
