"""A plane smoothed by a Gaussian, and the derivatives of that."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float


def gaussian_gradient(
    value: Float[jax.Array, "h w"], sigma: float
) -> tuple[Float[jax.Array, "h w"], Float[jax.Array, "h w"]]:
    """Derivatives along row and column index of the plane smoothed by a Gaussian, per px; the border is repeated."""
    offsets, gauss = _gauss(sigma)
    slope = offsets * gauss
    slope = slope / (offsets * slope).sum()  # a ramp of slope 1 has the derivative 1
    return _separable(value, slope, gauss), _separable(value, gauss, slope)


def gaussian_smooth(value: Float[jax.Array, "h w"], sigma: float) -> Float[jax.Array, "h w"]:
    """The plane smoothed by a Gaussian; the border is repeated."""
    _, gauss = _gauss(sigma)
    return _separable(value, gauss, gauss)


def _gauss(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and taps of sum 1, cut off at ceil(4 sigma)."""
    reach = math.ceil(4 * sigma)
    offsets = np.arange(-reach, reach + 1)
    taps = np.exp(-(offsets**2) / (2 * sigma**2))
    return offsets, taps / taps.sum()


def _separable(value: jax.Array, down: np.ndarray, right: np.ndarray) -> jax.Array:
    """Correlation with `down` along rows' index and `right` along columns' index, of one length."""
    plane = jnp.pad(value, len(down) // 2, mode="edge")[None, None]
    for taps, shape in ((down, (1, 1, -1, 1)), (right, (1, 1, 1, -1))):
        kernel = jnp.asarray(taps, value.dtype).reshape(shape)
        plane = jax.lax.conv_general_dilated(plane, kernel, (1, 1), "VALID")
    return plane[0, 0]
