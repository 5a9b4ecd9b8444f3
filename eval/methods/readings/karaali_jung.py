"""Blur of an edge by gradient ratio, with the scale of the second blur chosen for every edge point.

Karaali and Jung, "Edge-Based Defocus Blur Estimation With Adaptive Scale Selection", IEEE TIP 27, 2018. A small scale
sees little noise averaged out; a large one sees neighbouring edges. So every edge point takes the largest scale at
which it still is alone, and readings are smoothed along the contour they lie on.

An edge of contrast A and blur sigma, smoothed by s, has the gradient

    M(s) = A / sqrt(2 pi (sigma^2 + s^2)),   hence for s1 < s2, with R = M(s1) / M(s2),
    sigma^2 = (s2^2 - R^2 s1^2) / (R^2 - 1).

Settings: s1 = 1 px, s2 from 1.5 to 4 px, and no sigma above 5 px, as in `gradient_ratio`. What the paper calls
scale-consistent is asked of a point like this, by this project: at scale s2 and all smaller ones, the gradient has
turned by less than 25 degrees, and the point is still a ridge: no point at distance s2 to either side has a greater
gradient. A point that fails at the first scale weighs 1/4. The connected edge filter is `SMOOTHINGS` means over the 3x3
neighbours that are edge points too. The paper propagates by a fast guided filter: `karaali-jung+guided`.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Bool, Float

from eval.bucket import bucketed, repeat_borders
from eval.methods.gaussian import gaussian_gradient
from eval.methods.readings.gradient_ratio import MAX_SIGMA
from eval.methods.stages import Readings
from jaxblur import sigma_to_radius
from jaxblur.edges.canny import brightness

BASE_SCALE = 1.0  # px, s1
SCALES = (1.5, 2.0, 2.5, 3.0, 4.0)  # px, s2
SMOOTHINGS = 5
_LEAST_COSINE = math.cos(math.radians(25))
_LONE_WEIGHT = 0.25  # of a point that is not alone at any scale


def read(image: Float[np.ndarray, "h w 3"], edges: Bool[np.ndarray, "h w"]) -> Readings:
    """Radius at edges, see the module and `eval.methods.readings`."""
    return Readings(*bucketed(_read, image, edges))


@jax.jit
def _read(image: jax.Array, edges: jax.Array, size: jax.Array) -> tuple[jax.Array, jax.Array]:
    (value,) = repeat_borders(size, brightness(image))
    sigma, scale = edge_sigma(value, edges)
    weight = jnp.where(edges, jnp.where(scale > 0, 1.0, _LONE_WEIGHT), 0.0).astype(value.dtype)
    return sigma_to_radius(smooth_along_edges(sigma, weight)), weight


def edge_sigma(
    value: Float[jax.Array, "h w"], edges: Bool[jax.Array, "h w"]
) -> tuple[Float[jax.Array, "h w"], Float[jax.Array, "h w"]]:
    """Gaussian sigma (px) at `edges` of the plane `value`, and the scale it was read with; 0 px where none was fit."""
    base = gaussian_gradient(value, BASE_SCALE)
    magnitude = _magnitude(base)
    sigma = jnp.zeros_like(value)
    chosen = jnp.zeros_like(value)
    alone = edges
    for scale in SCALES:
        slope = gaussian_gradient(value, scale)
        after = _magnitude(slope)
        cosine = (base[0] * slope[0] + base[1] * slope[1]) / jnp.maximum(magnitude * after, 1e-12)
        alone = alone & (cosine > _LEAST_COSINE) & _is_ridge(after, slope, scale)
        estimate = _sigma_of_ratio(magnitude / jnp.maximum(after, 1e-12), scale)
        take = alone | (edges & (scale == SCALES[0]))
        sigma = jnp.where(take, estimate, sigma)
        chosen = jnp.where(alone, scale, chosen)
    return sigma, chosen


def smooth_along_edges(
    values: Float[jax.Array, "h w"], weight: Float[jax.Array, "h w"]
) -> Float[jax.Array, "h w"]:
    """Connected edge filter: means over neighbouring edge points, so never from one contour to another."""

    def total(plane: jax.Array) -> jax.Array:
        return jax.lax.reduce_window(plane, 0.0, jax.lax.add, (3, 3), (1, 1), "SAME")

    count = jnp.maximum(total(weight), 1e-12)
    for _ in range(SMOOTHINGS):
        values = jnp.where(weight > 0, total(weight * values) / count, 0)
    return values


def _sigma_of_ratio(ratio: jax.Array, scale: float) -> jax.Array:
    """Of the two gradients, smoothed by `BASE_SCALE` and by `scale`."""
    least = (MAX_SIGMA**2 + scale**2) / (MAX_SIGMA**2 + BASE_SCALE**2)
    square = jnp.maximum(ratio**2, least)
    return jnp.sqrt(jnp.maximum((scale**2 - square * BASE_SCALE**2) / (square - 1), 0))


def _magnitude(slope: tuple[jax.Array, jax.Array]) -> jax.Array:
    return jnp.sqrt(slope[0] ** 2 + slope[1] ** 2)


def _is_ridge(magnitude: jax.Array, slope: tuple[jax.Array, jax.Array], distance: float) -> jax.Array:
    """Whether no point at this distance across the edge has a greater gradient."""
    rows, columns = jnp.indices(magnitude.shape, dtype=magnitude.dtype)
    step = [distance * part / jnp.maximum(magnitude, 1e-12) for part in slope]
    beside = [
        map_coordinates(magnitude, [rows + sign * step[0], columns + sign * step[1]], 1, mode="nearest")
        for sign in (-1, 1)
    ]
    return magnitude >= jnp.maximum(*beside)
