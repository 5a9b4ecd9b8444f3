"""`fuse` for photos too large for one program: plane after plane, strip by strip, exact over the full frame.

Only the barriers are kept, in two planes: every extent makes its weights of them, strip by strip.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur.config import GuideConfig, RecursionMethod
from jaxblur.image.strips import FramePoints, Planes, Strips
from jaxblur.multiscale import fuse
from jaxblur.multiscale.guide_net_strips import gain_of_strip
from jaxblur.multiscale.parameters import MultiscaleParameters
from jaxblur.network.config import NetworkConfig
from jaxblur.network.readout import EdgeReading, ScaleReading
from jaxblur.propagation.domain_transform_strips import (
    coupled_in_strip,
    filter_in_place,
    guide_gradient_in_strips,
    guide_passes,
)

_CHUNK = 1 << 16  # points that are weighed at once
_SIGNALS = 3  # weight * radius**k, k = 0, 1, 2


class ScalePoints(NamedTuple):
    """Edge points of one scale as they count in the fusion.

    Attributes:
      edges: of the scale.
      weight: of every point, in scan order.
      radius: of every point, px of the photo.
    """

    edges: Bool[np.ndarray, "h2 w2"]
    weight: Float[np.ndarray, " k"]
    radius: Float[np.ndarray, " k"]


def fusion_passes(parameters: MultiscaleParameters, guide: GuideConfig) -> int:
    """How often `fuse_in_strips` calls `advance`."""
    return guide_passes(guide) + _SIGNALS * parameters.extent.shape[0] * fuse.ITERATIONS


def fuse_in_strips(
    photo: Shaped[np.ndarray, "h w 3"],
    readings: list[ScaleReading],
    parameters: MultiscaleParameters,
    network: NetworkConfig,
    strips: Strips,
    *,
    guide: GuideConfig,
    method: RecursionMethod,
    advance: Callable[[], None],
) -> tuple[
    Float[np.ndarray, "h w"], Float[np.ndarray, "h w"], Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]
]:
    """Radius and confidence, as `fuse.fuse` of what `fuse.gather` makes of the readings; and `fuse.read_places`.

    Args:
      photo: uint8, uint16 or float32 in [0, 1].
      readings: lists of points of each scale, finest first. The list is emptied, so that their memory is free while
        the filter works.
      parameters: of the fusion.
      network: that read.
      strips: how to cut the frames; the result does not depend on it.
      guide: smoothing of the photo by itself.
      method: form of the recursion.
      advance: called after every pass of the filter.
    """
    barriers = _find_barriers(
        photo, readings, parameters, strips, guide=guide, method=method, advance=advance
    )
    points, scales = list[ScalePoints](), len(readings)
    while readings:
        points.append(weigh_points(readings.pop(0), parameters, network, scale=len(points), scales=scales))
    radius, confidence = _fuse_points(points, barriers, parameters, strips, method=method, advance=advance)
    del barriers  # for the two planes that follow
    weight, read_radius = _signal(points, 0, strips), _signal(points, 1, strips)
    for start in strips.starts():
        cut = tuple(strips.cut(frame, start) for frame in (weight, read_radius))
        for frame, strip in zip((read_radius, weight), _read_places(*cut), strict=True):
            strips.put(frame, start, strip)
    return radius, confidence, read_radius, weight


def weigh_points(
    own: ScaleReading, parameters: MultiscaleParameters, network: NetworkConfig, *, scale: int, scales: int
) -> ScalePoints:
    """`fuse.weigh_reading` of the points of one scale, in scan order."""
    count = len(own.reading.radius)
    weight, radius = np.empty(count, np.float32), np.empty(count, np.float32)
    for start in range(0, count, _CHUNK):
        part = slice(start, min(start + _CHUNK, count))
        fill = (0, start + _CHUNK - part.stop)
        chunk = EdgeReading(*(np.pad(values[part], fill) for values in own.reading))
        out = _weigh(parameters, chunk, np.int32(scales), network=network, scale=scale)
        for values, weighed in zip((weight, radius), out, strict=True):
            values[part] = np.asarray(weighed)[: part.stop - start]
    return ScalePoints(own.edges, weight, radius)


def _find_barriers(
    photo: Shaped[np.ndarray, "h w 3"],
    readings: list[ScaleReading],
    parameters: MultiscaleParameters,
    strips: Strips,
    *,
    guide: GuideConfig,
    method: RecursionMethod,
    advance: Callable[[], None],
) -> Planes:
    """`fuse.barriers` of the whole frame; infinity where there is no neighbour."""
    gradient = guide_gradient_in_strips(photo, strips, config=guide, method=method, advance=advance)
    points = [FramePoints(own.edges, strips) for own in readings]
    depth = [own.reading.depth for own in readings]
    for start in strips.starts():
        cut = tuple(strips.cut(frame, start) for frame in gradient)
        planes = [
            _cover_in_strip(own, values, scale, strips, start)
            for scale, (own, values) in enumerate(zip(points, depth, strict=True))
        ]
        gain = gain_of_strip(points, depth, parameters.guide, strips, start)
        weights = _barriers(parameters, cut, planes, gain, np.int32(start), strips.size())
        for frame, strip in zip(gradient, weights, strict=True):
            strips.put(frame, start, strip)
    return gradient


def _fuse_points(
    points: list[ScalePoints],
    barriers: Planes,
    parameters: MultiscaleParameters,
    strips: Strips,
    *,
    method: RecursionMethod,
    advance: Callable[[], None],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Radius and confidence.

    Beside the barriers, at most four float32 planes live at a time: the smoothed signals, and one being smoothed.
    """
    extents, extent_weights = jax.tree.map(np.asarray, _extents(parameters))
    smoothed, means = [], []
    for power in range(_SIGNALS):
        for index, (extent, extent_weight) in enumerate(zip(extents, extent_weights, strict=True)):
            plane = _signal(points, power, strips)
            if index == 0:
                means.append(np.sum(plane, dtype=np.float64) / plane.size)
            filter_in_place(
                plane,
                barriers,
                strips,
                num_iterations=fuse.ITERATIONS,
                method=method,
                advance=advance,
                extent=float(extent),
            )
            plane *= extent_weight
            if index == 0:
                smoothed.append(plane)
            else:
                smoothed[power] += plane
            del plane
    means = np.asarray(means, np.float32)
    _, radius, confidence = smoothed  # each takes the place of a signal
    for start in strips.starts():
        out = _conclude(parameters, [strips.cut(frame, start) for frame in smoothed], means)
        strips.put(radius, start, out[0])
        strips.put(confidence, start, out[1])
    return radius, confidence


