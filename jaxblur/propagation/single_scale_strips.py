"""`propagate` for photos too large for one program: plane after plane, strip by strip, exact over the full frame."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Shaped

from jaxblur.config import Config
from jaxblur.image.strips import FramePoints, Planes, Strips, apply_to_strips, inside_strip
from jaxblur.network.readout import EdgeReading, weigh
from jaxblur.propagation.domain_transform import (
    coupled_pixels,
    distances_from_steps,
    domain_weights,
)
from jaxblur.propagation.domain_transform_strips import filter_in_place, guide_steps_in_strips
from jaxblur.propagation.single_scale import EdgeSignals, edge_signals, quotient, spatial_extent, with_support

_FIELDS = EdgeSignals._fields


def filter_passes(config: Config) -> int:
    """How often `propagate_in_strips` calls `advance`."""
    return 3 * config.propagation.guide_iterations + len(_FIELDS) * config.propagation.iterations


def propagate_in_strips(
    photo: Shaped[np.ndarray, "h w 3"],
    edges: Bool[np.ndarray, "h w"],
    reading: EdgeReading,
    strips: Strips,
    *,
    config: Config,
    advance: Callable[[], None],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Radius, confidence and depth edges, as in `pipeline.estimate_padded`.

    Beside photo and edges, at most five float32 planes live at a time: two of weights, one that is being
    smoothed, two of results.

    Args:
      photo: uint8, uint16 or float32 in [0, 1].
      edges: where the networks were asked.
      reading: what they said there, in scan order.
      strips: how to cut the frames; the result does not depend on it.
      config: settings.
      advance: called after every pass of the filter.
    """
    options = {"method": config.propagation.method, "advance": advance}
    read = _Read(FramePoints(edges, strips), reading)
    steps = guide_steps_in_strips(photo, strips, config=config, advance=advance)
    depth_edges = np.empty(edges.shape, bool)
    weights = _turn_into_weights(steps, read, depth_edges, config)

    def smoothed(name: str) -> tuple[np.ndarray, Float[np.float32, ""]]:
        plane = np.empty(edges.shape, np.float32)
        for start in strips.starts():
            strips.put(plane, start, _signal(*read.strip(start), config=config, field=_FIELDS.index(name)))
        total = np.float32(np.sum(plane, dtype=np.float64))
        filter_in_place(plane, weights, strips, num_iterations=config.propagation.iterations, **options)
        return plane, total

    def divided(numerator: np.ndarray, otherwise: Any) -> np.ndarray:
        divide = functools.partial(_divide, otherwise=otherwise)
        return apply_to_strips(divide, strips, numerator, weight, out=numerator)

    weight, total = smoothed("weight")
    confidence = divided(smoothed("weighted_reliability")[0], np.float32(0))
    radius, total_radius = smoothed("weighted_radius")
    radius = divided(radius, _divide(total_radius, total, np.float32(config.propagation.fallback_radius)))
    del weight, divided
    support = smoothed("is_edge")[0]
    apply = functools.partial(_with_support, size=strips.size(), config=config)
    return radius, apply_to_strips(apply, strips, confidence, support, out=confidence), depth_edges


class _Read(NamedTuple):
    """Edges and what was read at them, as strips of planes."""

    points: FramePoints
    reading: EdgeReading

    def strip(self, start: int) -> tuple[EdgeReading, np.ndarray]:
        planes = EdgeReading(*(self.points.strip(values, start) for values in self.reading))
        return planes, self.points.mask(start)


def _turn_into_weights(steps: Planes, read: _Read, depth_edges: np.ndarray, config: Config) -> Planes:
    """Weights of the signals' filter, in place of the steps of the guide; fills in the depth edges as well."""
    strips = read.points.strips
    for start in strips.starts():
        cut = tuple(strips.cut(frame, start) for frame in steps)
        *own, depth = _signal_weights(cut, *read.strip(start), np.int32(start), strips.size(), config=config)
        for frame, strip in zip((*steps, depth_edges), (*own, depth), strict=True):
            strips.put(frame, start, strip)
    return steps


@functools.partial(jax.jit, static_argnames="config")
def _signal_weights(steps, reading, edges, start, size, *, config: Config):
    """Weights of the signals' filter in a strip, and its depth edges."""
    options, dtype = config.propagation, steps[0].dtype
    depth_edges, _, depth = weigh(reading, edges, config)
    sigma_s = spatial_extent(options, size[0], size[1], dtype)
    distances = distances_from_steps(
        steps, sigma_s=sigma_s, sigma_r=options.sigma_r, barrier=options.depth_penalty * depth
    )
    with_row_above = (edges.shape[0] + 1, edges.shape[1])
    across, down = coupled_pixels(inside_strip(with_row_above, start - 1, size))
    weights = domain_weights(
        distances, (across[1:], down[1:]), sigma_s=sigma_s, num_iterations=options.iterations
    )
    return *weights, depth_edges


@functools.partial(jax.jit, static_argnames=("config", "field"))
def _signal(reading, edges, *, config: Config, field: int):
    _, weight, _ = weigh(reading, edges, config)
    return edge_signals(reading.radius, weight, reading.reliability, edges)[field]


_divide = jax.jit(quotient)


@functools.partial(jax.jit, static_argnames="config")
def _with_support(confidence, support, size, *, config: Config):
    sigma_s = spatial_extent(config.propagation, size[0], size[1], confidence.dtype)
    return with_support(confidence, support, sigma_s)
