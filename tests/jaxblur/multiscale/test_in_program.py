"""The reading of all scales in one program against that of each scale by itself."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur.config import Config, EdgeConfig, MultiScale
from jaxblur.edges.canny import detect_edges
from jaxblur.image import pyramid
from jaxblur.image.size import size_bucket
from jaxblur.inputs import pad_to_bucket
from jaxblur.multiscale.in_program import InProgram, PaddedPhoto
from jaxblur.multiscale.run import read_scales
from jaxblur.network.tiles import read_tiles
from tests.jaxblur.tiny import photo_like

CONFIG = Config(edges=EdgeConfig(high_quantile=0.9), propagation=MultiScale())


@functools.partial(jax.jit, static_argnames=("given", "tiles"))
def read_all(weights, image, size, edges, *, given, tiles):
    stages, photo = InProgram(weights, size, CONFIG), PaddedPhoto(image, size, tiles)
    return read_scales(stages, photo, edges if given else None, count=stages.count_scales(photo))


@functools.partial(jax.jit, static_argnames="tiles")
def read_alone(weights, image, size, edges, *, tiles):
    return read_tiles(weights, image, size, edges, tiles=tiles, readout="expectation", precision="float32")


def padded(photo, edges):
    tiles = size_bucket(*photo.shape[:2])
    return tiles, pad_to_bucket(photo, edges, tiles)


@pytest.mark.parametrize(
    ("shape", "given", "count"), [((47, 35), False, 1), ((130, 97), False, 2), ((200, 220), True, 3)]
)
def test_each_scale_is_read_as_a_photo_of_its_own(shape, given, count, multiscale_weights, rng):
    """The bucket, what lies beside the photo in it, and scales that it is too small for leave no trace."""
    photo = photo_like(rng, *shape).astype(np.float32) / 255
    edges = rng.random(shape) < 0.02
    edges[-1] = edges[:, -1] = True  # a last odd row or column has no place in the half
    tiles, (image, size, mask) = padded(photo, edges)
    beside = rng.random(image.shape, np.float32)
    beside[: shape[0], : shape[1]] = photo
    readings = read_all(multiscale_weights, beside, size, mask, given=given, tiles=tiles)
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
        wanted = read_alone(multiscale_weights, *own, tiles=own_tiles)
        for got, plane in zip(reading, wanted, strict=True):
            own_part = (np.asarray(values)[:height, :width] for values in (got, plane))
            np.testing.assert_allclose(*own_part, atol=2e-5)
        assert scale >= count or np.asarray(reading.radius)[:height, :width][edges].std() > 1e-4


def test_without_room_there_is_one_scale(multiscale_weights, rng):
    shape = (95, 95)  # the bucket of 128 px has room for two
    tiles, inputs = padded(photo_like(rng, *shape).astype(np.float32) / 255, rng.random(shape) < 0.05)
    (first, edges), (second, none) = read_all(multiscale_weights, *inputs, given=True, tiles=tiles)
    assert edges.any() and not none.any() and not any(plane.any() for plane in second)
    assert np.asarray(first.radius)[np.asarray(edges)].min() >= 0.5
