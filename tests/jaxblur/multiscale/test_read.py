"""The reading of all scales in one program against that of each scale by itself."""

# ruff: noqa: F811 - fixtures are imported, and named as arguments
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.config import DEFAULT, Config, EdgeConfig
from jaxblur.edges.canny import detect_edges
from jaxblur.estimator import pad_to_bucket
from jaxblur.image import pyramid
from jaxblur.image.size import size_bucket
from jaxblur.multiscale import read
from jaxblur.network.tiles import read_tiles
from tests.jaxblur.test_estimator import photo_like, weights  # noqa: F401

CONFIG = Config(edges=EdgeConfig(high_quantile=0.9), readout="argmax")  # the readout does not matter here


@functools.partial(jax.jit, static_argnames=("given", "tiles"))
def read_all(weights, image, size, edges, *, given, tiles):
    if not given:
        edges = detect_edges(image, config=CONFIG.edges, size=(size[0], size[1]))
    return read.read_scales(weights, image, size, edges, given=given, tiles=tiles, config=CONFIG)


@functools.partial(jax.jit, static_argnames="tiles")
def read_alone(weights, image, size, edges, *, tiles):
    return read_tiles(weights, image, size, edges, tiles=tiles, config=DEFAULT)


def padded(photo, edges):
    tiles = size_bucket(*photo.shape[:2])
    return tiles, pad_to_bucket(photo, edges, tiles)


@pytest.mark.parametrize(
    ("shape", "given", "count"), [((47, 35), False, 1), ((130, 97), False, 2), ((200, 220), True, 3)]
)
def test_each_scale_is_read_as_a_photo_of_its_own(shape, given, count, weights, rng):
    """The bucket, what lies beside the photo in it, and scales that it is too small for leave no trace."""
    photo = photo_like(rng, *shape).astype(np.float32) / 255
    edges = rng.random(shape) < 0.02
    edges[-1] = edges[:, -1] = True  # a last odd row or column has no place in the half
    tiles, (image, size, mask) = padded(photo, edges)
    beside = rng.random(image.shape, np.float32)
    beside[: shape[0], : shape[1]] = photo
    readings = read_all(weights, beside, size, mask, given=given, tiles=tiles)
    assert len(readings) >= count == pyramid.count_scales(*shape)
    for scale, (reading, got_edges) in enumerate(readings):
        if scale:
            photo, edges = pyramid.halve(photo), np.asarray(pyramid.halve_edges(edges))
        if not given:
            edges = np.asarray(detect_edges(jnp.asarray(photo), config=CONFIG.edges))
        height, width = photo.shape[:2]
        wanted_edges = edges if scale < count else np.zeros_like(edges)
        np.testing.assert_array_equal(got_edges[:height, :width], wanted_edges)
        assert np.asarray(got_edges).sum() == wanted_edges.sum() and (scale >= count or edges.any())
        own_tiles, own = padded(photo, wanted_edges)
        wanted = read_alone(weights, *own, tiles=own_tiles)
        for got, plane in zip(reading, wanted, strict=True):
            own_part = (np.asarray(values)[:height, :width] for values in (got, plane))
            np.testing.assert_allclose(*own_part, atol=2e-5)
        assert scale >= count or np.asarray(reading.radius)[:height, :width][edges].std() > 1e-4


def test_without_room_there_is_one_scale(weights, rng):
    shape = (95, 95)  # the bucket of 128 px has room for two
    tiles, inputs = padded(photo_like(rng, *shape).astype(np.float32) / 255, rng.random(shape) < 0.05)
    (first, edges), (second, none) = read_all(weights, *inputs, given=True, tiles=tiles)
    assert edges.any() and not none.any() and not any(plane.any() for plane in second)
    assert np.asarray(first.radius)[np.asarray(edges)].min() >= 0.5
