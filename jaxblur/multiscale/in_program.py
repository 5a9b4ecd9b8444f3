"""The stages within one compiled program: array operations of static shapes."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblur.config import Config, MultiScale, Readout, SingleScale
from jaxblur.edges.canny import detect_edges
from jaxblur.image import pyramid
from jaxblur.image.size import Tiles, inside_mask, pad_to_shape, size_bucket
from jaxblur.multiscale.fuse import fuse, gather, read_places
from jaxblur.multiscale.run import Map, Stages, choose_propagation, choose_readout
from jaxblur.network.readout import EdgeReading, ScaleReading
from jaxblur.network.tiles import read_tiles
from jaxblur.network.weights import Weights
from jaxblur.propagation.domain_transform import guide_gradient, smooth_guide
from jaxblur.propagation.single_scale import is_depth, propagate, weigh_edges


class PaddedPhoto(NamedTuple):
    """A photo, or a smaller copy of it, in the top-left corner of a bucket.

    Attributes:
      pixels: (H, W, 3) sRGB-encoded in [0, 1], of the bucket's shape.
      size: (2,) true height and width, int32; may be traced.
      tiles: the bucket.
      scale: number of halvings.
    """

    pixels: Float[Array, "h w 3"]
    size: Int[Array, " 2"]
    tiles: Tiles
    scale: int = 0


class InProgram(Stages):
    """Stages whose photos are `PaddedPhoto` and whose planes are arrays of the bucket's shape, valid inside the photo.

    A bucket may have room for more scales than a photo in it. The scales that the photo is too small for have no
    edges, and so cost nothing.

    Args:
      weights: networks, and parameters of the fusion.
      size: true height and width of the photo.
      config: settings.
    """

    def __init__(self, weights: Weights, size: Int[Array, " 2"], config: Config):
        self.weights, self.config = weights, config
        self._readout: Readout = choose_readout(choose_propagation(config, weights))
        self._scales = pyramid.count_scales_traced(size)

    def count_scales(self, photo: PaddedPhoto) -> int:
        """Number of scales that the bucket has room for."""
        return pyramid.count_scales(*photo.tiles.shape)

    def find_edges(self, photo: PaddedPhoto, given: Bool[Array, "h w"] | None) -> Bool[Array, "h2 w2"]:
        """See `run.Stages`."""
        if given is None:
            given = detect_edges(photo.pixels, config=self.config.edges, size=photo.size)
        # Half a row or column at the border of a smaller copy is left out.
        edges = pad_to_shape(given, photo.tiles.shape) & inside_mask(photo.tiles.shape, photo.size)
        return edges if photo.scale == 0 else edges & (photo.scale < self._scales)

    def read(self, photo: PaddedPhoto, edges: Bool[Array, "h w"]) -> EdgeReading:
        """See `run.Stages`; planes that are 0 off the edges."""
        return read_tiles(
            self.weights,
            photo.pixels,
            photo.size,
            edges,
            tiles=photo.tiles,
            readout=self._readout,
            precision=self.config.precision,
        )

    def halve(self, photo: PaddedPhoto) -> PaddedPhoto:
        """See `run.Stages`."""
        pixels = pyramid.halve(photo.pixels)
        tiles = size_bucket(*pixels.shape[:2])
        return PaddedPhoto(
            pad_to_shape(pixels, tiles.shape), jnp.maximum(photo.size // 2, 1), tiles, photo.scale + 1
        )

    def halve_edges(self, edges: Bool[Array, "h w"]) -> Bool[Array, "h2 w2"]:
        """See `run.Stages`."""
        return pyramid.halve_edges(edges)

    def find_depth_edges(self, finest: ScaleReading) -> Bool[Array, "h w"]:
        """See `run.Stages`."""
        return finest.edges & is_depth(finest.reading.depth)

    def propagate(self, photo: PaddedPhoto, finest: ScaleReading, way: SingleScale) -> Map:
        """See `run.Stages`."""
        reading, edges = finest
        weight, depth = weigh_edges(reading, edges, weighting=way.weighting)
        radius, confidence = propagate(
            reading.radius,
            weight,
            depth,
            photo.pixels,
            reliability=reading.reliability,
            config=way.filter,
            guide=way.guide,
            method=self.config.recursion,
            size=photo.size,
        )
        return Map(radius, confidence, jnp.where(weight > 0, reading.radius, jnp.nan), weight)

    def fuse(self, photo: PaddedPhoto, readings: list[ScaleReading], way: MultiScale) -> Map:
        """See `run.Stages`."""
        parameters, method = self.weights.multiscale, self.config.recursion
        evidence = gather(
            parameters,
            readings,
            self.weights.network,
            shape=photo.tiles.shape,
            scales=self._scales,
            size=photo.size,
        )
        gradient = guide_gradient(smooth_guide(photo.pixels, photo.size, config=way.guide, method=method))
        radius, confidence = fuse(parameters, evidence, gradient, method=method, size=photo.size)
        return Map(radius, confidence, *read_places(evidence.weight, evidence.weighted_radius))

    def place_sparse(
        self, radius: Float[Array, "h w"], edges: Bool[Array, "h w"], depth_edges: Bool[Array, "h w"]
    ) -> Float[Array, "h w"]:
        """See `run.Stages`."""
        return jnp.where(edges & ~depth_edges, radius, jnp.nan)
