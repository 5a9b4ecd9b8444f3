"""The photo and its halves: on a smaller copy, blur too wide for the networks becomes one of their levels.

Scale s is the photo reduced 2^s times; its pixels are 2^s px of the photo wide, and so are the radii read there.
"""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur.image.size import Size
from jaxblur.image.strips import Strips
from jaxblur.image.values import as_rgb

AnyArray = TypeVar("AnyArray", jax.Array, np.ndarray)

MAX_SCALES = 4  # 1, 1/2, 1/4, 1/8: with levels up to 6 px, radii up to 48 px
LEAST_SIDE = 48  # px of the shorter side; a smaller copy is hardly more than one patch


def count_scales(height: int, width: int) -> int:
    """Number of scales of a photo, at least the photo itself."""
    return max(sum(min(height, width) >> scale >= LEAST_SIDE for scale in range(MAX_SCALES)), 1)


def count_scales_traced(size: Size) -> Int[Array, ""]:
    """`count_scales` of a size (height, width) that is known only when the program runs."""
    shorter = jnp.minimum(jnp.asarray(size[0], jnp.int32), jnp.asarray(size[1], jnp.int32))
    sides = shorter >> jnp.arange(MAX_SCALES, dtype=jnp.int32)
    return jnp.maximum(jnp.sum(sides >= LEAST_SIDE, dtype=jnp.int32), 1)


def halve(image: Float[AnyArray, "h w *c"]) -> Float[AnyArray, "h2 w2 *c"]:
    """Means of 2x2 pixels; a last odd row or column is left out. Works on NumPy and JAX arrays alike."""
    rows, cols = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    image = image[:rows, :cols]
    upper, lower = image[0::2], image[1::2]
    quarter = np.asarray(0.25, image.dtype)
    return ((upper[:, 0::2] + upper[:, 1::2]) + (lower[:, 0::2] + lower[:, 1::2])) * quarter


def halve_edges(edges: Bool[AnyArray, "h w"]) -> Bool[AnyArray, "h2 w2"]:
    """Edges of the halved photo where any of the 2x2 pixels is one. Works on NumPy and JAX arrays alike."""
    rows, cols = edges.shape[0] // 2 * 2, edges.shape[1] // 2 * 2
    edges = edges[:rows, :cols]
    upper, lower = edges[0::2], edges[1::2]
    return upper[:, 0::2] | upper[:, 1::2] | lower[:, 0::2] | lower[:, 1::2]


def halve_in_strips(photo: Shaped[np.ndarray, "h w 3"], strips: Strips) -> Float[np.ndarray, "h2 w2 3"]:
    """`pyramid.halve` of the photo in float32, with the numbers of the one program."""
    height, width = photo.shape[0] // 2, photo.shape[1] // 2
    # No pair of rows may be torn apart; columns are even, as they are those of a bucket.
    whole = strips._replace(rows=max(strips.rows // 2 * 2, 2))
    half = Strips(height, width, whole.rows // 2, whole.columns // 2)
    halved = np.empty((height, width, 3), np.float32)
    for start in half.starts():
        half.put(halved, start, _halve(whole.cut(photo, 2 * start)))
    return halved


@jax.jit
def _halve(view: Shaped[Array, "r w 3"]) -> Float[Array, "r2 w2 3"]:
    return halve(as_rgb(view))


def cover(
    plane: Shaped[Array, "h2 w2"] | Shaped[np.ndarray, "h2 w2"], scale: int, shape: tuple[int, ...]
) -> Shaped[Array, "h w"]:
    """Values of a scale at all the pixels of the photo that they stand for; 0 in a last odd row or column.

    Arguments as for `place`.
    """
    step = 2**scale
    rows, cols = (-(-length // step) for length in shape)
    full = jnp.repeat(jnp.repeat(plane[:rows, :cols], step, axis=0), step, axis=1)
    full = full[: shape[0], : shape[1]]
    return jnp.pad(full, [(0, length - own) for length, own in zip(shape, full.shape, strict=True)])


def place(plane: Shaped[Array, "h2 w2"], scale: int, shape: tuple[int, ...]) -> Shaped[Array, "h w"]:
    """Values of a scale at the middle of the pixels of the photo that they stand for; 0 between them.

    Args:
      plane: of scale `scale`; what would lie beyond the photo is left out.
      scale: number of halvings.
      shape: height and width of the photo.
    """
    if scale == 0:
        return plane
    step, middle = 2**scale, 2 ** (scale - 1)
    rows, cols = ((length - middle + step - 1) // step for length in shape)
    full = jnp.zeros(shape, plane.dtype)
    return full.at[middle::step, middle::step].set(plane[:rows, :cols])
