import jax
import jax.numpy as jnp
import numpy as np
import pytest

from eval.metrics import calibration


def _risk_oracle(error, confidence):
    """Risk at every coverage; ties averaged over many random orders by giving each tied pixel the tie's
    mean."""
    error = error.astype(np.float64).copy()
    for value in np.unique(confidence):
        error[confidence == value] = error[confidence == value].mean()
    ordered = error[np.argsort(-confidence, kind="stable")]
    return np.cumsum(ordered) / np.arange(1, len(ordered) + 1)


@pytest.mark.parametrize("n", [1, 7, 200])
def test_risk_coverage_matches_a_loop(rng, n):
    error, confidence = rng.exponential(size=n), np.round(rng.uniform(size=n), 1)
    padded_error = np.concatenate([error, np.full(20, 1e9)]).astype(np.float32)
    padded_confidence = np.concatenate([confidence, np.ones(20)]).astype(np.float32)
    valid = np.arange(n + 20) < n
    for function in (calibration.risk_coverage, jax.jit(calibration.risk_coverage)):
        risks, area = function(jnp.array(padded_error), jnp.array(padded_confidence), jnp.array(valid))
        expected = _risk_oracle(error, confidence)
        picks = [expected[int(np.ceil(n * k / 20 - 1e-9)) - 1] for k in range(1, 21)]
        np.testing.assert_allclose(risks, picks, rtol=1e-4)
        assert float(area) == pytest.approx(expected.mean(), rel=1e-4)


def test_full_coverage_is_the_mean_error_and_good_confidence_pays(rng):
    error = jnp.array(rng.exponential(size=500), jnp.float32)
    everything = jnp.ones(500, bool)
    good = 1 / (1 + error)
    risks, area = calibration.risk_coverage(error, good, everything)
    assert float(risks[-1]) == pytest.approx(float(error.mean()), rel=1e-5)
    assert bool(jnp.all(jnp.diff(risks) > 0))
    _, flat = calibration.risk_coverage(error, jnp.ones(500), everything)
    _, bad = calibration.risk_coverage(error, 1 - good, everything)
    assert area < flat < bad
    assert float(flat) == pytest.approx(float(error.mean()), rel=1e-5)


def test_reliability_of_a_hand_made_case():
    right = jnp.array([1.0, 0.0, 1.0, 1.0, 1.0])
    confidence = jnp.array([0.05, 0.09, 0.95, 1.0, 0.5])
    valid = jnp.array([True, True, True, True, False])
    predicted, observed, counts = calibration.reliability(right, confidence, valid)
    np.testing.assert_allclose(predicted[jnp.array([0, 9])], [0.07, 0.975], rtol=1e-6)
    assert observed[0] == 0.5 and observed[9] == 1 and np.isnan(observed[5]) and np.isnan(predicted[5])
    assert counts.tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]


def test_reliability_of_honest_confidence_is_the_diagonal(rng):
    confidence = rng.uniform(size=40_000)
    right = (rng.uniform(size=40_000) < confidence).astype(np.float64)
    predicted, observed, _ = calibration.reliability(
        jnp.asarray(right), jnp.asarray(confidence), jnp.ones(40_000, bool)
    )
    np.testing.assert_allclose(observed, predicted, atol=0.03)


def test_nothing_valid_is_nan():
    risks, area = calibration.risk_coverage(jnp.ones(4), jnp.ones(4), jnp.zeros(4, bool))
    assert np.isnan(risks).all() and np.isnan(area)
