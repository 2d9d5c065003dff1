"""SketchRNN from its equations in numpy and float64: a third implementation, sharing nothing with the other two."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def run_reference(
    weights: dict[str, Array], strokes: npt.ArrayLike, hidden: tuple[Array, Array] | None = None
) -> dict[str, Array]:
    """Return log_probs, logits, the LSTM's output (batch, time, 2 * hidden) and its final h_n, c_n."""
    x = np.asarray(strokes, np.float64)  # (batch, time, 3)
    for convolution in ("conv1d_1", "conv1d_2", "conv1d_3"):
        x = _convolve(x, weights[f"{convolution}.weight"], weights[f"{convolution}.bias"])
    final_h, final_c = [], []
    n_layers = sum(name.startswith("lstm_1.weight_hh") for name in weights) // 2
    for layer in range(n_layers):
        directions = []
        for direction, suffix in enumerate(("", "_reverse")):
            h_0, c_0 = (state[2 * layer + direction] for state in hidden) if hidden else (0.0, 0.0)
            w_ih, w_hh, b_ih, b_hh = (
                weights[f"lstm_1.{kind}_l{layer}{suffix}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            steps = x[:, ::-1] if suffix else x
            output, h, c = _run_lstm(steps, w_ih, w_hh, b_ih, b_hh, h_0, c_0)
            directions.append(output[:, ::-1] if suffix else output)
            final_h.append(h)
            final_c.append(c)
        x = np.concatenate(directions, axis=2)
    logits = x.reshape(len(x), -1) @ weights["fc_mu1.weight"].T + weights["fc_mu1.bias"]
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return {
        "log_probs": log_probs,
        "logits": logits,
        "lstm": x,
        "h_n": np.stack(final_h),
        "c_n": np.stack(final_c),
    }


def _convolve(x: Array, weight: Array, bias: Array) -> Array:
    """(batch, time, channels) to (batch, time - kernel + 1, out); weight (out, channels, kernel)."""
    steps = x.shape[1] - weight.shape[2] + 1
    return bias + sum(x[:, tap : tap + steps] @ weight[:, :, tap].T for tap in range(weight.shape[2]))


def _run_lstm(
    x: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, h: Array | float, c: Array | float
) -> tuple[Array, Array, Array]:
    """c = f * c + i * g, h = o * tanh(c); PyTorch packs the gates i, f, g, o."""
    size = w_hh.shape[1]
    h = np.broadcast_to(h, (len(x), size))
    c = np.broadcast_to(c, (len(x), size))
    outputs = []
    for step in range(x.shape[1]):
        gates = x[:, step] @ w_ih.T + b_ih + h @ w_hh.T + b_hh
        i, f, g, o = np.split(gates, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1), h, c


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(x / 2))  # does not overflow
