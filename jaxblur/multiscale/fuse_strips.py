"""`spread` for photos too large for one program: plane after plane, strip by strip, exact over the full frame.

The first weights of a filter of extent sigma are exp(-sqrt(2) / (c sigma) (1 + sigma B)), B the barriers in extents and
c a number that only depends on how many iterations there are. So they are a factor exp(-sqrt(2) / (c sigma)) times
weights that all extents share, and only these are kept, in two planes.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from jaxblur.config import Config
from jaxblur.image.pyramid import halve
from jaxblur.image.strips import FramePoints, Planes, Strips, inside_strip
from jaxblur.multiscale import fuse
from jaxblur.multiscale.guide_net import REACH, SCALES, GuideNet
from jaxblur.network.config import NetworkConfig
from jaxblur.network.readout import EdgeReading
from jaxblur.propagation.domain_transform import coupled_pixels, domain_weights
from jaxblur.propagation.domain_transform_strips import filter_in_place, guide_steps_in_strips

_CHUNK = 1 << 16  # points that are weighed at once
_SIGNALS = 3  # weight * radius**k, k = 0, 1, 2

Parameters = dict[str, Any]


class DepthPoints(NamedTuple):
    """Edge points of one scale as they stop the spreading.

    Attributes:
      edges: of the scale.
      depth: probability of a depth edge at every point, in scan order.
    """

    edges: Bool[np.ndarray, "h2 w2"]
    depth: Float[np.ndarray, " k"]


class ScalePoints(NamedTuple):
    """Edge points of one scale as they count in the spreading.

    Attributes:
      edges: of the scale.
      weight: of every point, in scan order.
      radius: of every point, px of the photo.
    """

    edges: Bool[np.ndarray, "h2 w2"]
    weight: Float[np.ndarray, " k"]
    radius: Float[np.ndarray, " k"]


def spread_passes(parameters: Parameters, config: Config) -> int:
    """How often `barrier_weights` and `spread_in_strips` call `advance`."""
    extents = parameters["extent"].shape[0]
    return 3 * config.propagation.guide_iterations + _SIGNALS * extents * fuse.ITERATIONS


def weigh_points(
    edges: Bool[np.ndarray, "h2 w2"],
    reading: EdgeReading,
    parameters: Parameters,
    network: NetworkConfig,
    *,
    scale: int,
    scales: int,
) -> ScalePoints:
    """`fuse.weigh_reading` of the points of one scale, in scan order."""
    count = len(reading.radius)
    weight, radius = np.empty(count, np.float32), np.empty(count, np.float32)
    for start in range(0, count, _CHUNK):
        own = slice(start, min(start + _CHUNK, count))
        fill = (0, start + _CHUNK - own.stop)
        chunk = EdgeReading(*(np.pad(values[own], fill) for values in reading))
        out = _weigh(parameters, chunk, np.int32(scales), network=network, scale=scale)
        for values, weighed in zip((weight, radius), out, strict=True):
            values[own] = np.asarray(weighed)[: own.stop - start]
    return ScalePoints(edges, weight, radius)


def barrier_weights(
    photo: Float[np.ndarray, "h w 3"],
    depth: list[DepthPoints],
    parameters: Parameters,
    strips: Strips,
    *,
    config: Config,
    advance: Callable[[], None],
) -> Planes:
    """The weights that all extents share: 1 where nothing is in the way, 0 where there is no neighbour.

    Args:
      photo: uint8, uint16 or float32 in [0, 1].
      depth: of each scale, finest first.
      parameters: of the third stage.
      strips: how to cut the frames; the result does not depend on it.
      config: settings.
      advance: called after every pass of the filter that smooths the guide.
    """
    steps = guide_steps_in_strips(photo, strips, config=config, advance=advance)
    points = [FramePoints(own.edges, strips) for own in depth]
    for start in strips.starts():
        cut = tuple(strips.cut(frame, start) for frame in steps)
        planes = [
            _depth_strip(own, values.depth, scale, strips, start)
            for scale, (own, values) in enumerate(zip(points, depth, strict=True))
        ]
        gain = _gain_strip(points, depth, parameters, strips, start)
        weights = _barriers(parameters, cut, planes, gain, np.int32(start), strips.size())
        for frame, strip in zip(steps, weights, strict=True):
            strips.put(frame, start, strip)
    return steps


def spread_in_strips(
    points: list[ScalePoints],
    barriers: Planes,
    parameters: Parameters,
    strips: Strips,
    *,
    config: Config,
    advance: Callable[[], None],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Radius and confidence, as `fuse.spread` of what `fuse.gather` makes of the points.

    Beside the barriers, at most four float32 planes live at a time: the smoothed signals, and one being smoothed.

    Args:
      points: of each scale, finest first, from `weigh_points`.
      barriers: from `barrier_weights`.
      parameters: of the third stage.
      strips: how to cut the frames; the result does not depend on it.
      config: settings.
      advance: called after every pass of the filter.
    """
    factors, shares = jax.tree.map(np.asarray, _extents(parameters))
    smoothed, means = [], []
    for power in range(_SIGNALS):
        for index, (factor, share) in enumerate(zip(factors, shares, strict=True)):
            plane = _signal(points, power, strips)
            if index == 0:
                means.append(np.sum(plane, dtype=np.float64) / plane.size)
            filter_in_place(
                plane,
                barriers,
                strips,
                num_iterations=fuse.ITERATIONS,
                method=config.propagation.method,
                advance=advance,
                factor=factor,
            )
            plane *= share
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


