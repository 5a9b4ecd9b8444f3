import cv2
import numpy as np
import pytest

from train.data import crops


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((100, 200, 3), (20, 50)),
        ((30, 200, 3), (20, 30)),  # the photo is the limit
        ((20, 20, 3), (20, 20)),
        ((19, 200, 3), None),
        ((600, 800, 3), (40, 100)),  # twice the longest side: all sides double
    ],
)
def test_side_range(shape, expected):
    assert crops.side_range(shape, 20, (0.4, 1.0), 400) == expected


def test_sides_cover_the_range_but_no_slight_reduction(rng):
    sides = [crops.random_side(rng, (20, 50), 20) for _ in range(2000)]
    assert (min(sides), max(sides)) == (20, 50)
    assert not any(20 < side < 20 / 0.7 for side in sides)
    assert np.mean(np.array(sides) == 20) == pytest.approx(0.5, abs=0.05)


def test_one_side_is_possible(rng):
    assert {crops.random_side(rng, (20, 20), 20) for _ in range(50)} == {20}


def test_regions_reach_all_borders_and_stay_inside(rng):
    regions = [crops.random_region(rng, (12, 15, 3), 10) for _ in range(300)]
    assert {region.top for region in regions} == set(range(3))
    assert {region.left for region in regions} == set(range(6))


def test_cut_is_the_area_average(rng):
    image = rng.integers(0, 256, size=(40, 50, 3), dtype=np.uint8)
    crop = crops.cut(image, crops.Region(3, 7, 30), 10)
    expected = image[3:33, 7:37].reshape(10, 3, 10, 3, 3).mean(axis=(1, 3))
    assert np.abs(crop - expected).max() <= 0.5
    np.testing.assert_array_equal(crops.cut(image, crops.Region(3, 7, 30), 30), image[3:33, 7:37])


def test_turns_are_the_eight_symmetries_and_the_same_for_all(rng):
    image = np.arange(9, dtype=np.uint8).reshape(3, 3)
    seen = set()
    for _ in range(200):
        first, second = crops.random_turn(rng, image, np.repeat(image[..., None], 3, axis=-1))
        np.testing.assert_array_equal(first, second[..., 1])
        seen.add(first.tobytes())
    assert len(seen) == 8


def test_recolour_is_a_mild_curve_of_gamma_encoded_values(rng):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=-1)
    for _ in range(50):
        changed = crops.recolour(rng, ramp, probability=1.0, grey_probability=0.0).astype(int)
        assert (np.diff(changed, axis=1) >= 0).all()
        assert np.abs(changed - ramp).max() < 110
    assert crops.recolour(rng, ramp, probability=0.0, grey_probability=0.0) is ramp


def test_grey_has_equal_channels_and_keeps_luma(rng):
    image = rng.integers(0, 256, size=(5, 6, 3), dtype=np.uint8)
    grey = crops.recolour(rng, image, probability=0.0, grey_probability=1.0)
    np.testing.assert_array_equal(
        grey, np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)
    )
