"""Where the fast pass asks the networks."""

import cv2
import numpy as np
import pytest

from jaxblur.rank import points
from jaxblur.rank.points import choose_points
from tests.jaxblur.tiny import photo_like


def step(height, width, *, at, blur=0.0):
    """A vertical step of grey, blurred by so many px."""
    photo = np.full((height, width, 3), 60, np.uint8)
    photo[:, at:] = 180
    return cv2.GaussianBlur(photo, (0, 0), blur) if blur else photo


def test_points_lie_on_the_edge():
    chosen = choose_points(step(256, 256, at=100), budget=64)
    assert set(chosen.columns.tolist()) <= {99, 100} and (chosen.factor == 1).all()
    assert sorted(set((chosen.rows // 16).tolist())) == list(range(16))  # one in every place
    assert (chosen.count == 1).all() and sorted(chosen.place.tolist()) == list(range(16))


def stripes(side, *, degrees, period=12.0):
    """A wave of grey whose gradient has this direction, from the columns on."""
    rows, columns = np.indices((side, side))
    along = columns * np.cos(np.radians(degrees)) + rows * np.sin(np.radians(degrees))
    wave = 120 + 60 * np.sin(along * (2 * np.pi / period))
    return wave.astype(np.uint8)[..., None].repeat(3, -1)


def quarters(*degrees, side=256):
    """A photo of places of 16 px that each hold parts of four waves."""
    waves = [stripes(side, degrees=angle) for angle in degrees]
    which = (np.indices((side, side)) // 8 % 2 * np.array([2, 1])[:, None, None]).sum(0)
    return np.choose(which[..., None], waves)


@pytest.mark.parametrize("degrees", [0, 45, 90, 135, -45, 180, 200])
def test_edges_are_told_apart_by_direction(degrees):
    photo = stripes(128, degrees=degrees)
    edges = points._find_edges(photo[..., 0] / np.float32(255))
    inner = np.zeros((128, 128), bool)
    inner[8:-8, 8:-8] = True
    found = edges.direction[(edges.slope > 0) & inner]
    assert len(found) > 50 and set(found.tolist()) == {round(degrees / 45) % 4}


def test_a_place_has_a_point_for_every_direction():
    chosen = choose_points(quarters(0, 45, 90, 135), budget=10_000)
    assert np.bincount(chosen.place).min() >= 3 and np.bincount(chosen.place).mean() > 3.5
    assert len(np.unique(np.stack([chosen.rows, chosen.columns]), axis=1).T) == len(chosen.rows)


def test_places_of_few_directions_count_only_where_there_are_no_others():
    photo = stripes(256, degrees=0)
    photo[:, :128] = quarters(0, 45, 90, 135)[:, :128]
    chosen = choose_points(photo, budget=10_000)
    assert chosen.columns.max() < 144 and len(chosen.count) > 100
    photo = stripes(256, degrees=0)
    photo[:32, :32] = quarters(0, 45, 90, 135)[:32, :32]
    assert len(choose_points(photo, budget=10_000).count) > 200


def test_plain_photos_and_noise_have_none(rng):
    assert len(choose_points(np.full((100, 100, 3), 90, np.uint8), budget=64).rows) == 0
    noise = (128 + 2 * rng.standard_normal((200, 200, 3))).astype(np.uint8)
    assert len(choose_points(noise, budget=64).rows) == 0


def test_the_sharpest_places_come_first_and_the_others_are_spread():
    """A photo whose left half is sharp, and more places than the budget."""
    photo = quarters(0, 45, 90, 135, side=512)
    photo[:, 256:] = cv2.GaussianBlur(photo, (0, 0), 2)[:, 256:]
    chosen = choose_points(photo, budget=160)
    places = len(choose_points(photo, budget=10_000).count)
    assert 130 < len(chosen.rows) < 190 and 40 <= len(chosen.count) <= 54 and 150 < places <= 16 * 16
    half = len(chosen.count) // 2
    best = chosen.place < half
    assert (chosen.columns[best] < 258).all() and (chosen.count[:half] == 1).all()
    assert chosen.count.sum() == pytest.approx(places)
    soft = np.bincount(chosen.place, chosen.columns >= 256) > 0
    assert 0.3 < chosen.count[soft].sum() / places < 0.7


@pytest.mark.parametrize(("longer", "factor"), [(3999, 1), (4000, 2), (7000, 3), (40_000, 6)])
def test_large_photos_are_chosen_on_a_reduced_copy(longer, factor):
    photo = step(64, longer, at=longer // 2)
    chosen = choose_points(photo, budget=16)
    assert len(chosen.rows) and (chosen.factor == factor).all()
    assert np.abs(chosen.columns - longer // 2).max() <= factor + 1


def test_all_types_of_photos_give_the_same_points(rng):
    photo = photo_like(rng, 90, 120)
    wanted = choose_points(photo, budget=32)
    for other in (photo.astype(np.uint16) * 257, (photo / 255).astype(np.float32)):
        for own, values in zip(choose_points(other, budget=32), wanted, strict=True):
            np.testing.assert_array_equal(own, values)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (7, 9)])
def test_tiny_photos(shape, rng):
    photo = rng.integers(0, 255, (*shape, 3), np.uint8)
    chosen = choose_points(photo, budget=16)
    assert (chosen.rows < shape[0]).all() and (chosen.columns < shape[1]).all()


def test_reduced_copies_are_means():
    photo = np.arange(7 * 9 * 3, dtype=np.uint16).reshape(7, 9, 3)
    wanted = photo[:6, :9].reshape(2, 3, 3, 3, 3).mean((1, 3))
    np.testing.assert_array_equal(points.reduce_by(photo, 3), wanted)
