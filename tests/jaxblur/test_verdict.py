"""`jaxblur.sharpness`: verdicts from readings, of photos and of regions."""

import math

import numpy as np
import pytest

import jaxblur
from jaxblur import verdict
from jaxblur.result import BlurEstimate

SHAPE = (256, 512)


def result_of(radius, weight=None):
    """A result with these readings, which lie everywhere unless weights say otherwise; the map is of no use."""
    weight = np.ones(radius.shape, np.float32) if weight is None else weight
    read = np.where(weight > 0, radius, np.nan).astype(np.float32)
    other = np.full(radius.shape, np.float32(np.nan))
    none = np.zeros(radius.shape, bool)
    return BlurEstimate(other, other, none, none, other, read, weight.astype(np.float32))


def two_halves(left, right):
    radius = np.full(SHAPE, float(right))
    radius[:, : SHAPE[1] // 2] = left
    return radius


def test_a_sharp_subject_before_a_soft_background_is_sharp():
    radius = np.full(SHAPE, 6.0)
    radius[40:200, 96:296] = 0.3  # a quarter of the photo
    answer = jaxblur.sharpness(result_of(radius))
    assert answer.verdict == "sharp" and answer.sharpest <= 0.6 and answer.median == 6.0
    assert 0.15 < answer.fraction_in_focus < 0.25 and answer.spread > 5
    assert jaxblur.sharpness(result_of(np.full(SHAPE, 0.9))).verdict == "soft"


def test_texture_counts_by_places_and_plain_parts_do_not(rng):
    """A soft background full of texture beside a sharp part with little of it, and a sky without any."""
    radius = two_halves(0.4, 5.0)
    weight = np.zeros(SHAPE)
    weight[128:, 256:] = 1
    weight[128:, :256] = (np.arange(128)[:, None] % 8 == 0) & np.ones(256, bool)
    answer = jaxblur.sharpness(result_of(radius, weight))
    side = verdict.place_side(256 * 512)
    assert answer.places == pytest.approx(128 * 512 / side**2, rel=0.2)  # half of the photo is plain
    assert answer.verdict == "sharp" and answer.fraction_in_focus == pytest.approx(0.5, abs=0.07)


def test_readings_count_by_their_weight_within_a_place():
    radius, weight = np.full(SHAPE, 0.25), np.full(SHAPE, 1000.0)  # a sharp reading counts once
    radius[:, ::4], weight[:, ::4] = 4.5, 1.0
    assert jaxblur.sharpness(result_of(radius, weight)).sharpest == 4.5  # the blurrier edges of every place
    weight[:, ::4] = 0.1  # which are not sure
    answer = jaxblur.sharpness(result_of(radius, weight))
    assert answer.sharpest == answer.median == 0.25 and answer.spread == 0


def test_little_texture_is_unknown(rng):
    weight = np.zeros(SHAPE)
    answer = jaxblur.sharpness(result_of(np.full(SHAPE, 0.3), weight))
    assert answer.verdict == "unknown" and answer.places == 0
    assert all(math.isnan(value) for value in answer[1:5])
    weight[rng.integers(0, 256, 300), rng.integers(0, 512, 300)] = 1  # noise here and there
    assert jaxblur.sharpness(result_of(np.full(SHAPE, 0.3), weight)).verdict == "unknown"


def test_a_large_photo_is_judged_at_the_size_it_is_looked_at():
    radius = np.full(SHAPE, 0.9)
    assert jaxblur.sharpness(result_of(radius)).verdict == "soft"
    answer = jaxblur.sharpness(result_of(radius), view=256)  # half its longer side
    assert answer.verdict == "sharp" and answer.sharpest == pytest.approx(0.9)
    assert answer.fraction_in_focus == 1.0
    assert (answer.limit, answer.limit_fraction) == (pytest.approx(1.2), pytest.approx(1.2 / 512))
    same = jaxblur.sharpness(result_of(radius), view=5000)  # no photo is enlarged
    assert same == jaxblur.sharpness(result_of(radius)) and same.limit == 0.6


def test_regions_of_all_kinds_agree(rng):
    radius = two_halves(0.4, 5.0) + 0.1 * rng.random(SHAPE)
    result = result_of(radius, (rng.random(SHAPE) < 0.3).astype(float))
    box = [256, 64, 128, 96]
    mask = np.zeros(SHAPE, bool)
    mask[64:160, 256:384] = True
    alone = jaxblur.sharpness(result, box)
    assert alone.verdict == "soft" and alone.places == 8 * 6
    assert jaxblur.sharpness(result, mask) == alone
    assert jaxblur.sharpness(result, [box, [0, 0, 100, 100]])[0] == alone
    labels = np.where(mask, 7, 0)
    labels[:100, :100] = 2
    by_label = jaxblur.sharpness(result, labels)
    assert set(by_label) == {2, 7} and by_label[7] == alone and by_label[2].verdict == "sharp"
    assert jaxblur.sharpness(result, np.array([box, [0, 0, 100, 100]]))[1] == by_label[2]
    assert jaxblur.sharpness(result, [-50, -50, 150, 150]) == by_label[2]  # cut to the photo
    assert jaxblur.sharpness(result, np.zeros(SHAPE, np.uint8)) == {}
    assert jaxblur.sharpness(result, np.empty((0, 4))) == []


@pytest.mark.parametrize("count", [1, 5, 40])
def test_percentiles_of_places_that_stand_for_several(rng, count):
    values, weights = rng.random(count), rng.integers(1, 4, count)
    got = verdict._percentiles(values, weights.astype(float), (10, 50, 90))
    wanted = np.percentile(np.repeat(values, weights), (10, 50, 90), method="hazen")
    assert got == sorted(got) and values.min() <= got[0] and got[-1] <= values.max()
    np.testing.assert_allclose(got, wanted, atol=0.5 / max(count, 2))
    same = verdict._percentiles(values, np.ones(count), (10, 50, 90))
    np.testing.assert_allclose(same, np.percentile(values, (10, 50, 90), method="hazen"))


@pytest.mark.parametrize(
    ("region", "error", "message"),
    [
        (np.zeros((4, 5), bool), ValueError, "a mask must have the photo's height and width"),
        (np.zeros((4, 5), int), ValueError, "a label map must have the photo's height and width"),
        (np.zeros(SHAPE), TypeError, "labels must be integers"),
        ([1, 2, 3], ValueError, "a label map must have"),
        ([0, 0, 0, 5], ValueError, r"a box must be .* got \[0.0, 0.0, 0.0, 5.0\]"),
        ([600, 0, 5, 5], ValueError, "inside the photo of 512x256 px"),
        ([0, 0, math.nan, 5], ValueError, "a box must be"),
    ],
)
def test_wrong_regions_are_told(region, error, message):
    with pytest.raises(error, match=message):
        jaxblur.sharpness(result_of(np.ones(SHAPE)), region)


@pytest.mark.parametrize("view", [0, -1, math.inf, math.nan, "2000"])
@pytest.mark.usefixtures("unchecked")
def test_wrong_views_are_told(view):
    with pytest.raises(ValueError, match="view must be a longer side in px"):
        jaxblur.sharpness(result_of(np.ones(SHAPE)), view=view)


def test_a_result_without_readings_is_told():
    result = result_of(np.ones(SHAPE))._replace(read_radius=None)
    with pytest.raises(ValueError, match="result must hold read_radius and read_weight"):
        jaxblur.sharpness(result)


def test_a_label_map_of_four_columns_is_no_list_of_boxes():
    answer = jaxblur.sharpness(result_of(np.ones((3, 4))), np.ones((3, 4), int))
    assert set(answer) == {1}


def test_columns_are_plain():
    answer = verdict.judge(np.array([0.123456] * 8), longer_side=4000, view=2000)
    columns = verdict.as_columns(answer)
    assert (
        columns["sharpest"] == 0.1235
        and columns["limit_fraction"] == 0.0003
        and columns["verdict"] == "sharp"
    )
    assert verdict.as_columns(verdict.judge(np.zeros(0), longer_side=10, view=10))["median"] is None