def _depth_strip(
    points: FramePoints, depth: np.ndarray, scale: int, strips: Strips, start: int
) -> Float[np.ndarray, "r w"]:
    """`pyramid.cover` of the probabilities at the points of one scale, in the photo's strip from row `start` on."""
    rows_of = functools.partial(points.rows, depth)
    cover = _cover_rows(rows_of, 2**scale, start, start + strips.rows)
    return strips.cut(np.pad(cover, ((0, 0), (0, strips.width - cover.shape[1]))), 0)


def _gain_strip(
    points: list[FramePoints],
    depth: list[DepthPoints],
    parameters: Parameters,
    strips: Strips,
    start: int,
) -> Float[np.ndarray, "r w"]:
    """`guide.guide_gain` of the photo's strip from row `start` on."""
    # Rows of the half-size copy, the same number in all strips: those of the strip, and as far as they see.
    first, count = start // 2 - REACH, strips.rows // 2 + 1 + 2 * REACH
    width = strips.columns // 2
    planes = np.zeros((count, width, 2 * SCALES), np.float32)
    for scale, (own, values) in enumerate(zip(points[:SCALES], depth, strict=False)):
        frames = own.mask_rows, functools.partial(own.rows, values.depth)
        for plane, rows_of in enumerate(frames):
            rows = _half_rows(rows_of, scale, max(first, 0), first + count)[:, :width]
            planes[max(-first, 0) :][: len(rows), : rows.shape[1], 2 * scale + plane] = rows
    gain = np.asarray(_answer(parameters["guide"], planes, np.int32(first), strips.size()))
    gain = gain[REACH:-REACH].repeat(2, axis=0).repeat(2, axis=1)[start % 2 :][: strips.rows]
    return strips.cut(np.pad(gain, ((0, 0), (0, strips.columns - gain.shape[1]))), 0)


def _half_rows(
    rows_of: Callable[[int, int], np.ndarray], scale: int, start: int, end: int
) -> Float[np.ndarray, "r w2"]:
    """A plane of one scale as the half-size copy has it, as far as it has rows `start` to `end`."""
    if scale == 0:
        return np.asarray(halve(rows_of(2 * start, 2 * end)))  # type: ignore[arg-type]
    return _cover_rows(rows_of, 2 ** (scale - 1), start, end)


def _cover_rows(
    rows_of: Callable[[int, int], np.ndarray], step: int, start: int, end: int
) -> Float[np.ndarray, "r w"]:
    """Rows of a plane, each value repeated over `step` x `step` px, as far as it has rows `start` to `end` of these."""
    rows = rows_of(start // step, -(-end // step))
    return rows.repeat(step, axis=0).repeat(step, axis=1)[start % step :][: end - start]


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
def _weigh(parameters, reading, scales, *, network: NetworkConfig, scale: int):
    everywhere = jnp.ones(reading.radius.shape, bool)
    return fuse.weigh_reading(parameters, reading, everywhere, network, scale=scale, scales=scales)


@jax.jit
def _answer(parameters, planes, first, size):
    """What the guide network says of some rows of the half-size copy, the first of them maybe above it."""
    return GuideNet().apply({"params": parameters}, planes, inside_strip(planes.shape[:2], first, size // 2))


@jax.jit
def _barriers(parameters, steps, depth, gain, start, size):
    """Weights of a filter between whose pixels there is nothing but barriers, in a strip."""
    parts = [fuse.depth_barrier(parameters, plane, scale) for scale, plane in enumerate(depth)]
    barrier = functools.reduce(jnp.add, parts)
    with_row_above = (barrier.shape[0] + 1, barrier.shape[1])
    across, down = coupled_pixels(inside_strip(with_row_above, start - 1, size))
    return domain_weights(
        fuse.barriers(steps, fuse.step_stop(parameters, gain), barrier),
        (across[1:], down[1:]),
        sigma_s=1.0,
        num_iterations=fuse.ITERATIONS,
    )


@jax.jit
def _extents(parameters):
    """Of every extent, the weight between pixels that nothing separates, and its share in the sum."""
    extents = jnp.exp(parameters["extent"])
    apart, coupled = (1 / extents)[None], jnp.ones((1, *extents.shape), bool)
    factors, _ = domain_weights(
        (apart, apart), (coupled, coupled), sigma_s=1.0, num_iterations=fuse.ITERATIONS
    )
    return factors[0], jnp.exp(parameters["share"])


@jax.jit
def _conclude(parameters, smoothed, means):
    return fuse.conclude(parameters, jnp.stack(smoothed), means)
