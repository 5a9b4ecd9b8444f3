"""The estimate of photos too large for one program: full frames on the host, tiles and strips on the device.

Its stages and their arithmetic are those of `pipeline.estimate_padded`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from jaxblur.config import Config
from jaxblur.edges.canny_strips import detect_edges_in_strips
from jaxblur.image.pyramid import count_scales, halve_edges
from jaxblur.image.size import MAX_TILE, Tiles, size_bucket
from jaxblur.image.strips import Strips
from jaxblur.multiscale.fuse_strips import (
    DepthPoints,
    ScalePoints,
    barrier_weights,
    spread_in_strips,
    spread_passes,
    weigh_points,
)
from jaxblur.network.readout import EdgeReading
from jaxblur.network.tiles_strips import halve_in_strips, read_points
from jaxblur.network.weights import Weights
from jaxblur.propagation.single_scale_strips import filter_passes, propagate_in_strips
from jaxblur.runtime import memory

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
    parts = _Parts(max_tile, strip_pixels)
    # The result does not share its memory with what was passed in.
    given = None if edges is None else edges.copy()
    if config.pyramid and weights.network.pyramid:
        return _estimate_at_all_scales(photo, weights, given, config, parts, progress)
    pixels = photo.shape[0] * photo.shape[1]
    work = _Work(progress, pixels * (_EDGE_COST + _NETWORK_COST + _PASS_COST * filter_passes(config)))
    edges, reading = _read(photo, given, weights, config, parts, work)
    radius, confidence, depth_edges = propagate_in_strips(
        photo,
        edges,
        reading,
        parts.of(photo)[1],
        config=config,
        advance=lambda: work.advance(_PASS_COST * pixels),
    )
    return radius, confidence, edges, depth_edges, _sparse(edges, depth_edges, reading.radius)


def _estimate_at_all_scales(
    photo: np.ndarray,
    weights: Weights,
    given: Any,
    config: Config,
    parts: "_Parts",
    progress: Progress | None,
) -> Results:
    """`estimate_large` with the third stage."""
    parameters = weights.variables["params"]["spread"]
    reader = dataclasses.replace(config, readout="expectation")
    height, width = photo.shape[:2]
    scales, passes = count_scales(height, width), spread_passes(parameters, config)
    pixels = sum((height >> scale) * (width >> scale) for scale in range(scales))
    work = _Work(progress, (_EDGE_COST + _NETWORK_COST) * pixels + _PASS_COST * passes * height * width)

    points: list[ScalePoints] = []
    edges, reading = _read(photo, given, weights, reader, parts, work)
    points.append(weigh_points(edges, reading, parameters, weights.network, scale=0, scales=scales))
    radius, depth = reading.radius, [DepthPoints(edges, reading.depth)]
    del reading
    image = photo
    for scale in range(1, scales):
        image = halve_in_strips(image, parts.of(image)[1])
        given = None if given is None else halve_edges(given)
        own, reading = _read(image, given, weights, reader, parts, work)
        points.append(weigh_points(own, reading, parameters, weights.network, scale=scale, scales=scales))
        depth.append(DepthPoints(own, reading.depth))
        del reading
    del image

    strips = parts.of(photo)[1]
    options = {"config": config, "advance": lambda: work.advance(_PASS_COST * height * width)}
    barriers = barrier_weights(photo, depth, parameters, strips, **options)
    depth_edges = np.zeros(edges.shape, bool)
    depth_edges[edges] = depth[0].depth > 0.5
    del depth
    result = spread_in_strips(points, barriers, parameters, strips, **options)
    del points, barriers
    return *result, edges, depth_edges, _sparse(edges, depth_edges, radius)


def _read(
    photo: np.ndarray,
    given: np.ndarray | None,
    weights: Weights,
    config: Config,
    parts: "_Parts",
    work: "_Work",
) -> tuple[Bool[np.ndarray, "h w"], EdgeReading]:
    """Edges, unless they are given, and what the networks say there."""
    tiles, strips = parts.of(photo)
    edges = detect_edges_in_strips(photo, strips, config=config.edges) if given is None else given
    work.advance(_EDGE_COST * edges.size)
    reading = read_points(
        photo,
        edges,
        weights,
        tiles=tiles,
        config=config,
        advance=lambda pixels: work.advance(_NETWORK_COST * pixels),
        skip=lambda pixels: work.skip(_NETWORK_COST * pixels),
    )
    memory.release_unused()
    return edges, reading


def _sparse(edges: np.ndarray, depth_edges: np.ndarray, radius: np.ndarray) -> Float[np.ndarray, "h w"]:
    """Radius at pattern edges, NaN elsewhere."""
    sparse = np.full(edges.shape, np.nan, np.float32)
    sparse[edges] = radius
    sparse[depth_edges] = np.nan
    return sparse


@dataclasses.dataclass(frozen=True)
class _Parts:
    """How photos are cut."""

    max_tile: int
    strip_pixels: int

    def of(self, photo: np.ndarray) -> tuple[Tiles, Strips]:
        height, width = photo.shape[:2]
        tiles = size_bucket(height, width, max_tile=self.max_tile)
        columns = tiles[1] * tiles[3]
        rows = max(min(self.strip_pixels // columns, tiles[0] * tiles[2]), 1)
        return tiles, Strips(height, width, rows, columns)


class _Work:
    """How much is done of a total that is known better once the edges are: the share that is told never falls."""

    def __init__(self, progress: Progress | None, total: float):
        self.progress, self.total, self.done, self.share = progress, total, 0.0, 0.0

    def advance(self, cost: float) -> None:
        self.done += cost
        self.share = max(self.share, min(self.done / self.total, 1.0))
        if self.progress is not None:
            self.progress(self.share)

    def skip(self, cost: float) -> None:
        self.total -= cost
