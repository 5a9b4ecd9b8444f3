"""Blur of an edge from how much a known blur weakens its gradient.

Zhuo and Sim, "Defocus map estimation from a single image", Pattern Recognition 44, 2011, section 3. A step edge
blurred by a Gaussian of sigma has its greatest gradient in proportion to 1 / sigma. Blurred again by sigma0, it is
divided by

    R = sqrt(1 + (sigma0 / sigma)^2),   hence   sigma = sigma0 / sqrt(R^2 - 1).

Settings: sigma0 = 1 px, as in the paper. The gradient is taken by central differences, whose own blur (variance 1/3
px^2) is subtracted, which the paper does not. Beyond 5 px the ratio is too near 1 to be told from noise.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from eval.bucket import bucketed, repeat_borders
from eval.methods.stages import Readings
from jaxblur import sigma_to_radius
from jaxblur.edges.canny import brightness

MAX_SIGMA = 5.0  # px
_REBLUR_SIGMA = 1.0  # px, as in the paper
_REBLUR_RADIUS = 4  # px, where its kernel is cut off
_DIFFERENCE_VARIANCE = 1 / 3  # px^2, of the box that a central difference averages the derivative over


def read(image: Float[np.ndarray, "h w 3"], edges: Bool[np.ndarray, "h w"]) -> Readings:
    """Radius at edges by the ratio of gradients; every edge weighs 1. See `eval.methods.readings`."""
    return Readings(*bucketed(_read, image, edges))


@jax.jit
def _read(image: jax.Array, edges: jax.Array, size: jax.Array) -> tuple[jax.Array, jax.Array]:
    (value,) = repeat_borders(size, brightness(image))
    return sigma_to_radius(edge_sigma(value, edges)), edges.astype(value.dtype)


def edge_sigma(value: Float[jax.Array, "h w"], edges: Bool[jax.Array, "h w"]) -> Float[jax.Array, "h w"]:
    """Gaussian sigma (px) at `edges` of the plane `value`, at most `MAX_SIGMA`; elsewhere meaningless."""
    offsets = np.arange(-_REBLUR_RADIUS, _REBLUR_RADIUS + 1)
    kernel = np.exp(-(offsets**2) / (2 * _REBLUR_SIGMA**2))
    kernel = jnp.asarray(kernel / kernel.sum(), value.dtype)
    again = jnp.pad(value, _REBLUR_RADIUS, mode="edge")
    for axis in (0, 1):
        again = jnp.apply_along_axis(lambda line: jnp.convolve(line, kernel, mode="valid"), axis, again)
    before, after = _gradient(value), _gradient(again)
    ratio = before / jnp.maximum(after, jnp.finfo(value.dtype).eps)
    least = 1 + (_REBLUR_SIGMA / MAX_SIGMA) ** 2
    variance = _REBLUR_SIGMA**2 / (jnp.maximum(ratio**2, least) - 1) - _DIFFERENCE_VARIANCE
    return jnp.where(edges, jnp.sqrt(jnp.maximum(variance, 0)), 0)


def _gradient(value: jax.Array) -> jax.Array:
    by_row, by_col = jnp.gradient(value)
    return jnp.sqrt(by_row**2 + by_col**2)
