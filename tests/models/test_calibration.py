"""Temperature and biases that make a network's probabilities mean something."""

import numpy as np
import pytest

from sketch_infer.checks.evaluation import evaluate
from sketch_models.training.judging.calibration import calibrate


def drawn(bias: list[float], temperature: float, count: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and labels that are drawn by them, once they are calibrated."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (count, len(bias)))
    labels = (logits / temperature + bias + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return logits, labels


def test_temperature_and_biases_are_those_that_drew_the_labels() -> None:
    bias = [0.5, -0.25, 0.0, -0.5, 0.25]
    logits, labels = drawn(bias, 2.5)
    calibration, _ = calibrate(logits, labels)
    # Classes count the same: what only makes one frequent is not in its bias.
    expected = bias - np.log(np.bincount(labels))
    assert calibration.temperature == pytest.approx(2.5, rel=0.05)
    np.testing.assert_allclose(calibration.bias, expected - expected.mean(), atol=0.05)


def test_frequent_classes_are_not_favored() -> None:
    logits, labels = drawn([0.0, 0.0, 0.0], 1.0)
    fewer = np.flatnonzero((labels > 0) | (np.arange(len(labels)) % 10 == 0))
    np.testing.assert_allclose(calibrate(logits[fewer], labels[fewer])[0].bias, 0, atol=0.06)


def test_few_drawings_move_a_bias_little() -> None:
    logits, labels = np.zeros((8, 2)), np.array([0, 0, 0, 0, 0, 0, 0, 1])
    assert np.abs(calibrate(logits, labels)[0].bias).max() < 0.4


def test_a_class_without_drawings_keeps_its_bias() -> None:
    logits, labels = drawn([0.0, 0.0, 0.0], 1.0, 600)
    kept = labels < 2
    assert calibrate(logits[kept], labels[kept])[0].bias[2] == 0


def test_what_is_judged_was_not_fitted_to() -> None:
    logits, labels = drawn([0.0] * 40, 1.5, 400)  # all that biases can learn here is by heart
    classes = tuple(map(str, range(40)))
    calibration, held_back = calibrate(logits, labels)
    fitted, judged = (evaluate(log_probs, labels, classes) for log_probs in (calibration.apply(logits), held_back))
    assert judged.top1 < fitted.top1
    np.testing.assert_allclose(np.exp(held_back).sum(axis=1), 1)


def test_answers_are_right_as_often_as_their_probabilities_say() -> None:
    rng = np.random.default_rng(2)
    logits, labels = drawn([0.0] * 5, 1.0, 5_000)
    labels = np.where(rng.random(5_000) < 0.1, rng.integers(0, 5, 5_000), labels)  # wrong labels: no temperature fits
    _, held_back = calibrate(logits, labels)
    judged = evaluate(held_back, labels, tuple("abcde"))
    assert judged.confidence == pytest.approx(judged.top1, abs=0.002)
