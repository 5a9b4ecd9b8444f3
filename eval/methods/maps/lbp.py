"""How many of the local patterns around a pixel are those that blurred regions lack.

Yi and Eramian, "LBP-Based Segmentation of Defocus Blur", IEEE TIP 25, 2016. The pattern LBP(riu2, 8, 1) of a pixel
compares it with 8 neighbours on a circle of radius 1: bit s_p = 1 where neighbour - pixel >= T. It is the number of
ones if at most two neighbouring bits differ around the circle (uniform), else 9. Blurred regions hardly have the
patterns 6 to 9, so the sharpness of a pixel is their fraction among the N pixels of its window:

    m = 1 / N * sum over i = 6 ... 9 of n(LBP = i)

Settings: T = 0.016 of values in [0, 1], windows of 11, 15 and 21 px as in the paper. The score is 1 - the mean of the
three m. The paper then segments by matting and multi-scale inference, which this leaves out.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Float32, Int32, UInt8

from eval.bucket import bucketed, repeat_borders

THRESHOLD = 0.016
SIDES = (11, 15, 21)  # px
_POINTS = 8


def blur_score(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """See the module and `eval.methods.maps`."""
    return bucketed(_score, image)[0]


@jax.jit
def _score(image: jax.Array, size: jax.Array) -> tuple[jax.Array]:
    (value,) = repeat_borders(size, image.astype(jnp.float32).mean(-1) / 255)
    found = (patterns(value) >= 6).astype(jnp.float32)
    sharpness = jnp.stack([_fraction(found, side) for side in SIDES])
    return (1 - sharpness.mean(0),)


def patterns(value: Float32[jax.Array, "h w"]) -> Int32[jax.Array, "h w"]:
    """LBP(riu2, 8, 1) of every pixel, 0 to 9; neighbours between pixels are interpolated, the border is repeated."""
    padded = jnp.pad(value, 1, mode="edge")
    rows, columns = (plane + 1.0 for plane in jnp.indices(value.shape, dtype=value.dtype))
    bits = []
    for point in range(_POINTS):
        angle = 2 * math.pi * point / _POINTS
        neighbour = map_coordinates(
            padded, [rows - round(math.sin(angle), 9), columns + round(math.cos(angle), 9)], 1
        )
        bits.append((neighbour - value >= THRESHOLD).astype(jnp.int32))
    ones = sum(bits)
    changes = sum(abs(bits[point] - bits[point - 1]) for point in range(_POINTS))
    return jnp.where(changes <= 2, ones, _POINTS + 1)


def _fraction(found: jax.Array, side: int) -> jax.Array:
    padded = jnp.pad(found, side // 2, mode="edge")
    for window in ((side, 1), (1, side)):
        padded = jax.lax.reduce_window(padded, 0.0, jax.lax.add, window, (1, 1), "VALID")
    return padded / side**2
