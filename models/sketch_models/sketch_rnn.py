"""SketchRNN, the classifier of pen strokes: three convolutions, a bidirectional LSTM and a linear head."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn

CONVOLUTIONS = ((48, 5), (64, 5), (96, 3))
"""(output channels, kernel size) of the three convolutions; they are part of the architecture."""

_STEPS_LOST = sum(kernel - 1 for _, kernel in CONVOLUTIONS)

LSTMState = tuple[Tensor, Tensor]
"""(h, c), each float32 (n_layers * 2, batch, hidden_size)."""


@dataclass(frozen=True)
class SketchRNNConfig:
    """The sizes of a SketchRNN.

    Attributes:
        input_size: values per point, 3 for (dx, dy, pen).
        hidden_size: LSTM units per direction.
        output_size: number of classes.
        dropout: probability after each convolution, in [0, 1); used in training only.
        n_layers: stacked bidirectional LSTM layers.
        sequence_length: points per sketch; fixed, because the head reads every time step.

    Raises:
        ValueError: for a size below 1, a sequence too short for the convolutions or a dropout outside [0, 1).
    """

    input_size: int
    hidden_size: int
    output_size: int
    dropout: float = 0.1
    n_layers: int = 1
    sequence_length: int = 196

    def __post_init__(self) -> None:
        least = dict.fromkeys(("input_size", "hidden_size", "output_size", "n_layers"), 1)
        for name, smallest in {**least, "sequence_length": _STEPS_LOST + 1}.items():
            size = getattr(self, name)
            if not isinstance(size, int) or size < smallest:
                raise ValueError(f"expected {name} as an integer >= {smallest}, found {size!r}")
        if not isinstance(self.dropout, int | float) or not 0 <= self.dropout < 1:
            raise ValueError(f"expected dropout in [0, 1), found {self.dropout!r}")

    @property
    def time_steps(self) -> int:
        """Steps of the LSTM: a convolution of kernel k shortens time by k - 1."""
        return self.sequence_length - _STEPS_LOST

    def to_dict(self) -> dict[str, int | float]:
        """Return the sizes as a JSON-ready dict, `from_dict`'s inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Build a config from `to_dict`'s result.

        Raises:
            ValueError: if a size is missing, unknown or out of range.
        """
        try:
            return cls(**values)
        except TypeError as error:
            known = ", ".join(field.name for field in fields(cls))
            raise ValueError(f"expected sizes by name among {known}, found {values!r:.200}") from error


class SketchRNN(nn.Module):
    """Classifies sketches of (dx, dy, pen) rows.

    There is no activation between the convolutions, so together they are one linear map. The state dict of any module
    with the same attribute names and sizes loads unchanged. The arguments are those of `SketchRNNConfig`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        dropout: float = 0.1,
        n_layers: int = 1,
        sequence_length: int = 196,
    ) -> None:
        super().__init__()
        self.config = SketchRNNConfig(input_size, hidden_size, output_size, dropout, n_layers, sequence_length)
        (c1, k1), (c2, k2), (c3, k3) = CONVOLUTIONS
        self.conv1d_1 = nn.Conv1d(input_size, c1, k1)
        self.dropout_1 = nn.Dropout(dropout)
        self.conv1d_2 = nn.Conv1d(c1, c2, k2)
        self.dropout_2 = nn.Dropout(dropout)
        self.conv1d_3 = nn.Conv1d(c2, c3, k3)
        self.dropout_3 = nn.Dropout(dropout)
        self.lstm_1 = nn.LSTM(c3, hidden_size, n_layers, bidirectional=True, batch_first=True)
        self.fc_mu1 = nn.Linear(hidden_size * 2 * self.config.time_steps, output_size)

    @classmethod
    def from_config(cls, config: SketchRNNConfig) -> Self:
        """Build a freshly initialized network of these sizes."""
        return cls(
            config.input_size,
            config.hidden_size,
            config.output_size,
            config.dropout,
            config.n_layers,
            config.sequence_length,
        )

    def forward(self, inputs: Tensor, hidden: LSTMState | None = None) -> tuple[Tensor, Tensor]:
        """Classify a batch.

        Args:
            inputs: (batch, sequence_length, input_size), in the weights' dtype (float32 as built).
            hidden: the LSTM's initial (h_0, c_0), each (n_layers * 2, batch, hidden_size); zeros when None.

        Returns:
            log_probs and logits, each (batch, output_size).

        Raises:
            ValueError: if a shape is not as above.
            TypeError: if a dtype is not the weights'.
        """
        self._check(inputs, hidden)
        x = inputs.transpose(1, 2)  # (batch, input_size, sequence_length): convolutions read channels first
        x = self.dropout_1(self.conv1d_1(x))  # (batch, 48, sequence_length - 4)
        x = self.dropout_2(self.conv1d_2(x))  # (batch, 64, sequence_length - 8)
        x = self.dropout_3(self.conv1d_3(x))  # (batch, 96, time_steps)
        x = x.transpose(1, 2)  # (batch, time_steps, 96)
        x, _ = self.lstm_1(x, hidden)  # (batch, time_steps, 2 * hidden_size)
        x = x.reshape(-1, self.fc_mu1.in_features)  # (batch, time_steps * 2 * hidden_size)
        logits = self.fc_mu1(x)  # (batch, output_size)
        return torch.log_softmax(logits, dim=1), logits

    def _check(self, inputs: Tensor, hidden: LSTMState | None) -> None:
        sizes = self.config
        if inputs.ndim != 3 or inputs.shape[1:] != (sizes.sequence_length, sizes.input_size):
            expected = f"(batch, {sizes.sequence_length}, {sizes.input_size})"
            raise ValueError(f"expected inputs of shape {expected}, found {tuple(inputs.shape)}")
        dtype = self.fc_mu1.weight.dtype
        if inputs.dtype != dtype:
            raise TypeError(f"expected inputs of dtype {dtype}, found {inputs.dtype}")
        for name, state in zip(("h_0", "c_0"), hidden or (), strict=False):
            state_shape = (sizes.n_layers * 2, inputs.shape[0], sizes.hidden_size)
            if state.shape != state_shape:
                raise ValueError(f"expected {name} of shape {state_shape}, found {tuple(state.shape)}")
            if state.dtype != dtype:
                raise TypeError(f"expected {name} of dtype {dtype}, found {state.dtype}")
