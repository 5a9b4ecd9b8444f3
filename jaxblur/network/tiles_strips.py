"""What the networks say about photos too large for one program, tile by tile; and the halves of such photos."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from jaxblur.config import Config
from jaxblur.image.pyramid import halve
from jaxblur.image.size import Tiles, mirror
from jaxblur.image.strips import Strips
from jaxblur.image.values import as_rgb
from jaxblur.network.readout import EdgeReading
from jaxblur.network.tiles import read_tile
from jaxblur.network.weights import Weights


def read_points(
    photo: Shaped[np.ndarray, "h w 3"],
    edges: Bool[np.ndarray, "h w"],
    weights: Weights,
    *,
    tiles: Tiles,
    config: Config,
    advance: Callable[[int], None],
    skip: Callable[[int], None],
) -> EdgeReading:
    """The networks' reading at the edge points, in scan order; a tile without any costs nothing.

    Args:
      photo: uint8, uint16 or float32 in [0, 1].
      edges: where the networks are asked.
      weights: networks.
      tiles: parts that the networks see at once; no matter for the result.
      config: settings.
      advance: called after every tile, with its number of pixels.
      skip: called first, with the number of pixels of the photo less those of the tiles that will be read.
    """
    rows, cols, height, width = tiles
    margin = weights.network.margin
    masks = np.zeros((rows, height, cols, width), bool)  # one edge map per tile
    masks.reshape(rows * height, cols * width)[: edges.shape[0], : edges.shape[1]] = edges
    skip(edges.size - height * width * int(masks.any((1, 3)).sum()))

    def around(first: int, length: int, whole: int) -> np.ndarray:
        return np.asarray(mirror(jnp.arange(first - margin, first + length + margin, dtype=jnp.int32), whole))

    bands = []
    for row in range(rows):
        band = EdgeReading(*np.zeros((4, height, cols * width), np.float32))
        lines = photo[around(row * height, height, photo.shape[0])]
        for col in np.flatnonzero(masks[row].any((0, 2))).tolist():
            view = lines[:, around(col * width, width, photo.shape[1])]
            tile = _read_tile(weights, _as_rgb(view), masks[row, :, col], config=config)
            for plane, values in zip(band, tile, strict=True):
                plane[:, col * width : (col + 1) * width] = values
            advance(height * width)
        mask = masks[row].reshape(height, -1)
        bands.append([plane[mask] for plane in band])
    return EdgeReading(*(np.concatenate(values) for values in zip(*bands, strict=True)))


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


# One program for photos of any type: those of the networks take long to compile, and much memory.
_read_tile = functools.partial(jax.jit, static_argnames="config")(read_tile)
_as_rgb = jax.jit(as_rgb)


@jax.jit
def _halve(view: Shaped[Array, "r w 3"]) -> Float[Array, "r2 w2 3"]:
    return halve(as_rgb(view))
