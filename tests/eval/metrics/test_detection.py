import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from eval.metrics import detection


@pytest.fixture(params=[0, 8], ids=["distinct", "ties"])
def case(request, rng):
    blurred = rng.uniform(size=400) < 0.3
    score = np.clip(rng.normal(0.4 + 0.2 * blurred, 0.2), 0, 1)
    if request.param:
        score = np.round(score * request.param) / request.param
    valid = rng.uniform(size=400) < 0.8
    score[~valid] = 0.99
    return jnp.array(score, jnp.float32), jnp.array(blurred), jnp.array(valid)


def _kept(score, blurred, valid):
    keep = np.array(valid)
    return np.array(blurred)[keep], np.array(score)[keep]


def test_areas_match_scikit_learn(case):
    expected = sklearn.metrics.average_precision_score(*_kept(*case))
    assert float(detection.average_precision(*case)) == pytest.approx(expected, rel=1e-5)
    expected = sklearn.metrics.roc_auc_score(*_kept(*case))
    assert float(detection.roc_area(*case)) == pytest.approx(expected, rel=1e-5)


def test_decision_matches_scikit_learn(case):
    truth, score = _kept(*case)
    got = detection.detection_at(*case, jnp.float32(0.45))
    decision = score >= 0.45
    assert float(got["accuracy"]) == pytest.approx(sklearn.metrics.accuracy_score(truth, decision), rel=1e-5)
    assert float(got["iou"]) == pytest.approx(sklearn.metrics.jaccard_score(truth, decision), rel=1e-5)
    f = sklearn.metrics.fbeta_score(truth, decision, beta=np.sqrt(0.3))
    assert float(got["f"]) == pytest.approx(f, rel=1e-5)
    assert float(got["precision"]) == pytest.approx(
        sklearn.metrics.precision_score(truth, decision), rel=1e-5
    )
    assert float(got["recall"]) == pytest.approx(sklearn.metrics.recall_score(truth, decision), rel=1e-5)


def test_curve_matches_one_decision_per_threshold(case):
    precision, recall = detection.precision_recall_curve(*case)
    for level in (0, 1, 100, 101, 180, 255):
        # score >= level / 255, on the 8-bit grid
        one = detection.detection_at(jnp.floor(case[0] * 255), case[1], case[2], jnp.float32(level))
        assert float(precision[level]) == pytest.approx(float(one["precision"]), rel=1e-5)
        assert float(recall[level]) == pytest.approx(float(one["recall"]), rel=1e-5)
    assert bool(jnp.all(jnp.diff(recall) <= 0))


def test_perfect_and_reversed_scores():
    blurred, valid = jnp.array([True, False, True, False]), jnp.ones(4, bool)
    score = jnp.array([0.9, 0.1, 0.8, 0.2])
    assert float(detection.average_precision(score, blurred, valid)) == pytest.approx(1)
    assert float(detection.roc_area(score, blurred, valid)) == pytest.approx(1)
    assert float(detection.roc_area(1 - score, blurred, valid)) == pytest.approx(0)


def test_thresholds():
    score, valid = jnp.array([0.1, 0.2, 0.6, 9.0]), jnp.array([True, True, True, False])
    assert float(detection.adaptive_threshold(score, valid)) == pytest.approx(0.6)  # twice the mean, 0.3
    assert float(detection.adaptive_threshold(jnp.full(4, 0.7), valid)) == pytest.approx(
        0.7
    )  # never above all
    assert float(detection.relative_threshold(score, valid)) == pytest.approx(0.3 * 0.6 + 0.7 * 0.1)


def test_without_a_blurred_pixel_there_is_nothing_to_judge():
    score, nothing, valid = jnp.array([0.1, 0.9]), jnp.zeros(2, bool), jnp.ones(2, bool)
    assert np.isnan(detection.average_precision(score, nothing, valid))
    assert np.isnan(detection.roc_area(score, nothing, valid))
    got = detection.detection_at(score, nothing, valid, jnp.float32(0.5))
    assert np.isnan(got["recall"]) and np.isnan(got["f"]) and float(got["accuracy"]) == 0.5


def test_jit_and_padding_change_nothing(case):
    padded = [jnp.pad(a, (0, 50)) for a in case]
    for function in (detection.average_precision, detection.roc_area, detection.precision_recall_curve):
        eager = function(*case)
        for other in (jax.jit(function)(*case), jax.jit(function)(*padded)):
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), other, eager)
