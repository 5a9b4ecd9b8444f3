import itertools

import numpy as np
import pytest

from eval.metrics import calibration


def _orders(confidence):
    """All orders of pixels, most confident first, that differ only where confidences are equal."""
    groups = [np.flatnonzero(confidence == value) for value in sorted(set(confidence), reverse=True)]
    for parts in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield list(itertools.chain(*parts))


def test_risk_coverage_is_the_mean_over_all_orders_of_ties(rng):
    error, confidence = rng.exponential(size=8), np.array([0.2, 0.9, 0.2, 0.2, 0.5, 0.9, 0.7, 0.1])
    curves = [np.cumsum(error[order]) / np.arange(1, 9) for order in _orders(confidence)]
    expected = np.mean(curves, 0)
    risks, area = calibration.risk_coverage(error, confidence)
    np.testing.assert_allclose(risks, [expected[int(np.ceil(8 * k / 20 - 1e-9)) - 1] for k in range(1, 21)])
    assert area == pytest.approx(expected.mean())


def test_one_pixel():
    risks, area = calibration.risk_coverage(np.array([0.3]), np.array([0.5]))
    assert area == 0.3 and (risks == 0.3).all()


def test_full_coverage_is_the_mean_error_and_good_confidence_pays(rng):
    error = rng.exponential(size=500)
    good = 1 / (1 + error)
    risks, area = calibration.risk_coverage(error, good)
    assert risks[-1] == pytest.approx(error.mean())
    assert (np.diff(risks) > 0).all()
    _, flat = calibration.risk_coverage(error, np.ones(500))
    _, bad = calibration.risk_coverage(error, 1 - good)
    assert area < flat < bad
    assert flat == pytest.approx(error.mean())


def test_reliability_of_a_hand_made_case():
    right, confidence = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.05, 0.09, 0.95, 1.0])
    predicted, observed, counts = calibration.reliability(right, confidence)
    np.testing.assert_allclose(predicted[[0, 9]], [0.07, 0.975])
    assert observed[0] == 0.5 and observed[9] == 1 and np.isnan(observed[5]) and np.isnan(predicted[5])
    assert counts.tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]


def test_reliability_of_honest_confidence_is_the_diagonal(rng):
    confidence = rng.uniform(size=40_000)
    right = (rng.uniform(size=40_000) < confidence).astype(np.float64)
    predicted, observed, _ = calibration.reliability(right, confidence)
    np.testing.assert_allclose(observed, predicted, atol=0.03)


def test_nothing_is_nan():
    risks, area = calibration.risk_coverage(np.zeros(0), np.zeros(0))
    assert np.isnan(risks).all() and np.isnan(area)
