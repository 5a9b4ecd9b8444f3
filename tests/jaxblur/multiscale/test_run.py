"""The estimate with multiscale fusion from end to end."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblur
from jaxblur import estimator, export
from jaxblur.config import TWO_STAGE
from jaxblur.image.size import Tiles
from tests.jaxblur.tiny import photo_like


def assert_close(got, wanted):
    for name, one, other in zip(got._fields, got, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, err_msg=name)


@pytest.mark.parametrize("shape", [(97, 110), (20, 1)])
def test_any_size_gives_a_whole_result(shape, multiscale_weights, rng):
    result = estimator.estimate(photo_like(rng, *shape), multiscale_weights)
    assert all(isinstance(leaf, np.ndarray) and leaf.shape == shape for leaf in result)
    assert result.radius.dtype == result.confidence.dtype == result.sparse_radius.dtype == np.float32
    assert np.isfinite(result.radius).all() and (result.radius >= 0).all()
    assert (result.confidence >= 0).all() and (result.confidence <= 1).all()
    pattern = result.edges & ~result.depth_edges
    np.testing.assert_array_equal(np.isfinite(result.sparse_radius), pattern)


def test_batch_equals_one_by_one(multiscale_weights, rng):
    photos = [photo_like(rng, *shape) for shape in [(97, 110), (100, 128)]]
    for got, photo in zip(jaxblur.estimate_batch(photos, multiscale_weights), photos, strict=True):
        assert_close(got, estimator.estimate(photo, multiscale_weights))


def test_the_exported_estimator_gives_the_estimate(multiscale_weights, rng):
    pytest.importorskip("flatbuffers")
    photo = photo_like(rng, 97, 110)
    program = jax.export.deserialize(
        bytearray(export.export_estimator(multiscale_weights, height=97, width=110))
    )
    image = np.zeros((128, 128, 3), np.uint8)
    image[:97, :110] = photo
    out = program.call(image, np.asarray([97, 110], np.int32))
    wanted = estimator.estimate(photo, multiscale_weights)
    assert_close(estimator.BlurEstimate(*(out[name][:97, :110] for name in wanted._fields)), wanted)


def test_settings_and_weights_choose_the_stages(multiscale_weights, weights, rng):
    """Without either, it is the two-stage estimate."""
    photo = photo_like(rng, 40, 50)
    two = estimator.estimate(photo, weights, config=TWO_STAGE)
    assert_close(estimator.estimate(photo, multiscale_weights, config=TWO_STAGE), two)
    assert np.abs(estimator.estimate(photo, multiscale_weights).radius - two.radius).max() > 0.001


def test_it_can_be_trained_through(multiscale_weights, rng):
    """Gradients of the map reach every parameter of the fusion, all finite."""
    image = np.zeros((64, 64, 3), np.float32)
    image[:60, :50] = photo_like(rng, 60, 50) / 255
    edges = jnp.asarray(rng.random((64, 64)) < 0.1)

    @jax.jit
    @jax.grad
    def gradient(parameters):
        changed = dataclasses.replace(multiscale_weights, multiscale=parameters)
        result = estimator.estimate_padded(
            changed, jnp.asarray(image), jnp.asarray([60, 50], jnp.int32), edges, tiles=Tiles(1, 1, 64, 64)
        )
        return (result.radius + result.confidence)[:60, :50].mean()

    gradients = gradient(multiscale_weights.multiscale)
    named = {field.name: getattr(gradients, field.name) for field in dataclasses.fields(gradients)}
    guide = named.pop("guide")
    for name, leaf in (named | guide).items():
        assert np.isfinite(leaf).all(), name
        if name != "sharp_radius":  # these networks call nothing sharp
            assert np.abs(leaf).max() > 0, name
