"""Third stage: readings at all scales of a photo become one dense map; all of it trained on dense ground truth.

Every reading counts by its precision, by its level (those near either end of a scale's range say little: the next scale
knows better) and by how sure the networks are of it.

The readings are spread by normalised convolutions of several extents at once, over one field of barriers, which stop
all of them alike.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxblur.image.pyramid import MAX_SCALES, cover, place
from jaxblur.image.size import Size, inside_mask
from jaxblur.multiscale.guide_net import guide_gain, init_guide
from jaxblur.network.config import NetworkConfig
from jaxblur.network.readout import EdgeReading
from jaxblur.propagation.domain_transform import filter_by_distances
from jaxblur.propagation.recursive_scan import Method
from jaxblur.propagation.single_scale import quotient

ITERATIONS = 4  # of the filter
_FAR = 1e-4  # weight of the mean over the whole photo, to be seen where no edge is in reach
_UNKNOWN = 3.25  # px, the radius without any evidence: the middle of the levels
_SURE, _SURE_SHARE = 0.5, 0.25  # an answer within so many px, or this share of it, is right
_MOST_GAIN = 8.0  # of the guide network: no weights make a step infinite
_ROLES = 4  # of a scale: the only one, the finest, one between, the coarsest


class Evidence(NamedTuple):
    """What is known before it is spread, planes in pixels of the photo; sums over scales, 0 where nothing is known.

    Attributes:
      weight: (H, W) how much the readings of a place count.
      weighted_radius: (H, W) weight times radius, px.
      weighted_square: (H, W) weight times squared radius.
      barrier: (H, W) what depth edges put in the way, in extents of any filter; see `depth_barrier`.
      stop: (H, W) what a step of the photo by 1 puts in the way, likewise; see `step_stop`.
    """

    weight: Any
    weighted_radius: Any
    weighted_square: Any
    barrier: Any
    stop: Any


def init_parameters(network: NetworkConfig, key: jax.Array) -> dict[str, Any]:
    """Parameters of the third stage before training: plain choices that already work.

    Returns:
      `level_weight`: (4, levels) logarithm of the weight of a reading of each level, by the role of its scale (only,
      finest, between, coarsest). `scale_weight`: (4,) likewise by scale. `powers`: (3,) exponents of precision and
      reliability, and rate of decay with the probability of a depth edge. `least`: log of the least variance of
      a reading, in px of its scale. `sharp`: px, what a reading of the first level is taken for, in the direction of 0.
      `extent`: (3,) log px. `share`: (3,) log. `range`: log of the photo's step that stops as much as one extent of
      distance, far from all edges. `penalty`: (4,) what a certain depth edge of each scale stops, before softplus.
      `confidence`: (3,) logistic weights of one, log weight at hand and disagreement. `guide`: of the guide network,
      see `guide`; the only ones that are random.
    """
    levels = jnp.asarray(network.levels, jnp.float32)
    last, step = levels[-1], levels[1] - levels[0]
    not_last = jnp.clip((last - step - levels) / (4 * step), 0, 1)
    not_first = jnp.clip((levels - levels[0] - step) / (3 * step), 0, 1)
    weights = jnp.stack([jnp.ones_like(levels), not_last, not_first * not_last, not_first])
    return {
        "level_weight": jnp.log(jnp.maximum(weights, math.exp(-6.0))),
        "scale_weight": jnp.zeros(MAX_SCALES),
        "powers": jnp.asarray([0.5, 1.0, 3.0]),
        "least": jnp.asarray(-3.2),
        "sharp": jnp.asarray(0.2),
        "extent": jnp.log(jnp.asarray([4.0, 16.0, 48.0])),
        "share": jnp.zeros(3),
        "range": jnp.log(jnp.asarray(1.5)),
        "penalty": jnp.full(MAX_SCALES, 0.5),
        "confidence": jnp.asarray([1.0, 0.2, -2.0]),
        "guide": init_guide(key),
    }


def sharpest(
    parameters: dict[str, Any], radius: Float[Array, "*n"], network: NetworkConfig
) -> Float[Array, "*n"]:
    """Radius of readings, px of their scale, with the scale from the first level to the second stretched to `sharp`.

    The first level stands for all that is sharper too.
    """
    first, second = network.levels[:2]
    sharp = jnp.clip(parameters["sharp"], 0.0, first)
    stretched = sharp + (second - sharp) * ((radius - first) / (second - first))
    return jnp.where(radius < second, stretched, radius)


def weigh_reading(
    parameters: dict[str, Any],
    reading: EdgeReading,
    edges: Bool[Array, "*n"],
    network: NetworkConfig,
    *,
    scale: int,
    scales: Int[Array, ""],
) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    """Weight and radius (px of the photo) of the readings of one scale; weight 0 off its edges.

    Args:
      parameters: see `init_parameters`.
      reading: of that scale, in its pixels.
      edges: where the networks were asked.
      network: whose levels they are.
      scale: number of halvings.
      scales: number of scales of the photo.
    """
    radius = sharpest(parameters, reading.radius, network)
    precision = 1 / (reading.spread**2 + jnp.exp(parameters["least"]))
    first, step = network.levels[0], network.levels[1] - network.levels[0]
    place_of = (reading.radius - first) / step
    below = jnp.clip(jnp.floor(place_of), 0, len(network.levels) - 2).astype(jnp.int32)
    between = place_of - below.astype(place_of.dtype)
    finest = jnp.where(scales == 1, 0, 1) if scale == 0 else jnp.where(scales == scale + 1, 3, 2)
    row = parameters["level_weight"][finest]
    of_precision, of_reliability, of_depth = parameters["powers"]
    log_weight = (
        row[below] * (1 - between)
        + row[below + 1] * between
        + parameters["scale_weight"][scale]
        + of_precision * jnp.log(precision)
        + of_reliability * jnp.log(jnp.maximum(reading.reliability, 1e-3))
        - of_depth * reading.depth
    )
    # One pixel of a coarse scale stands for an edge 2^scale px long.
    weight = jnp.where(edges & (scale < scales), 2.0**scale * jnp.exp(log_weight), 0)
    return weight, 2.0**scale * radius


def gather(
    parameters: dict[str, Any],
    readings: Sequence[tuple[EdgeReading, Bool[Array, "h2 w2"]]],
    network: NetworkConfig,
    *,
    shape: tuple[int, ...],
    scales: Int[Array, ""],
    size: Size | None = None,
) -> Evidence:
    """Readings of all scales, finest first, put together in pixels of the photo.

    Args:
      parameters: see `init_parameters`.
      readings: planes of each scale, and the edges they were read at.
      network: whose levels they are.
      shape: height and width of the photo.
      scales: how many of the scales count.
      size: true height and width of a photo in the top-left of padded arrays; may be traced.
    """
    readings = [(reading, edges & (scale < scales)) for scale, (reading, edges) in enumerate(readings)]
    sums = [jnp.zeros(shape, readings[0][0].radius.dtype)] * 3
    barrier = jnp.zeros(shape, readings[0][0].radius.dtype)
    for scale, (reading, edges) in enumerate(readings):
        weight, radius = weigh_reading(parameters, reading, edges, network, scale=scale, scales=scales)
        powers = (weight, weight * radius, weight * radius**2)
        sums = [total + place(plane, scale, shape) for total, plane in zip(sums, powers, strict=True)]
        depth = jnp.where(edges, reading.depth, 0)
        barrier = barrier + cover(depth_barrier(parameters, depth, scale), scale, shape)
    stop = step_stop(parameters, guide_gain(parameters["guide"], readings, shape=shape, size=size))
    return Evidence(sums[0], sums[1], sums[2], barrier, stop)


def depth_barrier(parameters: dict[str, Any], depth: Float[Array, "*n"], scale: int) -> Float[Array, "*n"]:
    """What edges stop at every pixel of the photo that they stand for, in extents of any filter.

    Sharp objects end at an edge of the photo itself, blurred ones at edges of its smaller copies, 2^scale px wide.

    Args:
      parameters: see `init_parameters`.
      depth: probability of a depth edge.
      scale: number of halvings.
    """
    return jax.nn.softplus(parameters["penalty"][scale]) * depth / 2 ** (scale + 1)


def step_stop(parameters: dict[str, Any], gain: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """What a step of the photo by 1 stops, in extents of any filter.

    Args:
      parameters: see `init_parameters`.
      gain: from `guide.guide_gain`; kept within bounds that training does not come near.
    """
    return jnp.exp(jnp.clip(gain, -_MOST_GAIN, _MOST_GAIN) - parameters["range"])


def barriers(
    steps: tuple[Float[Array, "h w"], Float[Array, "h w"]],
    stop: Float[Array, "h w"],
    barrier: Float[Array, "h w"],
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """What stops the spreading between a pixel and its left, and its upper, neighbour, in extents of any filter.

    Args:
      steps: of the smoothed photo, from `domain_transform.channel_steps`, summed over channels.
      stop, barrier: see `Evidence`.
    """
    return stop * steps[0] + barrier, stop * steps[1] + barrier


def spread(
    parameters: dict[str, Any],
    evidence: Evidence,
    steps: tuple[Float[Array, "h w"], Float[Array, "h w"]],
    *,
    method: Method = "auto",
    size: Size | None = None,
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """Radius and confidence of every pixel: sum of RF_k(weight * radius) / sum of RF_k(weight), k over the extents.

    Args:
      parameters: see `init_parameters`.
      evidence: see `gather`.
      steps: of the smoothed photo, see `barriers`.
      method: form of the recursion, see `domain_transform.recursive_filter`.
      size: true height and width of a photo in the top-left of padded arrays; may be traced.

    Returns:
      Radius, px, at least 0, and confidence in [0, 1], see `conclude`.
    """
    return conclude(parameters, *smooth(parameters, evidence, steps, method=method, size=size))


def smooth(
    parameters: dict[str, Any],
    evidence: Evidence,
    steps: tuple[Float[Array, "h w"], Float[Array, "h w"]],
    *,
    method: Method = "auto",
    size: Size | None = None,
) -> tuple[Float[Array, "3 h w"], Float[Array, " 3"]]:
    """The first three planes of the evidence, filtered with all extents and added up, and their means over the photo.

    Arguments as in `spread`.
    """
    stops = barriers(steps, evidence.stop, evidence.barrier)
    inside = inside_mask(evidence.weight.shape, size)
    signals = jnp.where(inside[..., None], jnp.stack(evidence[:3], axis=-1), 0)
    total: Any = 0
    for extent, share in zip(jnp.exp(parameters["extent"]), jnp.exp(parameters["share"]), strict=True):
        distances = (1 + extent * stops[0], 1 + extent * stops[1])
        smoothed = filter_by_distances(
            signals, distances, sigma_s=extent, num_iterations=ITERATIONS, method=method, size=size
        )
        total = total + share * smoothed
    height, width = evidence.weight.shape if size is None else size
    area = (jnp.asarray(height, jnp.int32) * jnp.asarray(width, jnp.int32)).astype(signals.dtype)
    # By rows first: one running float32 sum over tens of megapixels would round small terms away.
    means = jnp.sum(jnp.sum(signals, axis=1), axis=0) / area
    return jnp.moveaxis(total, -1, 0), means


def conclude(
    parameters: dict[str, Any], smoothed: Float[Array, "3 h w"], means: Float[Array, " 3"]
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """Radius and confidence from the smoothed evidence and its means over the photo.

    Where hardly any evidence arrives, the radius turns into the mean over all evidence of the photo. The confidence is
    the probability that the radius is right within half a pixel or a quarter of it, whichever is more: a logistic
    function of the evidence that arrives and of how far it disagrees. Without any evidence at all the radius is the
    middle of the levels and the confidence 0.

    Args:
      parameters: see `init_parameters`.
      smoothed, means: from `smooth`.
    """
    weight = smoothed[0]
    far = jnp.asarray(_FAR, weight.dtype) * means
    total = weight + far[0]
    unknown = jnp.asarray(_UNKNOWN, weight.dtype)
    radius = jnp.maximum(quotient(smoothed[1] + far[1], total, unknown), 0)
    square = quotient(smoothed[2] + far[2], total, unknown**2)
    disagreement = jnp.sqrt(jnp.maximum(square - radius**2, 1e-6)) / (radius + 0.5)
    constant, of_weight, of_disagreement = parameters["confidence"]
    log_weight = jnp.log(jnp.maximum(weight, 1e-12))
    confidence = jax.nn.sigmoid(constant + of_weight * log_weight + of_disagreement * disagreement)
    return radius, jnp.where(total > 0, confidence, 0)


def is_right(radius: Float[Array, "h w"], truth: Float[Array, "h w"]) -> Bool[Array, "h w"]:
    """Whether a radius, px, is within 0.5 px or a quarter of itself of the truth: what the confidence predicts."""
    return jnp.abs(radius - truth) <= jnp.maximum(_SURE, _SURE_SHARE * radius)
