"""Heavy tails of the gradients around a pixel: blur takes the great ones away.

Shi, Xu and Jia, "Discriminative Blur Detection Features", CVPR 2014, section 3.1. With the kurtosis
K(x) = E[x^4] / E[x^2]^2 - 3 of the derivatives along rows and columns in a patch, the feature is

    min(ln(K(down) + 3), ln(K(right) + 3)),

the lower, the more the patch is blurred. It does not change with contrast. The score is exp(-feature), in [0, 1], since
K + 3 >= 1.

Settings: patches of 21 px; E[x^2] has a floor of (1/255)^2 / 12, the variance of rounding to 8 bits, so that patches of
nothing but rounding count as blurred: E[x^4] is replaced by max(E[x^4], E[x^2]^2) with the same floor.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, UInt8

from eval.bucket import bucketed, repeat_borders
from jaxblur.edges.canny import brightness

SIDE = 21  # px
_FLOOR = (1 / 255) ** 2 / 12


def blur_score(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """See the module and `eval.methods.maps`."""
    return bucketed(_score, image)[0]


@jax.jit
def _score(image: jax.Array, size: jax.Array) -> tuple[jax.Array]:
    (value,) = repeat_borders(size, brightness(image.astype(jnp.float32) / 255))
    return (1 / jnp.minimum(*(raw_kurtosis(slope) for slope in jnp.gradient(value))),)


def raw_kurtosis(slope: Float32[jax.Array, "h w"]) -> Float32[jax.Array, "h w"]:
    """E[x^4] / E[x^2]^2 around every pixel, at least 1; the border is repeated."""
    square = _mean(slope**2) + _FLOOR
    return jnp.maximum(_mean(slope**4) / square**2, 1)


def _mean(plane: jax.Array) -> jax.Array:
    padded = jnp.pad(plane, SIDE // 2, mode="edge")
    for axis in (0, 1):
        window = (SIDE, 1) if axis == 0 else (1, SIDE)
        padded = jax.lax.reduce_window(padded, 0.0, jax.lax.add, window, (1, 1), "VALID") / SIDE
    return padded
