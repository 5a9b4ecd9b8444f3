import numpy as np
import pytest

from eval.metrics import depth_edges


def _distance_oracle(mask):
    points = np.argwhere(mask)
    grid = np.indices(mask.shape).transpose(1, 2, 0)
    return np.sqrt(((grid[:, :, None] - points) ** 2).sum(-1).min(-1))


def test_steps_of_a_hand_made_map():
    radius = np.array([[1, 1, 2, np.nan], [1, 1.4, 2, 5]])
    expected = np.array([[0, 1, 1, 0], [0, 1, 1, 1]], bool)
    np.testing.assert_array_equal(depth_edges.blur_steps(radius), expected)
    assert not depth_edges.blur_steps(np.ones((3, 1))).any()
    np.testing.assert_array_equal(depth_edges.blur_steps(np.array([[1.0], [3.0], [3.0]])), [[1], [1], [0]])


def test_distance_matches_brute_force(rng):
    mask = rng.uniform(size=(9, 14)) < 0.1
    np.testing.assert_allclose(depth_edges.distance_to(mask), _distance_oracle(mask))
    assert np.isinf(depth_edges.distance_to(np.zeros((2, 2), bool))).all()


def test_match_edges_within_a_tolerance():
    truth = np.zeros((20, 20), bool)
    truth[:, 10] = True
    estimate = np.zeros((20, 20), bool)
    estimate[:10, 12] = True  # 10 px near
    estimate[:5, 2] = True  # 5 px far
    precision, recall, f = depth_edges.match_edges(estimate, truth, tolerance=2.0)
    assert precision == pytest.approx(10 / 15)
    assert recall == pytest.approx(10 / 20)  # row 10 is sqrt(5) away from (9, 12)
    assert f == pytest.approx(2 * (10 / 15) * 0.5 / (10 / 15 + 0.5))
    assert depth_edges.match_edges(estimate, truth, tolerance=1.0) == (0.0, 0.0, 0.0)
    assert depth_edges.match_edges(truth, truth) == (1.0, 1.0, 1.0)


def test_match_edges_with_nothing_to_compare():
    nothing, something = np.zeros((4, 4), bool), np.eye(4, dtype=bool)
    precision, recall, f = depth_edges.match_edges(nothing, something)
    assert np.isnan(precision) and recall == 0 and f == 0
    precision, recall, f = depth_edges.match_edges(something, nothing)
    assert precision == 0 and np.isnan(recall) and np.isnan(f)
