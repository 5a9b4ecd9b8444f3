import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur import synthesis
from train.camera import NO_JPEG, CameraConfig, Degradation, draw_degradation
from train.config import FormationConfig
from train.stages import composites, samples

NOISY = CameraConfig(noise_probability=1.0)
PLAIN = Degradation(
    black=jnp.float32(0),
    white=jnp.float32(1),
    softness=jnp.float32(0),
    linear=jnp.bool_(False),
    noise=jnp.float32(0),
    quality=jnp.float32(NO_JPEG),
)


def test_soft_lenses_are_some_and_change_nothing_else_that_is_drawn(key):
    config = dataclasses.replace(NOISY, low_contrast_probability=0.5)
    sharp = draw_degradation(key, 64, config, max_noise=0.02)
    soft = draw_degradation(key, 64, dataclasses.replace(config, soft_probability=0.5), max_noise=0.02)
    assert not np.asarray(sharp.softness).any()
    drawn = np.asarray(soft.softness)
    assert 0.25 < (drawn > 0).mean() < 0.75 and drawn.max() < 1 and np.ptp(drawn[drawn > 0]) > 0.5
    for name in set(sharp._fields) - {"softness"}:
        np.testing.assert_array_equal(getattr(sharp, name), getattr(soft, name))


def test_low_contrast_is_drawn_for_some_and_changes_nothing_else_that_is_drawn(key):
    config = dataclasses.replace(NOISY, soft_probability=0.5)
    full = draw_degradation(key, 256, config, max_noise=0.02)
    changed = dataclasses.replace(config, low_contrast_probability=0.5, contrast=(0.2, 1.0))
    low = draw_degradation(key, 256, changed, max_noise=0.02)
    np.testing.assert_array_equal(full.black, np.zeros(256))
    np.testing.assert_array_equal(full.white, np.ones(256))
    black, contrast = np.asarray(low.black), np.asarray(low.white - low.black)
    drawn = contrast < 1
    assert 0.4 < drawn.mean() < 0.6 and 0.2 <= contrast.min() < 0.23 and black.min() >= 0
    assert 0.4 < (contrast[drawn] < np.sqrt(0.2)).mean() < 0.6
    assert low.white.max() <= 1 + 1e-6 and np.ptp(black[drawn]) > 0.5
    for name in set(full._fields) - {"black", "white"}:
        np.testing.assert_array_equal(getattr(full, name), getattr(low, name))


def test_noise_quality_and_light_are_drawn_from_their_ranges(key):
    config = CameraConfig(linear_probability=0.25, noise_probability=0.5, jpeg_probability=0.75)
    drawn = draw_degradation(key, 400, config, max_noise=0.1)
    noise, quality = np.asarray(drawn.noise), np.asarray(drawn.quality)
    assert 0.2 < np.mean(drawn.linear) < 0.3
    assert 0.42 < (noise > 0).mean() < 0.58 and 0.09 < noise.max() <= 0.1
    jpeg = quality != NO_JPEG
    assert 0.67 < jpeg.mean() < 0.83 and 60 <= quality[jpeg].min() < 63 and 94 < quality[jpeg].max() <= 97


def test_radii_are_stratified_and_some_are_sharp_or_wide(key):
    config = FormationConfig(sharp_probability=0.0)
    radii = np.sort(samples.draw_radii(key, 11, config))
    np.testing.assert_array_equal(
        np.floor((radii - 0.5) / 0.5), range(11)
    )  # one in each eleventh of the range
    sharp = samples.draw_radii(key, 400, dataclasses.replace(config, sharp_probability=0.25))
    assert 0.2 < np.mean(np.asarray(sharp) == 0.5) < 0.3
    wide = np.asarray(samples.draw_radii(key, 400, dataclasses.replace(config, wide_probability=0.25)))
    assert 0.2 < (wide > 6).mean() < 0.3 and 20 < wide.max() < 24
    levels = samples.draw_radii(key, 40, dataclasses.replace(config, levels=(1.0, 2.5)))
    assert set(np.asarray(levels).tolist()) == {1.0, 2.5}


@pytest.mark.parametrize(("softness", "black", "white"), [(0.0, 0.0, 1.0), (0.6, 0.0, 1.0), (0.0, 0.2, 0.5)])
def test_a_view_is_blurred_by_its_lens(key, rng, softness, black, white):
    content = (rng.random((40, 44, 3)) * 255).astype(np.uint8)
    how = PLAIN._replace(black=jnp.float32(black), white=jnp.float32(white), softness=jnp.float32(softness))
    view = samples.blurred_view(key, jnp.asarray(content), jnp.float32(2.5), how, kernel_size=15)
    disk = functools.partial(synthesis.disk_kernel, size=15)
    kernel = synthesis.soft_kernel(disk, jnp.float32(2.5), softness=softness)
    shown = black + (white - black) * jnp.asarray(content, jnp.float32) / 255
    expected = synthesis.blur(shown, kernel, border="valid")
    np.testing.assert_allclose(view, expected, atol=0.5 / 255 + 1e-5)
    other = synthesis.blur(shown, disk(4.0), border="valid")
    assert np.abs(np.asarray(other) - expected).max() > 3 / 255 * (white - black)


def test_a_composite_of_low_contrast_has_the_same_labels(key, rng):
    layers = {name: (rng.random((40, 40, 3)) * 255).astype(np.uint8) for name in ("background", "foreground")}
    layers["alpha"] = np.zeros((40, 40), np.uint8)
    layers["alpha"][:, 22:] = 255
    radii = jnp.float32([3.0, 0.5])
    compose = jax.jit(composites.compose)
    full = compose(key, layers, radii, PLAIN)
    low = compose(key, layers, radii, PLAIN._replace(black=jnp.float32(0.2), white=jnp.float32(0.5)))
    np.testing.assert_allclose(low.view, 0.2 + 0.3 * full.view, atol=0.65 / 255 + 1e-5)
    np.testing.assert_array_equal(low.label, full.label)
    assert (np.asarray(full.label) == 1).any() and np.ptp(full.view) > 0.5
