"""The stages of photos too large for one program: full frames on the host, tiles and strips on the device."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Bool, Float, Shaped

from jaxblur.config import Config, MultiScale, Readout, SingleScale
from jaxblur.edges.canny_tiles import detect_edges_in_tiles
from jaxblur.image import pyramid
from jaxblur.image.size import MAX_TILE, Tiles, equal_tiles
from jaxblur.image.strips import Strips
from jaxblur.multiscale.fuse_strips import fuse_in_strips, fusion_passes
from jaxblur.multiscale.run import Map, Stages, choose_propagation, choose_readout
from jaxblur.network.readout import EdgeReading, ScaleReading
from jaxblur.network.tiles_strips import read_points
from jaxblur.network.weights import Weights
from jaxblur.propagation.single_scale import is_depth
from jaxblur.propagation.single_scale_strips import propagate_in_strips, propagation_passes
from jaxblur.runtime import memory

STRIP_PIXELS = 1 << 19  # about; what a strip takes then fits into the cache

# Microseconds of one core per pixel, roughly: what the progress goes by. The networks' are those of tiles with edges.
_EDGE_COST, _NETWORK_COST, _PASS_COST = 0.15, 30.0, 0.026

Photo = Shaped[np.ndarray, "h w 3"]
Progress = Callable[[float], None]
"""Called with the fraction of the work that is done, 0 to 1."""


def tile_side() -> int:
    """Side of the networks' tiles, px: what a CPU's caches like, or what fills an accelerator."""
    return 128 if jax.default_backend() == "cpu" else MAX_TILE


class InStrips(Stages):
    """Stages whose photos are NumPy arrays (uint8, uint16 or float32), readings lists of points in scan order.

    Args:
      weights: networks, and parameters of the fusion.
      photo: the photo itself; the total of the work depends on its size.
      config: settings.
      progress: called as the work goes on.
      workers: tiles that are read side by side, in threads; no matter for the result.
      tile: side of the parts that the networks see at once, px; None: `tile_side()`. No matter for the result.
      strip_pixels: size of the strips that edges and filter see at once, about; no matter for the result.
    """

    def __init__(
        self,
        weights: Weights,
        photo: Photo,
        config: Config,
        *,
        progress: Progress | None = None,
        workers: int = 1,
        tile: int | None = None,
        strip_pixels: int = STRIP_PIXELS,
    ):
        self.weights, self.config, self.strip_pixels = weights, config, strip_pixels
        self.tile, self.workers = tile_side() if tile is None else tile, workers
        way = choose_propagation(config, weights)
        self._readout: Readout = choose_readout(way)
        self._work = _Work(progress, self._total_cost(photo, way))

    def count_scales(self, photo: Photo) -> int:
        """See `run.Stages`."""
        return pyramid.count_scales(*photo.shape[:2])

    def find_edges(self, photo: Photo, given: Bool[np.ndarray, "h w"] | None) -> Bool[np.ndarray, "h w"]:
        """See `run.Stages`."""
        if given is None:
            edges = detect_edges_in_tiles(photo, config=self.config.edges)
        else:
            edges = given.copy()  # the result does not share its memory with what was passed in
        self._work.advance(_EDGE_COST * edges.size)
        return edges

    def read(self, photo: Photo, edges: Bool[np.ndarray, "h w"]) -> EdgeReading:
        """See `run.Stages`."""
        reading = read_points(
            photo,
            edges,
            self.weights,
            tiles=self._tiles(photo),
            readout=self._readout,
            precision=self.config.precision,
            advance=lambda pixels: self._work.advance(_NETWORK_COST * pixels),
            skip=lambda pixels: self._work.skip(_NETWORK_COST * pixels),
            workers=self.workers,
        )
        memory.release_unused()
        return reading

    def halve(self, photo: Photo) -> Float[np.ndarray, "h2 w2 3"]:
        """See `run.Stages`."""
        return pyramid.halve_in_strips(photo, self._strips(photo))

    def halve_edges(self, edges: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h2 w2"]:
        """See `run.Stages`."""
        return pyramid.halve_edges(edges)

    def find_depth_edges(self, finest: ScaleReading) -> Bool[np.ndarray, "h w"]:
        """See `run.Stages`."""
        depth_edges = np.zeros(finest.edges.shape, bool)
        depth_edges[finest.edges] = is_depth(finest.reading.depth)
        return depth_edges

    def propagate(self, photo: Photo, finest: ScaleReading, way: SingleScale) -> Map:
        """See `run.Stages`."""
        radius, confidence = propagate_in_strips(
            photo,
            finest.edges,
            finest.reading,
            self._strips(photo),
            config=way,
            method=self.config.recursion,
            advance=lambda: self._work.advance(_PASS_COST * photo.shape[0] * photo.shape[1]),
        )
        depth_edges = self.find_depth_edges(finest)
        read_radius = self.place_sparse(finest.reading.radius, finest.edges, depth_edges)
        read_weight = np.zeros(read_radius.shape, np.float32)
        read_weight[finest.edges] = 1 if way.weighting == "uniform" else finest.reading.reliability
        read_weight[depth_edges] = 0
        return Map(radius, confidence, read_radius, read_weight)

    def fuse(self, photo: Photo, readings: list[ScaleReading], way: MultiScale) -> Map:
        """See `run.Stages`; empties the list."""
        found = fuse_in_strips(
            photo,
            readings,
            self.weights.multiscale,
            self.weights.network,
            self._strips(photo),
            guide=way.guide,
            method=self.config.recursion,
            advance=lambda: self._work.advance(_PASS_COST * photo.shape[0] * photo.shape[1]),
        )
        return Map(*found)

    def place_sparse(
        self,
        radius: Float[np.ndarray, " k"],
        edges: Bool[np.ndarray, "h w"],
        depth_edges: Bool[np.ndarray, "h w"],
    ) -> Float[np.ndarray, "h w"]:
        """See `run.Stages`."""
        sparse = np.full(edges.shape, np.nan, np.float32)
        sparse[edges] = radius
        sparse[depth_edges] = np.nan
        return sparse

    def _tiles(self, photo: Photo) -> Tiles:
        return equal_tiles(photo.shape[0], photo.shape[1], side=self.tile)

    def _strips(self, photo: Photo) -> Strips:
        return Strips.of(photo, pixels=self.strip_pixels)

    def _total_cost(self, photo: Photo, way: SingleScale | MultiScale) -> float:
        height, width = photo.shape[:2]
        if isinstance(way, SingleScale):
            scales, passes = 1, propagation_passes(way)
        else:
            scales, passes = self.count_scales(photo), fusion_passes(self.weights.multiscale, way.guide)
        read = sum((height >> scale) * (width >> scale) for scale in range(scales))
        return (_EDGE_COST + _NETWORK_COST) * read + _PASS_COST * passes * height * width


class _Work:
    """How much is done of a total that is known better once the edges are: the fraction told never falls."""

    def __init__(self, progress: Progress | None, total: float):
        self.progress, self.total, self.done, self.fraction = progress, total, 0.0, 0.0

    def advance(self, cost: float) -> None:
        self.done += cost
        self.fraction = max(self.fraction, min(self.done / self.total, 1.0))
        if self.progress is not None:
            self.progress(self.fraction)

    def skip(self, cost: float) -> None:
        self.total -= cost
