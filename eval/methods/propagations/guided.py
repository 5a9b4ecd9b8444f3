"""Propagation by a guided filter of the readings.

He, Sun and Tang, "Guided Image Filtering", IEEE TPAMI 35, 2013. In every window the map is a linear function a I + b of
the grey guide, and a pixel takes the mean of a and b of all windows that hold it. As Karaali and Jung
(IEEE TIP 2018) need a filter that fills in what was not read, the fit of a window is over its readings, by their
weight w, and a window counts by the weight that it holds:

    a = cov_w(I, r) / (var_w(I) + epsilon),   b = mean_w(r) - a mean_w(I),   d = sum w (a I + b) / sum w

With all weights equal this is the filter of the paper. Settings: windows of (min(H, W) / 8) px to each side, epsilon
0.01 (the paper's 0.1^2). Written with sums over boxes, so the time does not depend on the window.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from eval.bucket import bucketed
from eval.methods.propagations.mean import mean_reading
from jaxblur.image.size import inside_mask

EPSILON = 0.01
EXTENT = 1 / 8  # of the shorter side
_LEAST = 1e-6  # of the weight in a window, below which nothing is known


def propagate(
    radius: Float[np.ndarray, "h w"],
    weight: Float[np.ndarray, "h w"],
    depth: Float[np.ndarray, "h w"],
    image: Float[np.ndarray, "h w 3"],
) -> tuple[Float[np.ndarray, "h w"], None]:
    """The map, see `eval.methods.propagations`; depth edges do not stop it."""
    del depth
    mean = mean_reading(radius, weight)
    reach = max(int(min(radius.shape) * EXTENT), 1)
    if not (weight > 0).any():
        return np.full(radius.shape, mean, np.float32), None
    read = weight > 0
    offset = np.where(read, radius - mean, 0).astype(np.float32)
    scaled = np.where(read, weight / weight.max(), 0).astype(np.float32)

    def program(*arrays: jax.Array) -> tuple[jax.Array]:
        return (_filter(*arrays, np.int32(reach)),)

    (result,) = bucketed(program, offset, scaled, image)
    return np.clip(result + mean, radius[read].min(), radius[read].max()), None


@jax.jit
def _filter(
    values: jax.Array, weight: jax.Array, image: jax.Array, size: jax.Array, reach: jax.Array
) -> jax.Array:
    """Fitted values in the unit of `values`; 0 where no window has weight."""
    grey = jnp.where(inside_mask(values.shape, size), image.mean(-1), 0)

    def total(plane: jax.Array) -> jax.Array:
        return box_sum(plane, reach)

    sum_w = total(weight)
    known = sum_w > _LEAST
    by = jnp.where(known, 1 / jnp.maximum(sum_w, _LEAST), 0)
    mean_i, mean_r = total(weight * grey) * by, total(weight * values) * by
    variance = jnp.maximum(total(weight * grey**2) * by - mean_i**2, 0)
    covariance = total(weight * grey * values) * by - mean_i * mean_r
    slope = covariance / (variance + EPSILON)
    offset = mean_r - slope * mean_i
    counted = jnp.where(known & inside_mask(values.shape, size), sum_w, 0)
    sum_c = total(counted)
    by = jnp.where(sum_c > _LEAST, 1 / jnp.maximum(sum_c, _LEAST), 0)
    return by * (total(counted * slope) * grey + total(counted * offset))


def box_sum(plane: Float[jax.Array, "h w"], reach: jax.Array) -> Float[jax.Array, "h w"]:
    """Sum over the window of 2 reach + 1 px to a side around every pixel, as far as it lies in the array."""
    for axis in (0, 1):
        length = plane.shape[axis]
        sums = jnp.cumsum(plane, axis=axis)
        sums = jnp.concatenate([jnp.zeros_like(jnp.take(sums, jnp.array([0]), axis=axis)), sums], axis=axis)
        place = jnp.arange(length, dtype=jnp.int32)
        upper = jnp.take(sums, jnp.minimum(place + reach + 1, length), axis=axis)
        plane = upper - jnp.take(sums, jnp.maximum(place - reach, 0), axis=axis)
    return plane
