"""Multiscale fusion: the readings of all scales of a photo become one map.

Every reading counts by its precision, by its level (those near either end of a scale's range say little: the next
scale knows better) and by how sure the networks are of it. Normalised convolutions of several extents carry the
evidence over the photo. One field of barriers stops all of them alike. All parameters are trained on exact maps.
Equations and symbols are those of `docs/architecture.md`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblur.config import UNKNOWN_RADIUS, RecursionMethod
from jaxblur.image.pyramid import cover, place
from jaxblur.image.size import Size, inside_mask
from jaxblur.multiscale.guide_net import guide_gain
from jaxblur.multiscale.parameters import MultiscaleParameters
from jaxblur.network.config import NetworkConfig
from jaxblur.network.readout import EdgeReading, ScaleReading
from jaxblur.propagation.domain_transform import filter_by_distances
from jaxblur.propagation.quotient import quotient

ITERATIONS = 4  # of the filter
_FAR = 1e-4  # weight of the mean over the whole photo, to be seen where no edge is in reach
_RIGHT_PX, _RIGHT_FRACTION = 0.5, 0.25  # an answer within so many px, or this fraction of it, is right
_MOST_GAIN = 8.0  # of the guide network: no weights make a gradient stop everything


class Evidence(NamedTuple):
    """The readings of all scales, put together in pixels of the photo; 0 where nothing is known.

    Attributes:
      weight: (H, W) E_0, how much the readings of a place count.
      weighted_radius: (H, W) E_1, weight times radius, px.
      weighted_square: (H, W) E_2, weight times squared radius.
      depth_barrier: (H, W) what depth edges stop, in extents of any filter; see `depth_barrier`.
      gradient_barrier: (H, W) what a gradient of the guide of 1 stops, likewise; see `gradient_barrier`.
    """

    weight: Any
    weighted_radius: Any
    weighted_square: Any
    depth_barrier: Any
    gradient_barrier: Any


def stretch_first_level(
    parameters: MultiscaleParameters, radius: Float[Array, "*n"], network: NetworkConfig
) -> Float[Array, "*n"]:
    """Radius of readings, px of their scale, with the range from the first level to the second stretched downwards.

    The first level stands for all that is sharper too: with levels l_0 and l_1, a reading r below l_1 becomes
    r_sharp + (l_1 - r_sharp) (r - l_0) / (l_1 - l_0).
    """
    first, second = network.levels[:2]
    sharp = jnp.clip(parameters.sharp_radius, 0.0, first)
    stretched = sharp + (second - sharp) * ((radius - first) / (second - first))
    return jnp.where(radius < second, stretched, radius)


def weigh_reading(
    parameters: MultiscaleParameters,
    reading: EdgeReading,
    edges: Bool[Array, "*n"],
    network: NetworkConfig,
    *,
    scale: int,
    scales: Int[Array, ""],
) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    """Weight w and radius rho (px of the photo) of the readings of one scale s.

        w = 2^s (1 / (delta^2 + epsilon))^alpha q^beta exp(a[role, r] + b[s] - gamma p),   rho = 2^s stretch(r)

    for a reading of radius r, deviation delta, reliability q and probability p of a depth edge. One pixel of a coarse
    scale stands for an edge 2^s px long. Between levels, a is interpolated.

    Args:
      parameters: of the fusion.
      reading: planes, or lists of points.
      edges: where the weight is not 0.
      network: that read.
      scale: s, number of halvings.
      scales: number of scales of the photo.
    """
    radius = stretch_first_level(parameters, reading.radius, network)
    precision = 1 / (reading.deviation**2 + jnp.exp(parameters.least_variance))
    first, step = network.levels[0], network.levels[1] - network.levels[0]
    place_of = (reading.radius - first) / step
    below = jnp.clip(jnp.floor(place_of), 0, len(network.levels) - 2).astype(jnp.int32)
    between = place_of - below.astype(place_of.dtype)
    role = jnp.where(scales == 1, 0, 1) if scale == 0 else jnp.where(scales == scale + 1, 3, 2)
    row = parameters.level_weight[role]
    alpha, beta, gamma = parameters.exponents
    log_weight = (
        row[below] * (1 - between)
        + row[below + 1] * between
        + parameters.scale_weight[scale]
        + alpha * jnp.log(precision)
        + beta * jnp.log(jnp.maximum(reading.reliability, 1e-3))
        - gamma * reading.depth
    )
    weight = jnp.where(edges & (scale < scales), 2.0**scale * jnp.exp(log_weight), 0)
    return weight, 2.0**scale * radius


def gather(
    parameters: MultiscaleParameters,
    readings: Sequence[ScaleReading],
    network: NetworkConfig,
    *,
    shape: tuple[int, ...],
    scales: Int[Array, ""],
    size: Size | None = None,
) -> Evidence:
    """Evidence of a photo: E_k = sum over readings of w rho^k at their places, k = 0, 1, 2, and its barriers.

    Args:
      parameters: of the fusion.
      readings: planes of each scale, finest first.
      network: that read them.
      shape: height and width of the photo's array.
      scales: how many of the scales count.
      size: true height and width of a photo in the top-left of padded arrays; may be traced.
    """
    readings = [ScaleReading(reading, edges & (s < scales)) for s, (reading, edges) in enumerate(readings)]
    sums = [jnp.zeros(shape, readings[0].reading.radius.dtype)] * 3
    barrier = jnp.zeros(shape, readings[0].reading.radius.dtype)
    for scale, (reading, edges) in enumerate(readings):
        weight, radius = weigh_reading(parameters, reading, edges, network, scale=scale, scales=scales)
        powers = (weight, weight * radius, weight * radius**2)
        sums = [total + place(plane, scale, shape) for total, plane in zip(sums, powers, strict=True)]
        depth = jnp.where(edges, reading.depth, 0)
        barrier = barrier + cover(depth_barrier(parameters, depth, scale), scale, shape)
    gain = guide_gain(parameters.guide, readings, shape=shape, size=size)
    return Evidence(sums[0], sums[1], sums[2], barrier, gradient_barrier(parameters, gain))


def read_places(
    weight: Float[Array, "h w"], weighted_radius: Float[Array, "h w"]
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """What the readings of a place come to, E_1 / E_0 in px, NaN where there is none; and E_0."""
    nothing = jnp.asarray(jnp.nan, weight.dtype)
    radius = quotient(weighted_radius, weight, nothing)
    return radius, jnp.where(jnp.isnan(radius), 0, weight)


def depth_barrier(
    parameters: MultiscaleParameters, depth: Float[Array, "*n"], scale: int
) -> Float[Array, "*n"]:
    """What edges stop at every pixel of the photo that they stand for: softplus(pi[s]) p / 2^(s + 1), in extents.

    Sharp objects end at an edge of the photo itself, blurred ones at edges of its smaller copies, 2^s px wide.

    Args:
      parameters: of the fusion.
      depth: p, probability of a depth edge.
      scale: s, number of halvings.
    """
    return jax.nn.softplus(parameters.depth_penalty[scale]) * depth / 2 ** (scale + 1)


def gradient_barrier(parameters: MultiscaleParameters, gain: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """What a gradient of the guide of 1 stops: exp(g) / tau, in extents of any filter.

    Args:
      parameters: of the fusion.
      gain: g, from `guide_net.guide_gain`; kept within bounds that training does not come near.
    """
    return jnp.exp(jnp.clip(gain, -_MOST_GAIN, _MOST_GAIN) - parameters.gradient_range)


def barriers(
    gradient: tuple[Float[Array, "h w"], Float[Array, "h w"]],
    of_gradient: Float[Array, "h w"],
    of_depth: Float[Array, "h w"],
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """B, what lies between a pixel and its left, and its upper, neighbour, in extents of any filter.

    Args:
      gradient: of the smoothed photo, from `domain_transform.guide_gradient`.
      of_gradient, of_depth: see `Evidence`.
    """
    return of_gradient * gradient[0] + of_depth, of_gradient * gradient[1] + of_depth


def fuse(
    parameters: MultiscaleParameters,
    evidence: Evidence,
    gradient: tuple[Float[Array, "h w"], Float[Array, "h w"]],
    *,
    method: RecursionMethod = "auto",
    size: Size | None = None,
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """Radius and confidence of every pixel.

    Args:
      parameters: of the fusion.
      evidence: see `gather`.
      gradient: of the smoothed photo, from `domain_transform.guide_gradient`.
      method: form of the recursion, see `domain_transform.recursive_filter`.
      size: true height and width of a photo in the top-left of padded arrays; may be traced.

    Returns:
      Radius, px, at least 0, and confidence in [0, 1], see `conclude`.
    """
    return conclude(parameters, *smooth(parameters, evidence, gradient, method=method, size=size))


def smooth(
    parameters: MultiscaleParameters,
    evidence: Evidence,
    gradient: tuple[Float[Array, "h w"], Float[Array, "h w"]],
    *,
    method: RecursionMethod = "auto",
    size: Size | None = None,
) -> tuple[Float[Array, "3 h w"], Float[Array, " 3"]]:
    """S_k = sum over extents j of c_j RF_j(E_k), and M_k, the mean of E_k over the photo; k = 0, 1, 2.

    RF_j is the recursive filter of extent sigma_j with the distance 1 + sigma_j B between neighbours.

    Arguments as in `fuse`.
    """
    stops = barriers(gradient, evidence.gradient_barrier, evidence.depth_barrier)
    inside = inside_mask(evidence.weight.shape, size)
    signals = jnp.where(inside[..., None], jnp.stack(evidence[:3], axis=-1), 0)
    total: Any = 0
    extents, weights = jnp.exp(parameters.extent), jnp.exp(parameters.extent_weight)
    for extent, weight in zip(extents, weights, strict=True):
        distances = (1 + extent * stops[0], 1 + extent * stops[1])
        smoothed = filter_by_distances(
            signals, distances, sigma_s=extent, num_iterations=ITERATIONS, method=method, size=size
        )
        total = total + weight * smoothed
    height, width = evidence.weight.shape if size is None else (size[0], size[1])
    area = (jnp.asarray(height, jnp.int32) * jnp.asarray(width, jnp.int32)).astype(signals.dtype)
    # By rows first: one running float32 sum over tens of megapixels would round small terms away.
    means = jnp.sum(jnp.sum(signals, axis=1), axis=0) / area
    return jnp.moveaxis(total, -1, 0), means


def conclude(
    parameters: MultiscaleParameters, smoothed: Float[Array, "3 h w"], means: Float[Array, " 3"]
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """Radius R and confidence C from the smoothed evidence S_k and its means M_k over the photo.

        T_k = S_k + 1e-4 M_k,   R = T_1 / T_0
        D = sqrt(T_2 / T_0 - R^2) / (R + 0.5)
        C = logistic(u_0 + u_1 log S_0 + u_2 D)

    Where hardly any evidence arrives, R turns into the mean over all evidence of the photo. C is the estimated
    probability that the true radius lies within 0.5 px or 25 % of R, whichever is larger. Without any evidence at all
    R is the middle of the levels and C is 0.

    Args:
      parameters: of the fusion.
      smoothed, means: from `smooth`.

    Returns:
      R, px, at least 0, and C, in [0, 1].
    """
    weight = smoothed[0]
    far = jnp.asarray(_FAR, weight.dtype) * means
    total = weight + far[0]
    unknown = jnp.asarray(UNKNOWN_RADIUS, weight.dtype)
    radius = jnp.maximum(quotient(smoothed[1] + far[1], total, unknown), 0)
    square = quotient(smoothed[2] + far[2], total, unknown**2)
    disagreement = jnp.sqrt(jnp.maximum(square - radius**2, 1e-6)) / (radius + 0.5)
    constant, of_weight, of_disagreement = parameters.confidence
    log_weight = jnp.log(jnp.maximum(weight, 1e-12))
    confidence = jax.nn.sigmoid(constant + of_weight * log_weight + of_disagreement * disagreement)
    return radius, jnp.where(total > 0, confidence, 0)


def is_right(radius: Float[Array, "*n"], truth: Float[Array, "*n"]) -> Bool[Array, "*n"]:
    """Whether a radius, px, is within 0.5 px or 25 % of itself of the truth: what the confidence predicts."""
    return jnp.abs(radius - truth) <= jnp.maximum(_RIGHT_PX, _RIGHT_FRACTION * radius)
