"""Scikit-learn gives the areas; here they are compared with sums over all thresholds and pairs."""

import numpy as np
import pytest
import sklearn.metrics

from eval.metrics import detection


@pytest.fixture(params=[0, 8], ids=["distinct", "ties"])
def case(request, rng):
    blurred = rng.uniform(size=200) < 0.3
    score = np.clip(rng.normal(0.4 + 0.2 * blurred, 0.2), 0, 1)
    return np.round(score * request.param) / request.param if request.param else score, blurred


def test_average_precision_sums_over_all_thresholds(case):
    score, blurred = case
    expected, before = 0.0, 0.0
    for threshold in sorted(set(score.tolist()), reverse=True):
        detected = score >= threshold
        recall = (detected & blurred).sum() / blurred.sum()
        expected += (recall - before) * (detected & blurred).sum() / detected.sum()
        before = recall
    assert detection.average_precision(*case) == pytest.approx(expected)


def test_roc_area_counts_pairs(case):
    score, blurred = case
    above = np.sign(score[blurred][:, None] - score[~blurred][None])
    assert detection.roc_area(*case) == pytest.approx((above + 1).mean() / 2)


def test_decision_matches_scikit_learn(case):
    score, truth = case
    got = detection.detection_at(*case, 0.45)
    decision = score >= 0.45
    assert got["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(truth, decision))
    assert got["iou"] == pytest.approx(sklearn.metrics.jaccard_score(truth, decision))
    assert got["f"] == pytest.approx(sklearn.metrics.fbeta_score(truth, decision, beta=np.sqrt(0.3)))
    assert got["precision"] == pytest.approx(sklearn.metrics.precision_score(truth, decision))
    assert got["recall"] == pytest.approx(sklearn.metrics.recall_score(truth, decision))


def test_curve_matches_one_decision_per_threshold(case):
    precision, recall = detection.precision_recall_curve(*case)
    for level in (0, 1, 100, 101, 180, 255):
        one = detection.detection_at(
            np.floor(case[0] * 255), case[1], float(level)
        )  # score >= level / 255, on 8 bits
        assert precision[level] == pytest.approx(one["precision"])
        assert recall[level] == pytest.approx(one["recall"])
    assert (np.diff(recall) <= 0).all()


def test_perfect_and_reversed_scores():
    blurred, score = np.array([True, False, True, False]), np.array([0.9, 0.1, 0.8, 0.2])
    assert detection.average_precision(score, blurred) == pytest.approx(1)
    assert detection.roc_area(score, blurred) == pytest.approx(1)
    assert detection.roc_area(1 - score, blurred) == pytest.approx(0)


def test_thresholds():
    score = np.array([0.1, 0.2, 0.6])
    assert detection.adaptive_threshold(score) == pytest.approx(0.6)  # twice the mean
    assert detection.adaptive_threshold(np.full(4, 0.7)) == pytest.approx(0.7)  # never above all
    assert detection.relative_threshold(score) == pytest.approx(0.3 * 0.6 + 0.7 * 0.1)


def test_without_a_blurred_pixel_there_is_nothing_to_judge():
    score, nothing = np.array([0.1, 0.9]), np.zeros(2, bool)
    assert np.isnan(detection.average_precision(score, nothing))
    assert np.isnan(detection.roc_area(score, nothing)) and np.isnan(detection.roc_area(score, ~nothing))
    assert np.isnan(detection.precision_recall_curve(score, nothing)[1]).all()
    got = detection.detection_at(score, nothing, 0.5)
    assert np.isnan(got["recall"]) and np.isnan(got["f"]) and got["accuracy"] == 0.5
    assert np.isnan(detection.detection_at(score, nothing, 2.0)["iou"])


def test_f_measure_of_nothing():
    f = detection.f_measure(np.array([0.0, 1.0, 0.5, 1.0]), np.array([0.0, 1.0, 0.0, np.nan]))
    np.testing.assert_array_equal(f, [0, 1, 0, np.nan])
