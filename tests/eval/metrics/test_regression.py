import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from eval.metrics import regression


def _case(rng, n=300):
    """Float32 estimate and truth with ties, and a mask; what is masked out is absurd, so that a leak
    shows."""
    truth = np.round(rng.uniform(0.5, 6, n) * 4) / 4
    estimate = np.round((0.7 * truth + 0.4 + rng.standard_t(2, n) * 0.3) * 16) / 16
    valid = rng.uniform(size=n) < 0.7
    estimate[~valid], truth[~valid] = 1e6, -1e6
    return jnp.array(estimate, jnp.float32), jnp.array(truth, jnp.float32), jnp.array(valid)


def _kept(estimate, truth, valid):
    keep = np.array(valid)
    return np.array(estimate, np.float64)[keep], np.array(truth, np.float64)[keep]


def test_plain_errors_match_numpy(rng):
    case = _case(rng)
    e, t = _kept(*case)
    assert float(regression.mean_absolute_error(*case)) == pytest.approx(np.abs(e - t).mean(), rel=1e-5)
    assert float(regression.mean_square_error(*case)) == pytest.approx(((e - t) ** 2).mean(), rel=1e-5)


def test_rank_correlation_matches_scipy_with_ties(rng):
    case = _case(rng)
    expected = scipy.stats.spearmanr(*_kept(*case)).statistic
    assert float(regression.rank_correlation(*case)) == pytest.approx(expected, abs=2e-6)


def test_rank_correlation_of_a_constant_is_unknown():
    constant, truth = jnp.ones(5), jnp.arange(5.0)
    assert np.isnan(regression.rank_correlation(constant, truth, jnp.ones(5, bool)))


def test_affine_invariant_errors_match_linear_programme_and_least_squares(rng):
    case = _case(rng)
    e, t = _kept(*case)
    n = len(e)
    # min sum(u) with -u <= t - a e - b <= u
    matrix = np.stack([e, np.ones(n)], 1)
    lp = scipy.optimize.linprog(
        np.r_[0, 0, np.ones(n)],
        A_ub=np.block([[-matrix, -np.eye(n)], [matrix, -np.eye(n)]]),
        b_ub=np.r_[-t, t],
        bounds=[(None, None)] * 2 + [(0, None)] * n,
    )
    rms = np.sqrt(np.mean((t - matrix @ np.linalg.lstsq(matrix, t)[0]) ** 2))
    ai1, ai2 = regression.affine_invariant_errors(*case)
    assert float(ai2) == pytest.approx(rms, rel=1e-5)
    assert float(ai1) == pytest.approx(lp.fun / n, rel=1e-3)
    assert float(ai1) >= lp.fun / n * (1 - 1e-5)


def test_affine_invariant_errors_ignore_affine_maps_and_handle_constants(rng):
    estimate, truth, valid = _case(rng)
    same = regression.affine_invariant_errors(-3 * estimate + 7, truth, valid)
    np.testing.assert_allclose(same, regression.affine_invariant_errors(estimate, truth, valid), rtol=1e-3)
    np.testing.assert_allclose(regression.affine_invariant_errors(2 * truth + 1, truth, valid), 0, atol=1e-5)
    kept = np.array(truth, np.float64)[np.array(valid)]
    ai1, ai2 = regression.affine_invariant_errors(jnp.ones_like(truth), truth, valid)
    assert float(ai1) == pytest.approx(np.abs(kept - np.median(kept)).mean(), rel=1e-3)
    assert float(ai2) == pytest.approx(kept.std(), rel=1e-4)


def test_dmenet_protocol_equals_a_hand_calculation():
    # radius 0.6 -> row 0.5 -> sigma 0.3; 1.0 -> 0.65; 6.0 -> 3.275; estimates 0.5, 0.65, 4 (-> 3.275).
    truth = regression.nearest_table_sigma(jnp.array([0.6, 1.0, 6.0, 3.0]))
    np.testing.assert_allclose(truth, [0.3, 0.65, 3.275, 1.65], rtol=1e-6)
    valid = jnp.array([True, True, True, False])
    mse, mae = regression.dmenet_errors(jnp.array([0.5, 0.65, 4.0, 9.0]), truth, valid)
    assert float(mae) == pytest.approx((0.2 / 3.275) / 3, rel=1e-5)
    assert float(mse) == pytest.approx((0.2 / 3.275) ** 2 / 3, rel=1e-5)


def test_nearest_table_sigma_beyond_the_table():
    np.testing.assert_allclose(regression.nearest_table_sigma(jnp.array([0.0, 9.0])), [0.3, 3.275], rtol=1e-6)


def test_binned_mean_matches_scipy(rng):
    values, by = rng.normal(size=200), rng.uniform(-1, 5, 200)
    valid = rng.uniform(size=200) < 0.8
    edges = (0.0, 1.0, 2.5, 4.0)
    means, counts = regression.binned_mean(
        jnp.array(values, jnp.float32), jnp.array(by, jnp.float32), jnp.array(valid), edges=edges
    )
    expected = scipy.stats.binned_statistic(by[valid], values[valid], "mean", bins=edges).statistic
    np.testing.assert_allclose(means, expected, rtol=1e-4)
    assert counts.tolist() == np.histogram(by[valid], edges)[0].tolist()


def test_nothing_valid_is_nan_and_empty_bins_are_nan():
    one, none = jnp.ones(3), jnp.zeros(3, bool)
    for value in jax.tree.leaves(
        [
            regression.mean_absolute_error(one, one, none),
            regression.affine_invariant_errors(one, one, none),
            regression.rank_correlation(one, one, none),
            regression.binned_mean(one, one, none, edges=(0, 2))[0],
        ]
    ):
        assert np.isnan(value).all()


def test_jit_and_padding_change_nothing(rng):
    estimate, truth, valid = _case(rng)
    padded = [jnp.pad(a, (0, 100)) for a in (estimate, truth, valid)]
    for function in (
        regression.mean_absolute_error,
        regression.mean_square_error,
        regression.rank_correlation,
        regression.affine_invariant_errors,
    ):
        eager = function(estimate, truth, valid)
        for other in (jax.jit(function)(estimate, truth, valid), jax.jit(function)(*padded)):
            np.testing.assert_allclose(other, eager, rtol=1e-4)
