import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur import synthesis
from train.config import FormationConfig
from train.stages import composites, samples


def test_soft_lenses_are_a_share_and_change_nothing_else_that_is_drawn(key):
    config = FormationConfig(noise_share=1.0, faint_share=0.5)
    sharp = samples.draw_degradation(key, 64, config)
    soft = samples.draw_degradation(key, 64, dataclasses.replace(config, soft_share=0.5))
    assert not np.asarray(sharp.softness).any()
    drawn = np.asarray(soft.softness)
    assert 0.25 < (drawn > 0).mean() < 0.75 and drawn.max() < 1 and np.ptp(drawn[drawn > 0]) > 0.5
    for name in set(sharp._fields) - {"softness"}:
        np.testing.assert_array_equal(getattr(sharp, name), getattr(soft, name))


def test_faint_scenes_are_a_share_and_change_nothing_else_that_is_drawn(key):
    config = FormationConfig(noise_share=1.0, soft_share=0.5)
    full = samples.draw_degradation(key, 256, config)
    faint = samples.draw_degradation(
        key, 256, dataclasses.replace(config, faint_share=0.5, contrast=(0.2, 1.0))
    )
    np.testing.assert_array_equal(full.black, np.zeros(256))
    np.testing.assert_array_equal(full.white, np.ones(256))
    black, contrast = np.asarray(faint.black), np.asarray(faint.white - faint.black)
    drawn = contrast < 1
    assert 0.4 < drawn.mean() < 0.6 and 0.2 <= contrast.min() < 0.23 and black.min() >= 0
    assert 0.4 < (contrast[drawn] < np.sqrt(0.2)).mean() < 0.6
    assert faint.white.max() <= 1 + 1e-6 and np.ptp(black[drawn]) > 0.5
    for name in set(full._fields) - {"black", "white"}:
        np.testing.assert_array_equal(getattr(full, name), getattr(faint, name))


@pytest.mark.parametrize(("softness", "black", "white"), [(0.0, 0.0, 1.0), (0.6, 0.0, 1.0), (0.0, 0.2, 0.5)])
def test_a_view_is_blurred_by_its_lens(key, rng, softness, black, white):
    content = (rng.random((40, 44, 3)) * 255).astype(np.uint8)
    how = samples.Degradation(
        radius=jnp.float32(2.5),
        black=jnp.float32(black),
        white=jnp.float32(white),
        softness=jnp.float32(softness),
        linear=jnp.bool_(False),
        noise=jnp.float32(0),
        quality=jnp.float32(samples.NO_JPEG),
    )
    view = samples.blurred_view(key, content, how, kernel_size=15)
    disk = functools.partial(synthesis.disk_kernel, size=15)
    kernel = synthesis.soft_kernel(disk, how.radius, softness=softness)
    shown = black + (white - black) * jnp.asarray(content, jnp.float32) / 255
    expected = synthesis.blur(shown, kernel, border="valid")
    np.testing.assert_allclose(view, expected, atol=0.5 / 255 + 1e-5)
    other = synthesis.blur(shown, disk(4.0), border="valid")
    assert np.abs(np.asarray(other) - expected).max() > 3 / 255 * (white - black)


def test_a_faint_composite_has_the_same_labels_and_less_contrast(key, rng):
    layers = {name: (rng.random((40, 40, 3)) * 255).astype(np.uint8) for name in ("background", "foreground")}
    layers["alpha"] = np.zeros((40, 40), np.uint8)
    layers["alpha"][:, 22:] = 255
    how = samples.Degradation(
        radius=jnp.float32(0.5),
        black=jnp.float32(0),
        white=jnp.float32(1),
        softness=jnp.float32(0),
        linear=jnp.bool_(False),
        noise=jnp.float32(0),
        quality=jnp.float32(samples.NO_JPEG),
    )
    radii = jnp.float32([3.0, 0.5])
    full = composites.compose(key, layers, radii, how)
    faint = composites.compose(
        key, layers, radii, how._replace(black=jnp.float32(0.2), white=jnp.float32(0.5))
    )
    np.testing.assert_allclose(faint.view, 0.2 + 0.3 * full.view, atol=0.65 / 255 + 1e-5)
    np.testing.assert_array_equal(faint.label, full.label)
    assert (np.asarray(full.label) == 1).any() and np.ptp(full.view) > 0.5
