import dataclasses

import numpy as np
import pytest

from eval import scoring
from eval.datasets import Dataset, Sample
from eval.methods import Prediction
from jaxblur.units import radius_to_sigma


def _dataset(unit, protocol=""):
    return Dataset(
        name="d", unit=unit, version="1", names=["a"], read=lambda _: None, about={}, protocol=protocol  # pyright: ignore
    )  # fmt: skip


def _sample(truth, scale=1.0):
    truth = np.asarray(truth, np.float32)
    image = np.linspace(0, 255, truth.size * 3).reshape(*truth.shape, 3).astype(np.uint8)
    return Sample(name="a", image=image, truth=truth, scale=scale)


def test_errors_in_both_units_and_in_px_of_the_original():
    truth = np.array([[1.0, 2.0], [3.0, np.nan]])
    estimate = np.array([[1.5, 2.0], [2.0, 99.0]], np.float32)
    scores, curves = scoring.score(
        _dataset("radius"), _sample(truth, scale=3.0), "radius", Prediction(estimate)
    )
    assert scores["radius_mae"] == pytest.approx(3 * (0.5 + 0 + 1) / 3)
    assert scores["radius_mse"] == pytest.approx(9 * (0.25 + 0 + 1) / 3)
    assert scores["radius_rmse"] == pytest.approx(scores["radius_mse"] ** 0.5)
    sigma = [float(radius_to_sigma(np.float32(r))) for r in (1.5, 2.0, 2.0, 1.0, 2.0, 3.0)]
    assert scores["sigma_mae"] == pytest.approx(np.abs(np.subtract(sigma[:3], sigma[3:])).sum(), rel=1e-5)
    assert curves["by_radius"][1:4] == pytest.approx([1.5, 0.0, 3.0], nan_ok=True)
    assert curves["by_radius_count"][1:4] == [1, 1, 1]
    assert "dmenet_mae" not in scores


def test_a_perfect_estimate_in_any_unit_has_no_error(rng):
    radius = rng.uniform(0.5, 6, (30, 40)).astype(np.float32)
    sigma = np.asarray(radius_to_sigma(radius))
    for unit, truth in (("radius", radius), ("sigma", sigma)):
        for own, estimate in (("radius", radius), ("sigma", sigma)):
            scores, _ = scoring.score(_dataset(unit), _sample(truth), own, Prediction(estimate))  # pyright: ignore
            assert scores["radius_mae"] < 1e-5 and scores["sigma_mae"] < 1e-5
            assert scores["radius_spearman"] == pytest.approx(1)


def test_dmenet_protocol_applies_to_its_set():
    scores, _ = scoring.score(
        _dataset("radius", "dmenet"),
        _sample([[0.5, 6.0]]),
        "sigma",
        Prediction(np.array([[0.5, 9.0]], np.float32)),
    )
    assert scores["dmenet_mae"] == pytest.approx(0.2 / 3.275 / 2)
    assert scores["dmenet_mse"] == pytest.approx((0.2 / 3.275) ** 2 / 2)


def test_steps_of_blur_and_depth_edges():
    truth = np.ones((20, 30))
    truth[:, 15:] = 4
    found = np.zeros((20, 30), bool)
    found[:, 14] = True
    estimate = np.where(np.arange(30) < 15, 1.0, 3.5).astype(np.float32)[None].repeat(20, 0)
    confidence = np.where(truth == 1, 0.95, 0.15).astype(np.float32)
    prediction = Prediction(estimate, confidence, found)
    scores, curves = scoring.score(_dataset("radius"), _sample(truth), "radius", prediction)
    assert scores["depth_f"] == scores["depth_recall"] == scores["depth_precision"] == 1
    assert curves["by_distance"][0] == pytest.approx(0.25) and sum(curves["by_distance_count"]) == 600
    assert curves["predicted"][1] == pytest.approx(0.15) and curves["predicted"][9] == pytest.approx(0.95)
    assert curves["observed"][1] == curves["observed"][9] == 1  # 3.5 is within a quarter of 4
    assert curves["observed_count"] == curves["predicted_count"] == [0, 300, 0, 0, 0, 0, 0, 0, 0, 300]
    assert scores["right"] == 1
    wrong = Prediction(np.full((20, 30), 1.51, np.float32), confidence)
    scores, curves = scoring.score(_dataset("radius"), _sample(truth), "radius", wrong)
    assert scores["right"] == curves["observed"][1] == curves["observed"][9] == 0
    scores, curves = scoring.score(_dataset("radius"), _sample(truth), "radius", prediction)
    assert curves["risk"][0] == 0 and curves["risk"][-1] == pytest.approx(0.25)
    truth[0, 0] = np.nan  # an unknown pixel may hide a step
    scores, curves = scoring.score(_dataset("radius"), _sample(truth), "radius", prediction)
    assert "depth_f" not in scores and "by_distance" not in curves


def test_error_of_what_the_networks_can_read_alone():
    truth = np.array([[1.0, 6.0, 6.5, 20.0]])
    estimate = Prediction(np.array([[2.0, 4.0, 0.5, 0.5]], np.float32))
    scores, curves = scoring.score(_dataset("radius"), _sample(truth), "radius", estimate)
    assert scores["low_mae"] == pytest.approx(1.5)
    assert curves["by_radius_count"] == [0, 1, 0, 0, 0, 0, 2, 0, 0, 1, 0]
    scores, _ = scoring.score(_dataset("radius"), _sample(truth + 6), "radius", estimate)
    assert np.isnan(scores["low_mae"])