def _cover_in_strip(
    points: FramePoints, values: Float[np.ndarray, " k"], scale: int, strips: Strips, start: int
) -> Float[np.ndarray, "r w"]:
    """`pyramid.cover` of the values at the points of one scale, in the photo's strip from row `start` on."""
    cover = points.cover_rows(values, 2**scale, start, start + strips.rows)
    return strips.cut(np.pad(cover, ((0, 0), (0, strips.width - cover.shape[1]))), 0)


def _signal(points: list[ScalePoints], power: int, strips: Strips) -> Float[np.ndarray, "h w"]:
    """weight * radius**power of all scales, where `pyramid.place` puts it."""
    plane = np.zeros((strips.height, strips.width), np.float32)
    for scale, own in enumerate(points):
        step, middle = 2**scale, 2**scale // 2
        placed = plane[middle::step, middle::step]
        done = 0
        for first in range(0, own.edges.shape[0], strips.rows):  # some rows at a time, for the sake of memory
            mask = own.edges[first : first + strips.rows]
            part = slice(done, done + int(np.count_nonzero(mask)))
            done = part.stop
            placed[first : first + strips.rows, : mask.shape[1]][: len(mask)][mask] += (
                own.weight[part] * own.radius[part] ** power if power else own.weight[part]
            )
    return plane


@functools.partial(jax.jit, static_argnames=("network", "scale"))
def _weigh(
    parameters: MultiscaleParameters,
    reading: EdgeReading,
    scales: Int[Array, ""],
    *,
    network: NetworkConfig,
    scale: int,
) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    everywhere = jnp.ones(reading.radius.shape, bool)
    return fuse.weigh_reading(parameters, reading, everywhere, network, scale=scale, scales=scales)


@jax.jit
def _barriers(
    parameters: MultiscaleParameters,
    gradient: tuple[Float[Array, "r w"], Float[Array, "r w"]],
    depth: list[Float[Array, "r w"]],
    gain: Float[Array, "r w"],
    start: Int[Array, ""],
    size: Int[Array, " 2"],
) -> tuple[Float[Array, "r w"], Float[Array, "r w"]]:
    """`fuse.barriers` in a strip; infinity where there is no neighbour."""
    parts = [fuse.depth_barrier(parameters, plane, scale) for scale, plane in enumerate(depth)]
    barrier = functools.reduce(jnp.add, parts)
    stops = fuse.barriers(gradient, fuse.gradient_barrier(parameters, gain), barrier)
    across, down = coupled_in_strip(barrier.shape, start, size)
    return jnp.where(across, stops[0], jnp.inf), jnp.where(down, stops[1], jnp.inf)


@jax.jit
def _extents(parameters: MultiscaleParameters) -> tuple[Float[Array, " j"], Float[Array, " j"]]:
    """Extents of the filter, px, and their weights in the sum."""
    return jnp.exp(parameters.extent), jnp.exp(parameters.extent_weight)


_read_places = jax.jit(fuse.read_places)


@jax.jit
def _conclude(
    parameters: MultiscaleParameters, smoothed: list[Any], means: Float[Array, " 3"]
) -> tuple[Float[Array, "r w"], Float[Array, "r w"]]:
    return fuse.conclude(parameters, jnp.stack(smoothed), means)
