"""Sorted high-frequency coefficients of gradients, over several resolutions.

Golestaneh and Karam, "Spatially-Varying Blur Detection Based on Multiscale Fused and Sorted Transform Coefficients of
Gradient Magnitudes", CVPR 2017. The photo is smoothed slightly, and the patches of its gradient magnitude around a
pixel, of M = 7, 15, 31 and 63 px, are taken to the DCT. The magnitudes of their high-frequency coefficients, those on
and below the antidiagonal, are sorted together, smallest first. Layer t has the t-th of every pixel; the first sum of
all M layers are kept and each is scaled to [0, 1] over the photo. The sharpness of a pixel is

    D = T * omega,   T = greatest value of its layers,   omega = entropy of T in the window around it,

smoothed by the domain transform.

Settings: smoothing by a Gaussian of 0.5 px, windows of 7 px for the entropy, of 16 levels of T. Two are this project's:
the transforms are taken at every fourth pixel (the paper: every one), linear between; and the domain transform has
sigma_s = 15 px, sigma_r = 0.25. The score is 1 - D / its greatest value, so a photo that is sharp nowhere gets the same
scores as one that is: they compare within a photo only.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, UInt8

from eval.bucket import bucketed, repeat_borders
from eval.methods.gaussian import gaussian_smooth
from eval.methods.maps.windows import on_grid, to_pixels
from jaxblur import recursive_filter
from jaxblur.image.size import inside_mask

SIDES = (7, 15, 31, 63)  # px, M
LAYERS = sum(SIDES)
STEP = 4  # px
_SMOOTHING = 0.5  # px
_ENTROPY_SIDE, _LEVELS = 7, 16
_SIGMA_S, _SIGMA_R = 15.0, 0.25  # px, and of the photo


def blur_score(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """See the module and `eval.methods.maps`."""
    return bucketed(_score, image)[0]


@jax.jit
def _score(image: jax.Array, size: jax.Array) -> tuple[jax.Array]:
    grey = image.astype(jnp.float32).mean(-1) / 255
    (grey,) = repeat_borders(size, grey)
    by_row, by_col = jnp.gradient(gaussian_smooth(grey, _SMOOTHING))
    layers = sorted_layers(jnp.sqrt(by_row**2 + by_col**2))
    inside = inside_mask(grey.shape, size)
    on_photo = inside[::STEP, ::STEP, None]
    least = jnp.min(jnp.where(on_photo, layers, jnp.inf), axis=(0, 1))
    most = jnp.max(jnp.where(on_photo, layers, 0), axis=(0, 1))
    spread = jnp.maximum(most - least, 1e-9)
    scaled = jnp.clip((layers - least[None, None]) / spread[None, None], 0, 1)
    greatest = to_pixels(scaled.max(-1), grey.shape, step=STEP)
    sharpness = recursive_filter(
        jnp.where(inside, greatest * local_entropy(greatest), 0),
        grey[..., None],
        sigma_s=_SIGMA_S,
        sigma_r=_SIGMA_R,
        size=(size[0], size[1]),
    )
    return (1 - jnp.clip(sharpness / jnp.maximum(sharpness.max(), 1e-9), 0, 1),)


def sorted_layers(gradient: Float32[jax.Array, "h w"]) -> Float32[jax.Array, "h2 w2 layers"]:
    """The smallest `LAYERS` high-frequency magnitudes of every fourth pixel, in order."""
    found = [
        on_grid(lambda patches, side=side: high_frequencies(patches, side), gradient, side=side, step=STEP)
        for side in SIDES
    ]
    together = jnp.concatenate(found, axis=-1)
    return jax.lax.map(lambda row: -jax.lax.top_k(-row, LAYERS)[0], together)


def high_frequencies(patches: Float32[jax.Array, "n m m"], side: int) -> Float32[jax.Array, "n k"]:
    """Magnitudes of the orthonormal DCT on and below the antidiagonal, k = side (side + 1) / 2 of them."""
    basis = dct_basis(side).astype(np.float32)
    coefficients = jnp.einsum("ij,njk,lk->nil", basis, patches, basis)
    rows, columns = np.indices((side, side))
    chosen = np.flatnonzero((rows + columns >= side - 1).ravel())
    return jnp.abs(coefficients.reshape(len(patches), -1)[:, chosen])


def dct_basis(side: int) -> np.ndarray:
    """Orthonormal DCT-II, a row for each frequency."""
    frequency, place = np.indices((side, side))
    basis = np.cos(np.pi * (2 * place + 1) * frequency / (2 * side)) * np.sqrt(2 / side)
    basis[0] /= np.sqrt(2)
    return basis


def local_entropy(values: Float32[jax.Array, "h w"]) -> Float32[jax.Array, "h w"]:
    """Entropy (bits) of the levels of values in [0, 1], in the window around every pixel."""
    level = jnp.minimum((values * _LEVELS).astype(jnp.int32), _LEVELS - 1)
    padded = jnp.pad(level, _ENTROPY_SIDE // 2, mode="edge")
    entropy = jnp.zeros_like(values)
    for each in range(_LEVELS):
        count = (padded == each).astype(values.dtype)
        for window in ((_ENTROPY_SIDE, 1), (1, _ENTROPY_SIDE)):
            count = jax.lax.reduce_window(count, 0.0, jax.lax.add, window, (1, 1), "VALID")
        part = count / _ENTROPY_SIDE**2
        entropy -= part * jnp.log2(jnp.maximum(part, 1e-9))
    return entropy
