"""Power at all frequencies of a patch: blur takes it from the high ones.

Shi, Xu and Jia, "Discriminative Blur Detection Features", CVPR 2014, section 3.2. With the power spectrum J of a patch,
averaged over directions, the feature is the sum of log J over the radial frequencies omega; it is the lower, the more
the patch is blurred. Here it is the mean over omega, so that it does not depend on the size of the patch, and

    score = 1 / (1 + exp(mean of log J - CENTRE)),

which keeps the order and is a score in [0, 1].

Settings: patches of 17 px with a Hann window and their mean removed, every second pixel, linear between; J is that of
values in [0, 1], plus 1e-6. The paper combines it with other features and scales, and trains a classifier on all.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, UInt8

from eval.bucket import bucketed, repeat_borders
from eval.methods.maps.windows import on_grid, to_pixels
from jaxblur.edges.canny import brightness

SIDE = 17  # px
STEP = 2  # px
CENTRE = -4.0  # mean of log J where the score is one half
_FLOOR = 1e-6


def blur_score(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """See the module and `eval.methods.maps`."""
    return bucketed(_score, image)[0]


@jax.jit
def _score(image: jax.Array, size: jax.Array) -> tuple[jax.Array]:
    (value,) = repeat_borders(size, brightness(image.astype(jnp.float32) / 255))
    grid = on_grid(mean_log_power, value, side=SIDE, step=STEP)
    return (jax.nn.sigmoid(CENTRE - to_pixels(grid, value.shape, step=STEP)),)


def mean_log_power(patches: Float32[jax.Array, "n side side"]) -> Float32[jax.Array, " n"]:
    """Mean over radial frequencies of log J."""
    window = np.hanning(SIDE + 2)[1:-1]
    window = np.outer(window, window)
    weighted = (patches - patches.mean((1, 2), keepdims=True)) * window[None].astype(np.float32)
    power = jnp.abs(jnp.fft.fft2(weighted)) ** 2 / np.float32((window**2).sum())
    frequency = np.fft.fftfreq(SIDE) * SIDE
    ring = np.round(np.hypot(*np.meshgrid(frequency, frequency))).astype(int).ravel()
    rings = np.arange(1, SIDE // 2 + 1)
    average = (ring == rings[:, None]) / (ring == rings[:, None]).sum(1, keepdims=True)
    radial = power.reshape(len(patches), -1) @ jnp.asarray(average.T, power.dtype)
    return jnp.log(radial + _FLOOR).mean(-1)
