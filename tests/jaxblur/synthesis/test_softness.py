import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxblur import radius_to_sigma, sigma_to_radius
from jaxblur.synthesis import disk_kernel, gaussian_kernel, polygon_kernel, soft_kernel

SIZE = 31
disk = functools.partial(disk_kernel, size=SIZE)
soft = jax.jit(functools.partial(soft_kernel, disk))


@pytest.mark.parametrize("radius", [0.0, 0.4, 0.8, 2.0, 5.5])
def test_not_soft_at_all_is_the_aperture_and_all_soft_a_gaussian(radius):
    radius = jnp.float32(radius)
    np.testing.assert_allclose(soft(radius, softness=0.0), disk(radius), atol=1e-6)
    gaussian = gaussian_kernel(radius_to_sigma(radius), size=SIZE)
    np.testing.assert_allclose(soft(radius, softness=1.0), gaussian, atol=1e-6)


@pytest.mark.parametrize("aperture", [disk, functools.partial(polygon_kernel, blades=5, size=SIZE)])
def test_is_a_smaller_aperture_under_a_gaussian(aperture):
    """The oracle: each of its own size, convolved plane by plane."""
    radius, softness = jnp.float32(4.0), 0.3
    sigma = float(radius_to_sigma(radius))
    small = aperture(sigma_to_radius(jnp.float32(np.sqrt(1 - softness) * sigma)))
    expected = ndimage.convolve(
        np.asarray(small, np.float64),
        np.asarray(gaussian_kernel(np.sqrt(softness) * sigma, size=SIZE), np.float64),
        mode="constant",
    )
    made = soft_kernel(aperture, radius, softness=softness)
    np.testing.assert_allclose(made, expected / expected.sum(), atol=1e-6)
    assert made.sum() == pytest.approx(1, abs=1e-5)


def test_sharpness_hardly_depends_on_softness():
    """The steepest place of a blurred step is about as steep whatever share of the blur is a Gaussian's."""
    radius = jnp.float32(4.0)
    steepest = [float(soft(radius, softness=s).sum(0).max()) for s in (0.0, 0.25, 0.5, 1.0)]
    assert np.ptp(steepest) < 0.3 * steepest[0]
    harder = float(soft(jnp.float32(2.5), softness=0.5).sum(0).max())
    assert harder > 1.3 * max(steepest)


def test_differentiable_and_over_batches():
    radii = jnp.asarray([0.5, 1.0, 3.0])
    kernels = jax.vmap(lambda radius: soft_kernel(disk, radius, softness=0.5))(radii)
    for kernel, radius in zip(kernels, radii, strict=True):
        np.testing.assert_allclose(kernel, soft(radius, softness=0.5), atol=1e-6)
    rows = jnp.arange(SIZE, dtype=jnp.float32) - SIZE // 2

    def spread(radius):
        return (soft_kernel(disk, radius, softness=0.5).sum(0) * rows**2).sum()

    for radius in (2.1, 4.1):  # between rows of the table
        slope = jax.grad(spread)(jnp.float32(radius))
        numeric = (spread(jnp.float32(radius + 0.05)) - spread(jnp.float32(radius - 0.05))) / 0.1
        assert slope == pytest.approx(float(numeric), rel=0.05)
