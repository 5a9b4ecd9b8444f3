"""`propagate` for photos too large for one program: plane after plane, strip by strip, exact over the full frame."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur.config import RecursionMethod, SingleScale
from jaxblur.image.strips import FramePoints, Planes, Strips, apply_to_strips
from jaxblur.network.readout import EdgeReading
from jaxblur.propagation.domain_transform import distances_from_gradient, domain_weights
from jaxblur.propagation.domain_transform_strips import (
    coupled_in_strip,
    filter_in_place,
    guide_gradient_in_strips,
    guide_passes,
)
from jaxblur.propagation.quotient import quotient
from jaxblur.propagation.single_scale import (
    EdgeSignals,
    edge_signals,
    spatial_extent,
    weigh_edges,
    with_support,
)

_FIELDS = EdgeSignals._fields


def propagation_passes(config: SingleScale) -> int:
    """How often `propagate_in_strips` calls `advance`."""
    return guide_passes(config.guide) + len(_FIELDS) * config.filter.iterations


def propagate_in_strips(
    photo: Shaped[np.ndarray, "h w 3"],
    edges: Bool[np.ndarray, "h w"],
    reading: EdgeReading,
    strips: Strips,
    *,
    config: SingleScale,
    method: RecursionMethod,
    advance: Callable[[], None],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Radius and confidence, as `propagate` gives them.

    Beside photo and edges, at most five float32 planes live at a time: two of weights, one that is being
    smoothed, two of results.

    Args:
      photo: uint8, uint16 or float32 in [0, 1].
      edges: where the networks were asked.
      reading: what they said there, in scan order.
      strips: how to cut the frames; the result does not depend on it.
      config: settings.
      method: form of the recursion.
      advance: called after every pass of the filter.
    """
    points = _ReadPoints(FramePoints(edges, strips), reading)
    gradient = guide_gradient_in_strips(photo, strips, config=config.guide, method=method, advance=advance)
    weights = _turn_into_weights(gradient, points, config)

    def smoothed(name: str) -> tuple[np.ndarray, np.float32]:
        plane = np.empty(edges.shape, np.float32)
        for start in strips.starts():
            strips.put(plane, start, _signal(*points.strip(start), config=config, field=_FIELDS.index(name)))
        total = np.float32(np.sum(plane, dtype=np.float64))
        filter_in_place(
            plane, weights, strips, num_iterations=config.filter.iterations, method=method, advance=advance
        )
        return plane, total

    def divided(numerator: np.ndarray, otherwise: Any) -> np.ndarray:
        divide = functools.partial(_divide, otherwise=otherwise)
        return apply_to_strips(divide, strips, numerator, weight, out=numerator)

    weight, total = smoothed("weight")
    confidence = divided(smoothed("weighted_reliability")[0], np.float32(0))
    radius, total_radius = smoothed("weighted_radius")
    radius = divided(radius, _divide(total_radius, total, np.float32(config.filter.unknown_radius)))
    del weight, divided
    support = smoothed("is_edge")[0]
    apply = functools.partial(_with_support, size=strips.size(), config=config)
    return radius, apply_to_strips(apply, strips, confidence, support, out=confidence)


class _ReadPoints(NamedTuple):
    """Edges and what was read at them, as strips of planes."""

    points: FramePoints
    reading: EdgeReading

    def strip(self, start: int) -> tuple[EdgeReading, np.ndarray]:
        planes = EdgeReading(*(self.points.strip(values, start) for values in self.reading))
        return planes, self.points.mask(start)


def _turn_into_weights(gradient: Planes, points: _ReadPoints, config: SingleScale) -> Planes:
    """Weights of the signals' filter, in place of the gradient of the guide."""
    strips = points.points.strips
    for start in strips.starts():
        cut = tuple(strips.cut(frame, start) for frame in gradient)
        own = _signal_weights(cut, *points.strip(start), np.int32(start), strips.size(), config=config)
        for frame, strip in zip(gradient, own, strict=True):
            strips.put(frame, start, strip)
    return gradient


@functools.partial(jax.jit, static_argnames="config")
def _signal_weights(
    gradient: tuple[Float[Array, "r w"], Float[Array, "r w"]],
    reading: EdgeReading,
    edges: Bool[Array, "r w"],
    start: Int[Array, ""],
    size: Int[Array, " 2"],
    *,
    config: SingleScale,
) -> tuple[Float[Array, "r w"], Float[Array, "r w"]]:
    """Weights of the signals' filter in a strip."""
    options = config.filter
    _, depth = weigh_edges(reading, edges, weighting=config.weighting)
    sigma_s = spatial_extent(options, size[0], size[1], depth.dtype)
    distances = distances_from_gradient(
        gradient, sigma_s=sigma_s, sigma_r=options.sigma_r, barrier=options.depth_penalty * depth
    )
    coupled = coupled_in_strip(edges.shape, start, size)
    return domain_weights(distances, coupled, sigma_s=sigma_s, num_iterations=options.iterations)


@functools.partial(jax.jit, static_argnames=("config", "field"))
def _signal(
    reading: EdgeReading, edges: Bool[Array, "r w"], *, config: SingleScale, field: int
) -> Float[Array, "r w"]:
    weight, _ = weigh_edges(reading, edges, weighting=config.weighting)
    return edge_signals(reading.radius, weight, reading.reliability, edges)[field]


_divide = jax.jit(quotient)


@functools.partial(jax.jit, static_argnames="config")
def _with_support(
    confidence: Float[Array, "r w"],
    support: Float[Array, "r w"],
    size: Int[Array, " 2"],
    *,
    config: SingleScale,
) -> Float[Array, "r w"]:
    return with_support(
        confidence, support, spatial_extent(config.filter, size[0], size[1], confidence.dtype)
    )
