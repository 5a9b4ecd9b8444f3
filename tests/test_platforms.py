"""Programs for devices that are not here: what depends on the device is decided where a program is lowered."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxblur
from jaxblur.estimator import padded_program
from jaxblur.network.convolution import convolve
from jaxblur.runtime import parallel
from tests.jaxblur.tiny import add_multiscale, make_weights


def lowered(platform: str, function: Callable[..., Any], *arguments: Any) -> str:
    """StableHLO of a function, whether it is mapped over devices or not."""
    return jax.jit(function).trace(*arguments).lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize(("platform", "loops"), [("cpu", 6), ("cuda", 1), ("tpu", 1)])
def test_pixels_are_filtered_one_after_another_on_a_cpu_only(platform, loops):
    """The one loop is that of the iterations."""
    image = jnp.zeros((8, 8, 3))
    text = lowered(
        platform, lambda image: jaxblur.recursive_filter(image, image, sigma_s=3.0, sigma_r=0.5), image
    )
    assert text.count("stablehlo.while") == loops


@pytest.mark.parametrize(("platform", "own"), [("cpu", False), ("cuda", True), ("tpu", True)])
def test_accelerators_have_convolutions_of_their_own(platform, own):
    x, kernel = jnp.zeros((1, 9, 9, 16)), jnp.zeros((3, 3, 16, 16))
    assert ("stablehlo.convolution" in lowered(platform, convolve, x, kernel)) == own


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_the_step_of_a_batch(platform):
    tiles, count = jaxblur.size_bucket(64, 64), jax.local_device_count()
    weights = add_multiscale(make_weights())
    step = parallel.map_devices(padded_program(jaxblur.DEFAULT, tiles, False))
    photos = np.zeros((count, *tiles.shape, 3), np.uint8), np.full((count, 2), 64, np.int32)
    text = lowered(
        platform, step, parallel.replicate(weights), *photos, np.zeros((count, *tiles.shape), bool)
    )
    assert f"mhlo.num_partitions = {count}" in text
