"""The networks' reading of a photo and of its halves, in one compiled program."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblur.config import Config
from jaxblur.edges.canny import detect_edges
from jaxblur.image.pyramid import count_scales, count_scales_traced, halve, halve_edges
from jaxblur.image.size import Tiles, inside_mask, size_bucket
from jaxblur.network.readout import EdgeReading
from jaxblur.network.tiles import read_tiles
from jaxblur.network.weights import Weights


def read_scales(
    weights: Weights,
    image: Float[Array, "h w 3"],
    size: Int[Array, " 2"],
    edges: Bool[Array, "h w"],
    *,
    given: bool,
    tiles: Tiles,
    config: Config,
) -> list[tuple[EdgeReading, Bool[Array, "h2 w2"]]]:
    """Readings and edges of every scale that the bucket has room for, finest first, each in pixels of its scale.

    Scales that the photo itself is too small for (`pyramid.count_scales`) have no edges.

    Args:
      weights: networks.
      image: sRGB-coded in [0, 1], in the top-left corner of a bucket.
      size: true (height, width).
      edges: of the photo itself.
      given: whether these edges came from the caller: then they are used at every scale, else each scale has its own.
      tiles: of the photo itself.
      config: settings; the readout is always the expectation.
    """
    reader = dataclasses.replace(config, readout="expectation")
    scales = count_scales_traced(size)
    readings = [(read_tiles(weights, image, size, edges, tiles=tiles, config=reader), edges)]
    for scale in range(1, count_scales(*image.shape[:2])):
        image, edges, size = halve(image), halve_edges(edges), jnp.maximum(size // 2, 1)
        tiles = size_bucket(image.shape[0], image.shape[1])
        image, edges = _fill_bucket(image, tiles), _fill_bucket(edges, tiles)
        if not given:
            edges = detect_edges(image, config=config.edges, size=(size[0], size[1]))
        inside = inside_mask(
            edges.shape, (size[0], size[1])
        )  # half a row or column at the border is left out
        edges = edges & inside & (scale < scales)  # a tile without edges costs nothing
        readings.append((read_tiles(weights, image, size, edges, tiles=tiles, config=reader), edges))
    return readings


def _fill_bucket(array: jax.Array, tiles: Tiles) -> jax.Array:
    rows, cols, tile_height, tile_width = tiles
    fill = [(0, rows * tile_height - array.shape[0]), (0, cols * tile_width - array.shape[1])]
    return jnp.pad(array, fill + [(0, 0)] * (array.ndim - 2))
