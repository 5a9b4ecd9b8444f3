import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from eval.metrics import regression


@pytest.fixture
def case(rng):
    """Estimate and truth with ties."""
    truth = np.round(rng.uniform(0.5, 6, 200) * 4) / 4
    return np.round((0.7 * truth + 0.4 + rng.standard_t(2, 200) * 0.3) * 16) / 16, truth


def test_plain_errors_of_a_hand_made_case():
    estimate, truth = np.array([1.0, 2.0, 5.0]), np.array([1.0, 4.0, 4.0])
    assert regression.mean_absolute_error(estimate, truth) == 1
    assert regression.mean_square_error(estimate, truth) == pytest.approx(5 / 3)


def test_rank_correlation_matches_scipy_with_ties(case):
    assert regression.rank_correlation(*case) == pytest.approx(scipy.stats.spearmanr(*case).statistic)


def test_rank_correlation_of_a_constant_is_unknown():
    constant, truth = np.ones(5), np.arange(5.0)
    assert np.isnan(regression.rank_correlation(constant, truth))
    assert np.isnan(regression.rank_correlation(truth, constant))


def test_affine_invariant_errors_match_linear_programme_and_least_squares(case):
    e, t = case
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
    assert ai2 == pytest.approx(rms)
    assert ai1 == pytest.approx(lp.fun / n, rel=1e-3)
    assert ai1 >= lp.fun / n * (1 - 1e-9)


def test_affine_invariant_errors_ignore_affine_maps_and_handle_constants(case):
    estimate, truth = case
    same = regression.affine_invariant_errors(-3 * estimate + 7, truth)
    np.testing.assert_allclose(same, regression.affine_invariant_errors(estimate, truth), rtol=1e-3)
    np.testing.assert_allclose(regression.affine_invariant_errors(2 * truth + 1, truth), 0, atol=1e-9)
    ai1, ai2 = regression.affine_invariant_errors(np.ones_like(truth), truth)
    assert ai1 == pytest.approx(np.abs(truth - np.median(truth)).mean(), rel=1e-3)
    assert ai2 == pytest.approx(truth.std())


def test_dmenet_protocol_equals_a_hand_calculation():
    # radius 0.6 -> row 0.5 -> sigma 0.3; 1.0 -> 0.65; 6.0 -> 3.275; estimates 0.5, 0.65, 4 (-> 3.275).
    truth = regression.nearest_table_sigma(np.array([0.6, 1.0, 6.0]))
    np.testing.assert_allclose(truth, [0.3, 0.65, 3.275])
    mse, mae = regression.dmenet_errors(np.array([0.5, 0.65, 4.0]), truth)
    assert mae == pytest.approx((0.2 / 3.275) / 3)
    assert mse == pytest.approx((0.2 / 3.275) ** 2 / 3)


def test_nearest_table_sigma_beyond_the_table():
    np.testing.assert_allclose(regression.nearest_table_sigma(np.array([0.0, 9.0])), [0.3, 3.275])


def test_binned_mean_matches_scipy(rng):
    values, by = rng.normal(size=200), rng.uniform(-1, 5, 200)
    edges = (0.0, 1.0, 2.5, 4.0)
    means, counts = regression.binned_mean(values, by, edges=edges)
    np.testing.assert_allclose(
        means, scipy.stats.binned_statistic(by, values, "mean", bins=edges).statistic, rtol=1e-12
    )
    assert counts.tolist() == np.histogram(by, edges)[0].tolist()


def test_nothing_is_nan():
    none = np.zeros(0)
    for value in (
        regression.mean_absolute_error(none, none),
        regression.affine_invariant_errors(none, none),
        regression.rank_correlation(none, none),
        regression.binned_mean(none, none, edges=(0.0, 2.0))[0],
    ):
        assert np.isnan(value).all()
