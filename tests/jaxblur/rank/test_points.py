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


def checkerboard(side, square):
    squares = np.kron(np.indices((side // square,) * 2).sum(0) % 2, np.ones((square, square)))
    return (60 + 120 * squares[..., None].repeat(3, -1)).astype(np.uint8)


def test_points_lie_on_the_edge():
    chosen = choose_points(step(256, 256, at=100), budget=64)
    assert set(chosen.columns.tolist()) <= {99, 100} and (chosen.factor == 1).all()
    assert sorted(set((chosen.rows // 16).tolist())) == list(range(16))  # one in every place
    assert (chosen.count == 1).all() and sorted(chosen.place.tolist()) == list(range(16))


def test_two_points_lie_on_edges_that_cross():
    chosen = choose_points(checkerboard(256, 20), budget=1000)
    assert np.bincount(chosen.place).tolist() == [2] * len(chosen.count)
    on_row, on_column = (np.minimum(at % 20, 19 - at % 20) == 0 for at in (chosen.rows, chosen.columns))
    assert (on_row | on_column).all() and (
        chosen.rows.reshape(-1, 2)[:, 0] != chosen.rows.reshape(-1, 2)[:, 1]
    ).all()


def test_places_of_one_edge_count_only_where_there_are_few_others():
    photo = step(256, 256, at=200)
    photo[:128, :128] = checkerboard(128, 16)
    assert (choose_points(photo, budget=1000).columns < 130).all()
    photo[32:128, :128] = 60
    photo[:32, 32:128] = 60
    assert (choose_points(photo, budget=1000).columns > 190).sum() == 16


def test_plain_photos_and_noise_have_none(rng):
    assert len(choose_points(np.full((100, 100, 3), 90, np.uint8), budget=64).rows) == 0
    noise = (128 + 2 * rng.standard_normal((200, 200, 3))).astype(np.uint8)
    assert len(choose_points(noise, budget=64).rows) == 0


def test_the_sharpest_places_come_first_and_the_others_are_spread():
    """A photo whose left half is sharp, and more places than the budget."""
    photo = checkerboard(512, 8)
    photo[:, 256:] = cv2.GaussianBlur(photo, (0, 0), 2)[:, 256:]
    chosen = choose_points(photo, budget=100)
    places = len(choose_points(photo, budget=10_000).count)
    assert len(chosen.rows) == 100 and len(chosen.count) == 50 and 200 < places <= 16 * 16
    best = chosen.place < 25
    assert (chosen.columns[best] < 258).all() and (chosen.count[:25] == 1).all()
    assert chosen.count.sum() == pytest.approx(places)
    soft = chosen.columns[~best][::2] >= 256
    assert chosen.count[25:][soft].sum() == pytest.approx(places / 2, abs=25)  # half of the places are soft


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
