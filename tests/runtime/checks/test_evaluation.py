import numpy as np
import pytest

from sketch_infer.checks.evaluation import Confusion, evaluate, format_evaluations

CLASSES = ("ant", "bee", "cat", "dog", "eel", "fox")


def test_by_hand() -> None:
    probabilities = np.array(
        [
            [0.5, 0.3, 0.1, 0.05, 0.03, 0.02],
            [0.4, 0.3, 0.1, 0.1, 0.05, 0.05],
            [0.4, 0.3, 0.15, 0.1, 0.03, 0.02],
            [0.1, 0.1, 0.5, 0.1, 0.1, 0.1],
        ]
    )
    result = evaluate(np.log(probabilities), np.array([0, 1, 1, 5]), CLASSES)
    assert len(result) == 4
    assert (result.top1, result.top5) == (0.25, 0.75)
    assert result.loss == pytest.approx(-np.log([0.5, 0.3, 0.3, 0.1]).mean())
    assert result.per_class == {"ant": 1.0, "bee": 0.0, "fox": 0.0}
    assert result.confusion[1].tolist() == [2, 0, 0, 0, 0, 0]
    assert result.confusions() == [Confusion("bee", "ant", 2, 1.0), Confusion("fox", "cat", 1, 1.0)]
    assert result.confusions(1) == [Confusion("bee", "ant", 2, 1.0)]


def test_shares_are_rounded_and_counted() -> None:
    log_probs = np.log([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]])
    text = format_evaluations({"": evaluate(log_probs, np.array([0, 1, 1]), CLASSES[:2])})
    assert "top-1               66.7% (2 of 3)\n" in text
    assert text.endswith("bee taken for ant   1 of 2")
    many = format_evaluations({"": evaluate(np.tile(log_probs, (4000, 1)), np.tile([0, 1, 1], 4000), CLASSES[:2])})
    assert "66.67% (8,000 of 12,000)" in many


def test_without_mistakes_no_blank_line_ends_the_text() -> None:
    text = format_evaluations({"": evaluate(np.log([[0.6, 0.4]]), np.array([0]), CLASSES[:2])})
    assert text.endswith("\nant                 100.0%")


def test_fewer_than_five_classes() -> None:
    result = evaluate(np.log([[0.4, 0.6]]), np.array([0]), CLASSES[:2])
    assert (result.top1, result.top5) == (0.0, 1.0)


def test_nothing_and_mismatches_are_refused() -> None:
    for rows, n_labels in ((0, 0), (2, 3)):
        with pytest.raises(ValueError, match=r"expected (log_probs|labeled sketches)"):
            evaluate(np.zeros((rows, 6)), np.zeros(n_labels, int), CLASSES)
    with pytest.raises(ValueError, match=r"expected (log_probs|labeled sketches)"):
        evaluate(np.zeros((2, 5)), np.zeros(2, int), CLASSES)
