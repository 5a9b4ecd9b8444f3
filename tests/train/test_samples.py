import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxblur import synthesis
from train import samples
from train.config import FormationConfig


def test_soft_lenses_are_a_share_and_change_nothing_else_that_is_drawn(key):
    config = FormationConfig(noise_share=1.0)
    sharp = samples.draw_degradation(key, 64, config)
    soft = samples.draw_degradation(key, 64, dataclasses.replace(config, soft_share=0.5))
    assert not np.asarray(sharp.softness).any()
    drawn = np.asarray(soft.softness)
    assert 0.25 < (drawn > 0).mean() < 0.75 and drawn.max() < 1 and np.ptp(drawn[drawn > 0]) > 0.5
    for name in set(sharp._fields) - {"softness"}:
        np.testing.assert_array_equal(getattr(sharp, name), getattr(soft, name))


@pytest.mark.parametrize("softness", [0.0, 0.6])
def test_a_view_is_blurred_by_its_lens(key, rng, softness):
    content = (rng.random((40, 44, 3)) * 255).astype(np.uint8)
    how = samples.Degradation(
        radius=jnp.float32(2.5),
        softness=jnp.float32(softness),
        linear=jnp.bool_(False),
        noise=jnp.float32(0),
        quality=jnp.float32(samples.NO_JPEG),
    )
    view = samples.blurred_view(key, content, how, kernel_size=15)
    disk = functools.partial(synthesis.disk_kernel, size=15)
    kernel = synthesis.soft_kernel(disk, how.radius, softness=softness)
    expected = synthesis.blur(jnp.asarray(content, jnp.float32) / 255, kernel, border="valid")
    np.testing.assert_allclose(view, expected, atol=0.5 / 255 + 1e-5)
    other = synthesis.blur(jnp.asarray(content, jnp.float32) / 255, disk(4.0), border="valid")
    assert np.abs(np.asarray(other) - expected).max() > 3 / 255
