import pytest

from sketch_export import layer_shapes
from sketch_export.checks.shapes import format_shapes, formula_shapes
from sketch_models import SketchRNNConfig
from tests.networks import TINY, make_model


def test_published_table() -> None:
    assert formula_shapes(SketchRNNConfig(3, 256, 40), 512) == {
        "input": (512, 196, 3),
        "transpose_1": (512, 3, 196),
        "conv1d_1": (512, 48, 192),
        "dropout_1": (512, 48, 192),
        "conv1d_2": (512, 64, 188),
        "dropout_2": (512, 64, 188),
        "conv1d_3": (512, 96, 186),
        "dropout_3": (512, 96, 186),
        "transpose_2": (512, 186, 96),
        "lstm_1": (512, 186, 512),
        "h_n": (2, 512, 256),
        "c_n": (2, 512, 256),
        "flatten": (512, 95232),
        "fc_mu1": (512, 40),
        "log_softmax": (512, 40),
    }


@pytest.mark.parametrize("config", [TINY, SketchRNNConfig(3, 4, 3, n_layers=2, sequence_length=13)])
@pytest.mark.parametrize("batch", [1, 5])
def test_three_ways_agree(config: SketchRNNConfig, batch: int) -> None:
    rows = layer_shapes(make_model(config), batch)
    assert all(rows), format_shapes(rows)
    assert [row.layer for row in rows] == list(formula_shapes(config, batch))


def test_a_disagreement_shows() -> None:
    model = make_model()
    model.config = SketchRNNConfig(3, 7, 5, sequence_length=24)  # not what the weights are
    rows = layer_shapes(model, 2)
    assert [row.layer for row in rows if not row] == ["lstm_1", "h_n", "c_n", "flatten"]
    assert format_shapes(rows).count("DIFFERENT") == 4
