"""The estimate of photos too large for one program: full frames on the host, tiles and strips on the device.

Its stages and their arithmetic are those of `pipeline.estimate_padded`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Shaped

from jaxblur.config import Config
from jaxblur.image import as_rgb
from jaxblur.large_edges import detect_edges_in_strips
from jaxblur.large_propagation import filter_passes, propagate_in_strips
from jaxblur.strips import Strips
from jaxblur.tiles import MAX_TILE, EdgeReading, Tiles, mirror, read_tile, size_bucket
from jaxblur.weights import Weights

STRIP_PIXELS = 1 << 19  # about; what a strip takes then fits into the cache

# Microseconds of one core per pixel, roughly: what the progress goes by. The networks' are those of tiles with edges.
_EDGE_COST, _NETWORK_COST, _PASS_COST = 0.15, 30.0, 0.026

Progress = Callable[[float], None]
Results = tuple[
    Float[np.ndarray, "h w"],
    Float[np.ndarray, "h w"],
    Bool[np.ndarray, "h w"],
    Bool[np.ndarray, "h w"],
    Float[np.ndarray, "h w"],
]


def estimate_large(
    photo: Shaped[np.ndarray, "h w 3"],
    weights: Weights,
    *,
    edges: Bool[np.ndarray, "h w"] | None,
    config: Config,
    progress: Progress | None = None,
    max_tile: int = MAX_TILE,
    strip_pixels: int = STRIP_PIXELS,
) -> Results:
    """The fields of `BlurEstimate` for a checked photo; arguments as in `pipeline.estimate`.

    Args:
      photo: uint8, uint16 or float32.
      weights: networks.
      edges: edge map, or None to detect them.
      config: settings.
      progress: called with the share of the work that is done.
      max_tile: largest side of the parts that the networks see at once, px; no matter for the result.
      strip_pixels: size of the strips that edges and filter see at once, about; no matter for the result.
    """
    height, width = photo.shape[:2]
    tiles = size_bucket(height, width, max_tile=max_tile)
    columns = tiles[1] * tiles[3]
    strips = Strips(height, width, max(min(strip_pixels // columns, tiles[0] * tiles[2]), 1), columns)
    work = _Work(progress, height * width * (_EDGE_COST + _PASS_COST * filter_passes(config)))
    work.total += _NETWORK_COST * height * width
    if edges is None:
        edges = detect_edges_in_strips(photo, strips, config=config.edges)
    else:  # the result does not share its memory with what was passed in
        edges = edges.copy()
    work.advance(_EDGE_COST * height * width)
    reading = _read_points(photo, edges, weights, tiles, config, work)
    radius, confidence, depth_edges = propagate_in_strips(
        photo,
        edges,
        reading,
        strips,
        config=config,
        advance=lambda: work.advance(_PASS_COST * height * width),
    )
    sparse = np.full((height, width), np.nan, np.float32)
    sparse[edges] = reading.radius
    sparse[depth_edges] = np.nan
    return radius, confidence, edges, depth_edges, sparse


class _Work:
    """How much is done of a total that may turn out smaller."""

    def __init__(self, progress: Progress | None, total: float):
        self.progress, self.total, self.done = progress, total, 0.0

    def advance(self, cost: float) -> None:
        self.done += cost
        if self.progress is not None:
            self.progress(min(self.done / self.total, 1.0))


def _read_points(
    photo: np.ndarray, edges: np.ndarray, weights: Weights, tiles: Tiles, config: Config, work: _Work
) -> EdgeReading:
    """The networks' reading at the edge points, in scan order; a tile without any costs nothing."""
    rows, cols, height, width = tiles
    margin = weights.network.margin
    masks = np.zeros((rows, height, cols, width), bool)  # one edge map per tile
    masks.reshape(rows * height, cols * width)[: edges.shape[0], : edges.shape[1]] = edges
    work.total -= _NETWORK_COST * (edges.size - height * width * int(masks.any((1, 3)).sum()))

    def around(first: int, length: int, whole: int) -> np.ndarray:
        return np.asarray(mirror(jnp.arange(first - margin, first + length + margin, dtype=jnp.int32), whole))

    bands = []
    for row in range(rows):
        band = EdgeReading(*np.zeros((3, height, cols * width), np.float32))
        lines = photo[around(row * height, height, photo.shape[0])]
        for col in np.flatnonzero(masks[row].any((0, 2))).tolist():
            view = lines[:, around(col * width, width, photo.shape[1])]
            tile = _read_tile(weights, view, masks[row, :, col], config=config)
            for plane, values in zip(band, tile, strict=True):
                plane[:, col * width : (col + 1) * width] = values
            work.advance(_NETWORK_COST * height * width)
        mask = masks[row].reshape(height, -1)
        bands.append([plane[mask] for plane in band])
    return EdgeReading(*(np.concatenate(values) for values in zip(*bands, strict=True)))


@functools.partial(jax.jit, static_argnames="config")
def _read_tile(weights: Weights, view: jax.Array, mask: jax.Array, *, config: Config) -> EdgeReading:
    return read_tile(weights, as_rgb(view), mask, config=config)
