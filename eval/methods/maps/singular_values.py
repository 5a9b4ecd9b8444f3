"""How much of a patch its first singular values hold: much where it is smooth.

Su, Lu and Tan, "Blurred Image Region Detection and Classification", ACM Multimedia 2011. With the singular
values lambda_1 >= lambda_2 >= ... of the patch around a pixel, the degree of blur is

    beta = sum of the first k / sum of all.

Settings: patches of 20 px, k = 5, every third pixel, linear between. A patch without any light counts as blurred.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, UInt8

from eval.bucket import bucketed, repeat_borders
from eval.methods.maps.windows import on_grid, to_pixels
from jaxblur.edges.canny import brightness

SIDE = 20  # px
FIRST = 5  # k
STEP = 3  # px


def blur_score(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """beta, see the module and `eval.methods.maps`."""
    return bucketed(_score, image)[0]


@jax.jit
def _score(image: jax.Array, size: jax.Array) -> tuple[jax.Array]:
    (value,) = repeat_borders(size, brightness(image.astype(jnp.float32) / 255))
    grid = on_grid(first_fraction, value, side=SIDE, step=STEP)
    return (jnp.clip(to_pixels(grid, value.shape, step=STEP), 0, 1),)


def first_fraction(patches: Float32[jax.Array, "n side side"]) -> Float32[jax.Array, " n"]:
    """beta of patches."""
    values = jnp.linalg.svd(patches, compute_uv=False)
    total = values.sum(-1)
    return jnp.where(total > 0, values[:, :FIRST].sum(-1) / jnp.where(total > 0, total, 1), 1)
