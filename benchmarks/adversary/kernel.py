"""Where the difference comes from: ONNX Runtime's tanh and sigmoid, alone and in the network.

Its CPU kernels, those inside of its LSTM too, compute both as quotients of polynomials.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from onnx import TensorProto, helper

from sketch_infer.array_types import FloatArray
from sketch_infer.inference.providers import import_onnxruntime
from sketch_models import SketchRNN

Doubles = npt.NDArray[np.float64]
Activation = Callable[[Doubles], Doubles]

_EXACT: dict[str, Activation] = {"Tanh": np.tanh, "Sigmoid": lambda x: 1 / (1 + np.exp(-x))}


@dataclass(frozen=True)
class ActivationError:
    """The largest |error| of one activation between -12 and 12, against float64.

    Attributes:
        name: "Tanh" or "Sigmoid".
        onnxruntime, pytorch: the errors.
        at: where ONNX Runtime's is.
    """

    name: str
    onnxruntime: float
    pytorch: float
    at: float


def exact_activation(name: str) -> Activation:
    """Return the function in float64."""
    return _EXACT[name]


def onnxruntime_activation(name: str) -> Activation:
    """Return ONNX Runtime's own function, which rounds its argument and its value to float32."""
    values = [helper.make_tensor_value_info(which, TensorProto.FLOAT, None) for which in ("x", "y")]
    graph = helper.make_graph([helper.make_node(name, ["x"], ["y"])], "one", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda x: np.asarray(session.run(None, {"x": x.astype(np.float32)})[0], np.float64)


def rounded_activation(name: str) -> Activation:
    """Return the same function, as exact as float32 can be."""
    return lambda x: _EXACT[name](x.astype(np.float32).astype(np.float64)).astype(np.float32).astype(np.float64)


def measure_activations() -> list[ActivationError]:
    """Compare both activations with float64 at 200,001 points."""
    x = np.linspace(-12, 12, 200_001).astype(np.float32)
    errors = []
    for name, exact in _EXACT.items():
        reference = exact(x.astype(np.float64))
        theirs = np.abs(onnxruntime_activation(name)(x.astype(np.float64)) - reference)
        torchs = np.abs(getattr(torch, name.lower())(torch.from_numpy(x)).double().numpy() - reference)
        worst = int(theirs.argmax())
        errors.append(ActivationError(name, float(theirs[worst]), float(torchs.max()), float(x[worst])))
    return errors


def logits_with(model: SketchRNN, strokes: FloatArray, activation: Callable[[str], Activation]) -> Doubles:
    """Run a network of one LSTM layer in float64, but for its tanh and sigmoid.

    Args:
        model: the network.
        strokes: float32 (N, T, 3).
        activation: makes the activations by name.

    Returns:
        logits, float64 (N, classes).
    """
    tanh, sigmoid = activation("Tanh"), activation("Sigmoid")
    weights = {name: tensor.detach().double().numpy() for name, tensor in model.state_dict().items()}
    x = torch.from_numpy(strokes).double().transpose(1, 2)
    for number in (1, 2, 3):
        kernel, bias = (torch.from_numpy(weights[f"conv1d_{number}.{part}"]) for part in ("weight", "bias"))
        x = torch.nn.functional.conv1d(x, kernel, bias)
    features = x.permute(2, 0, 1).numpy()  # (time, N, 96)
    directions = []
    for suffix in ("", "_reverse"):
        w_ih, w_hh, b_ih, b_hh = (
            weights[f"lstm_1.{part}_l0{suffix}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        inputs = (features if not suffix else features[::-1]) @ w_ih.T + b_ih + b_hh
        h = c = np.zeros((len(strokes), w_hh.shape[1]))
        states = []
        for step in inputs:  # i, f, g, o as PyTorch packs them
            i, f, g, o = np.split(step + h @ w_hh.T, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(c)
            states.append(h)
        directions.append(np.stack(states if not suffix else states[::-1], axis=1))
    flat = np.concatenate(directions, axis=2).reshape(len(strokes), -1)
    logits: Doubles = flat @ weights["fc_mu1.weight"].T + weights["fc_mu1.bias"]
    return logits
