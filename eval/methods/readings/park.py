"""Blur of an edge from hand-crafted features of the patch around it.

Park, Tai, Cho and Kweon, "A Unified Approach of Multi-Scale Deep and Hand-Crafted Features for Defocus Estimation",
CVPR 2017, section 3: the hand-crafted features of DHDE, without its network. A patch gives three groups of n features,
each log(1 + x) / n. What x is follows the paper; where bands and bins lie is this project's:

- of its discrete cosine transform: the sums of the magnitudes of coefficients of like frequency, n bands from low to
  high, as fractions of all;
- of its gradients: the histogram of their magnitudes, n bins, as fractions of the pixels;
- of its singular values: n of them, largest first, as fractions of their sum.

There are two scales: 15 px with n = 13 at strong edges, 27 px with n = 25 at weak ones, whose patches hold less to see.
The paper's classifier of 11 levels is a network over all features; here a regressor with one hidden layer reads the
radius from them. `python -m eval.tools.fit_park` fits it, on composed scenes, and wrote `park.npz` beside this file.

Settings: an edge point is strong if the gradient of the photo, smoothed by a Gaussian of 1 px, is above 0.05 per px,
which is this project's (the paper: Canny's two thresholds); every reading weighs 1.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float

from eval.methods.gaussian import gaussian_gradient
from eval.methods.maps.hifst import dct_basis
from eval.methods.stages import Readings
from jaxblur.edges.canny import brightness

SCALES = ((15, 13), (27, 25))  # side of a patch in px, and n; for strong and for weak edges
STRONG = 0.05  # per px
LEAST, MOST = 0.5, 6.0  # px, range of the radii that the regressor saw
FILE = Path(__file__).with_name("park.npz")
_BATCH = 1024  # points at a time
_GREATEST_GRADIENT = 0.5  # per px, where the last bin of the histogram ends; greater ones are in it


class Regressor(NamedTuple):
    """From n features to a radius: r = relu(((f - mean) / scale) W1 + b1) W2 + b2.

    Attributes:
      mean, scale: (f,) of the features.
      w1, b1, w2, b2: (f, k), (k,), (k,), ().
    """

    mean: np.ndarray
    scale: np.ndarray
    w1: np.ndarray
    b1: np.ndarray
    w2: np.ndarray
    b2: np.ndarray

    def __call__(self, features: Float[jax.Array, "n f"]) -> Float[jax.Array, " n"]:
        """Radius, px, within the range that was seen."""
        hidden = jax.nn.relu((features - self.mean[None]) / self.scale[None] @ self.w1 + self.b1[None])
        return jnp.clip(hidden @ self.w2 + self.b2, LEAST, MOST)


def read(image: Float[np.ndarray, "h w 3"], edges: Bool[np.ndarray, "h w"]) -> Readings:
    """Radius at edges, see the module and `eval.methods.readings`."""
    radius, weight = (np.zeros(edges.shape, np.float32) for _ in range(2))
    for scale, (points, features) in enumerate(features_at(image, edges)):
        if len(points):
            radius[tuple(points.T)] = np.asarray(_answer(regressors()[scale], features))[: len(points)]
            weight[tuple(points.T)] = 1
    return Readings(radius, weight)


def features_at(
    image: Float[np.ndarray, "h w 3"], edges: Bool[np.ndarray, "h w"]
) -> list[tuple[np.ndarray, Float[np.ndarray, "n f"]]]:
    """Points (row, col) of strong and of weak edges, and the features of their patches, in the order of `SCALES`.

    The features are padded with zeros to whole batches.
    """
    value = brightness(jnp.asarray(image))
    strong = np.asarray(_is_strong(value)) & edges
    found = []
    for (side, count), chosen in zip(SCALES, (strong, edges & ~strong), strict=True):
        points = np.argwhere(chosen).astype(np.int32)
        padded = np.pad(points, ((0, -len(points) % _BATCH), (0, 0)))
        batches = padded.reshape(-1, _BATCH, 2)
        parts = [np.asarray(_features(value, batch, side=side, count=count)) for batch in batches]
        found.append((points, np.concatenate(parts) if parts else np.zeros((0, 3 * count), np.float32)))
    return found


@functools.cache
def regressors() -> tuple[Regressor, ...]:
    """Those of both scales, from `park.npz`."""
    with np.load(FILE) as arrays:
        return tuple(
            Regressor(*(arrays[f"{name}_{scale}"] for name in Regressor._fields))
            for scale in range(len(SCALES))
        )


_answer = jax.jit(lambda regressor, features: Regressor(*regressor)(features))


@jax.jit
def _is_strong(value: jax.Array) -> jax.Array:
    down, right = gaussian_gradient(value, 1.0)
    return jnp.sqrt(down**2 + right**2) > STRONG


@functools.partial(jax.jit, static_argnames=("side", "count"))
def _features(value: jax.Array, points: jax.Array, *, side: int, count: int) -> jax.Array:
    padded = jnp.pad(value, side // 2 + 1, mode="edge")

    def cut(point: jax.Array) -> jax.Array:
        return lax.dynamic_slice(padded, (point[0], point[1]), (side + 2, side + 2))

    return patch_features(jax.vmap(cut)(points), count=count)


def patch_features(patches: Float[jax.Array, "n m m"], *, count: int) -> Float[jax.Array, "n f"]:
    """The three groups of `count` features, of patches with one pixel more on each side, for their gradients."""
    inner = patches[:, 1:-1, 1:-1]
    down = (patches[:, 2:, 1:-1] - patches[:, :-2, 1:-1]) / 2
    right = (patches[:, 1:-1, 2:] - patches[:, 1:-1, :-2]) / 2
    groups = (
        dct_bands(inner, count=count),
        gradient_histogram(jnp.sqrt(down**2 + right**2), count=count),
        singular_fractions(inner, count=count),
    )
    return jnp.concatenate([jnp.log1p(group) / count for group in groups], axis=-1)


def dct_bands(patches: Float[jax.Array, "n m m"], *, count: int) -> Float[jax.Array, "n k"]:
    """Fractions of the magnitude of all coefficients but the mean's, in bands of like row + column index."""
    side = patches.shape[-1]
    basis = dct_basis(side).astype(np.float32)
    magnitude = jnp.abs(jnp.einsum("ij,njk,lk->nil", basis, patches, basis)).reshape(len(patches), -1)
    order = np.add.outer(np.arange(side), np.arange(side)).ravel()  # 1 to 2 (side - 1)
    band = np.where(order > 0, (order - 1) * count // (2 * side - 2), -1)
    sums = magnitude @ jnp.asarray(band[:, None] == np.arange(count), magnitude.dtype)
    return sums / jnp.maximum(sums.sum(-1, keepdims=True), 1e-9)


def gradient_histogram(magnitude: Float[jax.Array, "n m m"], *, count: int) -> Float[jax.Array, "n k"]:
    """Fractions of the pixels, by the square root of their gradient: bins are narrow where most pixels are."""
    level = jnp.sqrt(magnitude / _GREATEST_GRADIENT) * count
    level = jnp.minimum(level.astype(jnp.int32), count - 1).reshape(len(magnitude), -1)
    return jnp.mean((level[..., None] == jnp.arange(count)[None, None]).astype(magnitude.dtype), axis=1)


def singular_fractions(patches: Float[jax.Array, "n m m"], *, count: int) -> Float[jax.Array, "n k"]:
    """The greatest singular values, as fractions of the sum of all."""
    values = jnp.linalg.svd(patches, compute_uv=False)
    return values[:, :count] / jnp.maximum(values.sum(-1, keepdims=True), 1e-9)
