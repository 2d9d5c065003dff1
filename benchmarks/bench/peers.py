"""The peers' engines: PyTorch, ONNX Runtime and OpenVINO, each imported when it opens."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sketch_infer.array_types import FloatArray
from sketch_infer.model.contract.tensors import OUTPUTS, STROKES
from sketch_infer.strokes.preprocess import INPUT_SIZE

from .candidates import Variant
from .messages import Outputs

if TYPE_CHECKING:
    from torch import nn


class Torch:
    """PyTorch: eager, compiled or traced."""

    facts: Mapping[str, int] = {}

    def __init__(self, variant: Variant) -> None:
        import torch

        from sketch_models import load_checkpoint

        torch.set_num_threads(variant.threads or 1)
        self._torch: Any = torch
        network = load_checkpoint(variant.model).model
        # What the file would weigh at float32, the precision it is run at; the repository's own holds float16.
        self.file_bytes = sum(4 * parameter.numel() for parameter in network.parameters())
        self._module: nn.Module | Any = network
        if variant.engine == "compiled":
            # One compilation for each shape; nn.LSTM stays a call into the same kernel as in eager mode.
            self._module = torch.compile(network, dynamic=False)
        elif variant.engine == "traced":
            example = torch.zeros(2, network.config.sequence_length, INPUT_SIZE)
            self._module = self._torch.jit.freeze(self._torch.jit.trace(network, example))

    def predict(self, strokes: FloatArray, chunk: int | None) -> Outputs:
        with self._torch.inference_mode():
            return _in_chunks(self._forward, strokes, chunk)

    def _forward(self, strokes: FloatArray) -> list[Any]:
        return [output.numpy() for output in self._module(self._torch.from_numpy(strokes))]


class OnnxRuntime:
    """A model file in ONNX Runtime, the options its own or with a number of threads."""

    facts: Mapping[str, int] = {}

    def __init__(self, variant: Variant) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if variant.threads:
            options.intra_op_num_threads = variant.threads
        self._session = onnxruntime.InferenceSession(variant.model, options, providers=["CPUExecutionProvider"])
        self.file_bytes = variant.model.stat().st_size

    def predict(self, strokes: FloatArray, chunk: int | None) -> Outputs:
        return _in_chunks(lambda rows: list(self._session.run(OUTPUTS, {STROKES: rows})), strokes, chunk)


class OpenVino:
    """A model file in OpenVINO, compiled anew for every batch size, because static shapes are its fastest."""

    facts: Mapping[str, int] = {}

    def __init__(self, variant: Variant) -> None:
        import openvino

        self._openvino, self._core = openvino, openvino.Core()
        if variant.precision == "bf16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeError("this processor has no bfloat16 arithmetic")
        self._path, self._streams = variant.model, variant.streams
        self._options = {
            "INFERENCE_PRECISION_HINT": variant.precision,  # left alone it takes bfloat16 where the processor has it
            "PERFORMANCE_HINT": "THROUGHPUT" if variant.streams > 1 else "LATENCY",
            "NUM_STREAMS": variant.streams,
            "INFERENCE_NUM_THREADS": variant.threads,
        }
        self._compiled: dict[int, Any] = {}
        self.file_bytes = variant.model.stat().st_size

    def predict(self, strokes: FloatArray, chunk: int | None) -> Outputs:
        if self._streams > 1:
            return self._predict_in_streams(strokes, chunk or len(strokes))
        return _in_chunks(self._forward, strokes, chunk)

    def _forward(self, strokes: FloatArray) -> list[Any]:
        request = self._for_batch(len(strokes), strokes)
        request.infer({STROKES: strokes}, share_inputs=True)
        return [request.get_tensor(name).data.copy() for name in OUTPUTS]

    def _predict_in_streams(self, strokes: FloatArray, size: int) -> Outputs:
        parts: dict[int, list[FloatArray]] = {}
        queues = {}
        for start in range(0, len(strokes), size):
            rows = strokes[start : start + size]
            queues[len(rows)] = queue = self._for_batch(len(rows), strokes)
            queue.start_async({STROKES: rows}, (parts, start))
        for queue in queues.values():
            queue.wait_all()
        return {
            name: np.concatenate([parts[start][column] for start in sorted(parts)])
            for column, name in enumerate(OUTPUTS)
        }

    def _for_batch(self, batch: int, strokes: FloatArray) -> Any:
        """Return what runs a batch size: a request, or a queue of as many as there are streams."""
        if batch not in self._compiled:
            model = self._core.read_model(self._path)
            model.reshape({STROKES: [batch, *strokes.shape[1:]]})
            compiled = self._core.compile_model(model, "CPU", self._options)
            if self._streams > 1:
                self._compiled[batch] = self._openvino.AsyncInferQueue(compiled, self._streams)
                self._compiled[batch].set_callback(_keep)
            else:
                self._compiled[batch] = compiled.create_infer_request()
        return self._compiled[batch]


def _keep(request: Any, place: tuple[dict[int, list[FloatArray]], int]) -> None:
    parts, start = place
    parts[start] = [request.get_tensor(name).data.copy() for name in OUTPUTS]


def _in_chunks(forward: Callable[[FloatArray], list[Any]], strokes: FloatArray, chunk: int | None) -> Outputs:
    size = chunk or len(strokes)
    parts = [forward(strokes[start : start + size]) for start in range(0, len(strokes), size)]
    return {name: np.concatenate([part[column] for part in parts]) for column, name in enumerate(OUTPUTS)}
