"""The networks over photos too large for one program: the tiles of `tiles`, one call each."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Shaped

from jaxblur.config import Precision, Readout
from jaxblur.image.size import Tiles, mirror
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
    readout: Readout,
    precision: Precision,
    advance: Callable[[int], None],
    skip: Callable[[int], None],
    workers: int = 1,
) -> EdgeReading:
    """The networks' reading at the edge points, in scan order; a tile without any costs nothing.

    Args:
      photo: uint8, uint16 or float32 in [0, 1].
      edges: where the networks are asked.
      weights: networks.
      tiles: parts that the networks see at once; no matter for the result.
      readout: see `readout.read_levels`.
      precision: see `jaxblur.Config`.
      advance: called after every tile, with its number of pixels.
      skip: called first, with the number of pixels of the photo less those of the tiles that will be read.
      workers: tiles that are read side by side.
    """
    margin, (height, width) = weights.network.margin, tiles[2:]
    masks = np.zeros((tiles.rows, height, tiles.columns, width), bool)  # one edge map per tile
    masks.reshape(tiles.shape)[: edges.shape[0], : edges.shape[1]] = edges
    skip(edges.size - height * width * int(masks.any((1, 3)).sum()))

    def around(first: int, length: int, whole: int) -> np.ndarray:
        return np.asarray(mirror(jnp.arange(first - margin, first + length + margin, dtype=jnp.int32), whole))

    bands = []
    with ThreadPoolExecutor(workers) as pool:
        for row in range(tiles.rows):
            lines = photo[around(row * height, height, photo.shape[0])]

            def read(col: int, row: int = row, lines: np.ndarray = lines) -> EdgeReading:
                view = _as_rgb(lines[:, around(col * width, width, photo.shape[1])])
                tile = _read_tile(weights, view, masks[row, :, col], readout=readout, precision=precision)
                return EdgeReading(*map(np.asarray, tile))

            band = EdgeReading(*np.zeros((4, height, tiles.columns * width), np.float32))
            columns = np.flatnonzero(masks[row].any((0, 2))).tolist()
            for col, tile in zip(columns, pool.map(read, columns), strict=True):
                for plane, values in zip(band, tile, strict=True):
                    plane[:, col * width : (col + 1) * width] = values
                advance(height * width)
            mask = masks[row].reshape(height, -1)
            bands.append([plane[mask] for plane in band])
    return EdgeReading(*(np.concatenate(values) for values in zip(*bands, strict=True)))


# One program for photos of any type: those of the networks take long to compile, and much memory.
_read_tile = functools.partial(jax.jit, static_argnames=("readout", "precision"))(read_tile)
_as_rgb = jax.jit(as_rgb)
