"""Readings patch by patch are those of the estimate."""

import numpy as np
import pytest

from jaxblur import estimator
from jaxblur.config import Config, SingleScale
from jaxblur.rank import read
from jaxblur.rank.points import Points
from tests.jaxblur.tiny import photo_like


def at(rows, columns, *, factor=0):
    """Points that are read where they are: with factor 0 an edge is looked for 1 px around, see `no_search`."""
    count = len(rows)
    places = np.arange(count)
    return Points(
        np.asarray(rows, int), np.asarray(columns, int), places, np.full(count, factor), np.ones(count)
    )


def no_search(views):
    return [view._replace(reach=np.zeros_like(view.reach)) for view in views]


@pytest.fixture
def photo(rng):
    return photo_like(rng, 97, 110)


def test_readings_are_those_of_the_estimate(photo, weights):
    """At the photo's own scale, up to its border."""
    config = Config(propagation=SingleScale(readout="expectation"))
    result = estimator.estimate(photo, weights, config=config)
    rows, columns = np.nonzero(result.read_weight > 0)
    chosen = np.linspace(0, len(rows) - 1, 70).astype(int)  # more than two batches
    rows, columns = rows[chosen], columns[chosen]
    views = no_search(read.cut_views(photo, at(rows, columns), weights))
    assert len(views) == 1
    radius = read.read_views(views, weights, precision="float32")
    np.testing.assert_allclose(radius, result.read_radius[rows, columns], atol=1e-4)


def test_smaller_copies_are_read_where_the_photo_is_too_blurred(photo, multiscale_weights, monkeypatch):
    rows, columns = np.array([20, 50, 90]), np.array([30, 60, 100])
    views = no_search(read.cut_views(photo, at(rows, columns), multiscale_weights))
    assert [len(view.pixels) for view in views] == [3, 3]
    asked = []
    read_points = read._read_points

    def told(view, chosen, *args):
        asked.append(chosen.tolist())
        found = read_points(view, chosen, *args)
        return found._replace(radius=np.where(np.arange(len(chosen)) == 1, 5.0, 1.0).astype(np.float32))

    monkeypatch.setattr(read, "_read_points", told)
    radius = read.read_views(views, multiscale_weights, precision="float32")
    assert asked == [[0, 1, 2], [1]]  # the second point is blurred
    assert radius[1] > radius[0] == pytest.approx(radius[2])


def test_views_of_the_half_are_of_the_halved_photo(photo, multiscale_weights):
    first, second = read.cut_views(photo, at([41], [52]), multiscale_weights)
    middle = first.pixels.shape[1] // 2
    np.testing.assert_array_equal(first.pixels[0, middle, middle], photo[41, 52])
    wanted = photo[40:42, 52:54].astype(float).mean((0, 1))
    np.testing.assert_allclose(second.pixels[0, middle, middle], wanted, atol=0.51)


def test_the_edge_is_found_near_the_point(weights):
    """A step 3 px from the point: within reach it is read as if the point lay on it."""
    photo = np.full((64, 64, 3), 50, np.uint8)
    photo[:, 32:] = 200
    on_edge = read.read_views(
        no_search(read.cut_views(photo, at([30], [31]), weights)), weights, precision="float32"
    )
    near = read.cut_views(photo, at([30], [28], factor=3), weights)
    assert near[0].reach.tolist() == [3]
    np.testing.assert_allclose(read.read_views(near, weights, precision="float32"), on_edge, atol=1e-4)
    far = read.read_views(no_search(near), weights, precision="float32")
    assert abs(far[0] - on_edge[0]) > 1e-3


def test_types_threads_and_no_points(photo, weights):
    points = at([20, 50], [30, 60])
    wanted = read.read_views(read.cut_views(photo, points, weights), weights, precision="float32")
    for other in (photo.astype(np.uint16) * 257, (photo / 255).astype(np.float32)):
        got = read.read_views(read.cut_views(other, points, weights), weights, precision="float32")
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    none = read.read_views(read.cut_views(photo, at([], []), weights), weights, precision="float32")
    assert len(none) == 0
