import numpy as np
import pytest

from train.stages.depth_validation import alarms_at_recall, average_precision


def test_average_precision_of_hand_made_cases():
    assert average_precision(np.array([0.9, 0.8, 0.1]), np.array([1, 1, 0])) == 1.0
    assert average_precision(np.array([0.9, 0.8, 0.1]), np.array([0, 1, 1])) == pytest.approx(
        (1 / 2 + 2 / 3) / 2
    )
    assert average_precision(np.full(4, 0.5), np.array([0, 1, 0, 0])) == 0.25  # one threshold
    assert average_precision(np.array([0.5]), np.array([0])) == 0.0


def test_average_precision_of_chance_is_the_fraction_of_positives(rng):
    score, label = rng.random(20_000), (rng.random(20_000) < 0.2).astype(int)
    assert average_precision(score, label) == pytest.approx(0.2, abs=0.02)


def test_alarms_at_recall():
    positives, negatives = np.linspace(0.1, 1.0, 10), np.array([0.05, 0.75, 0.8, 0.95])
    assert alarms_at_recall(positives, negatives, recall=0.3) == 0.5  # threshold 0.8: three of ten are found
    assert alarms_at_recall(positives, negatives, recall=0.31) == 0.75
    assert alarms_at_recall(positives, negatives, recall=1.0) == 0.75
    assert alarms_at_recall(positives, negatives, recall=0.01) == 0.0
    assert alarms_at_recall(positives[:0], negatives, recall=0.3) == 0.0
    assert alarms_at_recall(positives, negatives[:0], recall=0.3) == 0.0


def test_a_score_that_tells_nothing_has_as_many_alarms_as_recall(rng):
    alarms = alarms_at_recall(rng.random(5000), rng.random(5000), recall=0.3)
    assert alarms == pytest.approx(0.3, abs=0.03)