def test_a_score_without_unit_is_only_ranked(rng):
    truth = rng.uniform(0.5, 6, (20, 20))
    prediction = Prediction((truth / 10).astype(np.float32))
    scores, curves = scoring.score(_dataset("sigma"), _sample(truth, scale=2.0), "score", prediction)
    ranks = {"sigma_ai1", "sigma_ai2", "sigma_spearman", "sigma_rank_error"}
    assert set(scores) == {*ranks, "roc_area"} and curves == {}
    assert scores["sigma_ai1"] < 1e-5 and scores["sigma_rank_error"] < 1e-6
    assert scores["roc_area"] == 1


def test_detection_where_the_truth_is_a_radius():
    """In focus is what has a radius of 1 px at most."""
    truth = np.array([[0.5, 1.0, 1.1, 4.0]])
    estimate = Prediction(np.array([[1.0, 2.0, 1.5, 3.0]], np.float32))  # one pair of four is wrong
    scores, _ = scoring.score(_dataset("radius"), _sample(truth), "radius", estimate)
    assert scores["roc_area"] == pytest.approx(3 / 4)


def test_detection_from_a_radius():
    truth = np.array([[0.0, 0.0, 1.0, 1.0]])
    radius = np.array([[0.5, 1.0, 3.25, 6.0]], np.float32)
    scores, curves = scoring.score(_dataset("mask"), _sample(truth), "radius", Prediction(radius))
    assert scores["average_precision"] == scores["roc_area"] == 1
    assert scores["score_mae"] == pytest.approx((0.5 / 5.5 + 0.5) / 4)
    assert scores["accuracy"] == scores["iou"] == 1  # threshold 0.3
    assert len(curves["precision"]) == len(curves["recall"]) == 256


def test_blur_score_ends_at_the_ends_of_the_scale():
    np.testing.assert_allclose(
        scoring.blur_score(np.array([0.0, 0.5, 3.25, 6.0, 60.0]), "radius"), [0, 0, 0.5, 1, 1]
    )


def test_answers_below_the_floor_of_a_set_count_as_its_lowest_level():
    truth = np.array([[0.5, 0.5, 1.0, 2.0]])
    dataset = dataclasses.replace(_dataset("radius", "dmenet"), floor=0.5)
    estimate = np.array([[0.1, 0.7, 0.2, 2.5]], np.float32)
    scores, _ = scoring.score(dataset, _sample(truth), "radius", Prediction(estimate))
    assert scores["radius_mae"] == pytest.approx((0 + 0.2 + 0.5 + 0.5) / 4)
    assert scores["mae_without_floor"] == pytest.approx((0.4 + 0.2 + 0.8 + 0.5) / 4)
    in_sigma = np.asarray(radius_to_sigma(estimate))
    other, _ = scoring.score(dataset, _sample(truth), "sigma", Prediction(in_sigma))
    for name in ("radius_mae", "mae_without_floor", "sigma_mae", "radius_spearman"):
        assert other[name] == pytest.approx(scores[name], abs=1e-6)
    # DMENet's protocol is as its authors have it: a sigma of 0.06 stays one
    plain, _ = scoring.score(_dataset("radius", "dmenet"), _sample(truth), "sigma", Prediction(in_sigma))
    assert other["dmenet_mae"] == plain["dmenet_mae"] > 0
    assert (
        plain["radius_mae"] == pytest.approx(scores["mae_without_floor"]) and "mae_without_floor" not in plain
    )
    half, _ = scoring.score(dataset, _sample(truth / 2, scale=2.0), "radius", Prediction(estimate / 2))
    assert half["radius_mae"] == pytest.approx(scores["radius_mae"])


@pytest.mark.parametrize("unit", ["radius", "sigma", "score"])
def test_a_set_without_a_sure_scale_is_judged_up_to_an_affine_map(unit, rng):
    truth = rng.uniform(0.5, 6, (20, 30))
    estimate = (0.05 * truth + 0.1).astype(np.float32)
    if unit == "sigma":
        estimate = np.asarray(radius_to_sigma(estimate))
    scores, curves = scoring.score(_dataset("radius", "affine"), _sample(truth), unit, Prediction(estimate))
    assert (
        set(scores) == {"radius_ai1", "radius_ai2", "radius_spearman", "radius_rank_error"} and curves == {}
    )
    assert scores["radius_ai1"] < 1e-5 and scores["radius_spearman"] == pytest.approx(1)


def test_a_frame_of_a_stack_gives_blur_and_distance_of_its_places():
    truth = np.full((64, 96), np.nan)
    truth[:32, :32], truth[32:, 64:] = 2, 0
    estimate = np.kron([[1, 2, 3], [4, 5, 6]], np.ones((32, 32))).astype(np.float32)
    scores, curves = scoring.score(_dataset("frames"), _sample(truth), "radius", Prediction(estimate))
    assert scores == {} and curves["blur_by_place"] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(curves["frames_by_place"], [2, np.nan, np.nan, np.nan, np.nan, 0])
