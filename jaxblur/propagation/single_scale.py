"""The paper's propagation of the blur known at pattern edges to every pixel (section III-C), with a confidence.

Karaali, Harte and Jung, "Deep Multi-Scale Feature Learning for Defocus Blur Estimation", IEEE TIP 2022.
"""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxblur._checks import check_float, check_not_empty, check_rank, check_same_size
from jaxblur.config import GuideConfig, PropagationConfig, RecursionMethod
from jaxblur.image.size import Size, check_size, inside_mask
from jaxblur.network.readout import EdgeReading
from jaxblur.propagation.domain_transform import domain_distances, filter_by_distances, smooth_guide
from jaxblur.propagation.quotient import quotient

HALF_SUPPORT = 0.05
"""Smoothed edge mask times sigma_s at which the support is one half; a straight edge itself has about 0.6."""


def propagate(
    radius: Float[Array, "h w"],
    weight: Float[Array, "h w"],
    depth: Float[Array, "h w"],
    image: Float[Array, "h w c"],
    *,
    reliability: Float[Array, "h w"] | None = None,
    config: PropagationConfig = PropagationConfig(),  # noqa: B008 - frozen
    guide: GuideConfig = GuideConfig(),  # noqa: B008 - frozen
    method: RecursionMethod = "auto",
    size: Size | None = None,
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """Propagate the radius at pattern edges over the image: RF(weight * radius) / RF(weight).

    RF is the recursive filter with the image, smoothed by itself, as guide and `depth_penalty * depth` as
    barrier. With weights 0 and 1 this is the published map wherever that is defined. Where no pattern edge
    is in reach (RF(weight) underflows) the published quotient is 0 / 0; here the radius is the weighted mean
    over all pattern edges of the photo, or `config.unknown_radius` if it has none, and the confidence is 0.

    The confidence is RF(weight * reliability) / RF(weight), the mean reliability of the edges that gave the
    value, times the support n / (n + 0.05 / sigma_s), n = RF(weight > 0). Support rises with n; it is about
    0.9 on a straight edge in a flat area, about one half two sigma_s away from it, and goes to 0 beyond. A
    lone edge point gives little. The scale of `weight` does not matter.

    Args:
      radius: blur in px at the pattern edges; what it holds elsewhere is ignored.
      weight: how much each pattern edge counts, >= 0; zero marks every other pixel.
      depth: depth edges in [0, 1], hard or soft.
      image: photo in [0, 1], sRGB-encoded, (H, W, C).
      reliability: in [0, 1], how sure the classes of each edge point are; None means 1.
      config: filter extents and penalty. `sigma_s = None` means a fraction of the shorter true side.
      guide: smoothing of the image by itself.
      method: form of the recursion, see `recursive_filter`.
      size: true height and width of a photo in the top-left of padded arrays, may be traced; the result
        inside is that of the photo alone.

    Returns:
      Radius in px and confidence in [0, 1], both (H, W), never NaN. Outside `size` the confidence is 0.

    Raises:
      TypeError: an array does not hold floating-point numbers.
      ValueError: the arrays or `size` do not fit together.

    Examples:
      >>> import jax.numpy as jnp, jaxblur
      >>> nothing, image = jnp.zeros((32, 32)), jnp.full((32, 32, 3), 0.5)
      >>> weight = nothing.at[16, 16].set(1.0)  # one edge point, of radius 2 px
      >>> radius, confidence = jaxblur.propagate(2 * weight, weight, nothing, image)
      >>> round(float(radius.min()), 3), round(float(radius.max()), 3)
      (2.0, 2.0)
    """
    check_rank("image", image, (3,), "(H, W, C)")
    check_not_empty("image", image)
    check_float("image", image)
    planes = {"radius": radius, "weight": weight, "depth": depth}
    if reliability is not None:
        planes["reliability"] = reliability
    for name, plane in planes.items():
        check_rank(name, plane, (2,), "(H, W)")
        check_float(name, plane)
        check_same_size(name, plane, "image", image)
    check_size(size, image.shape[:2])
    return _propagate(
        radius, weight, depth, image, reliability, size, config=config, guide=guide, method=method
    )


@jax.jit(static_argnames=("config", "guide", "method"))
def _propagate(
    radius: Array,
    weight: Array,
    depth: Array,
    image: Array,
    reliability: Array | None,
    size: Any,
    *,
    config: PropagationConfig,
    guide: GuideConfig,
    method: RecursionMethod,
) -> tuple[Array, Array]:
    dtype = radius.dtype
    height, width = radius.shape if size is None else (size[0], size[1])
    inside = inside_mask(radius.shape, size)
    signals = edge_signals(radius, weight, reliability, inside)
    sigma_s = spatial_extent(config, height, width, dtype)
    smooth = smooth_guide(image.astype(dtype), size, config=guide, method=method)
    barrier = config.depth_penalty * jnp.where(inside, depth.astype(dtype), 0)
    smoothed = filter_by_distances(
        jnp.stack(signals, axis=-1),
        domain_distances(smooth, sigma_s=sigma_s, sigma_r=config.sigma_r, barrier=barrier),
        sigma_s=sigma_s,
        num_iterations=config.iterations,
        method=method,
        size=size,
    )
    mean_radius = quotient(
        _total(signals.weighted_radius), _total(signals.weight), jnp.asarray(config.unknown_radius, dtype)
    )
    smoothed = EdgeSignals(*jnp.moveaxis(smoothed, -1, 0))
    confidence = quotient(smoothed.weighted_reliability, smoothed.weight, jnp.zeros((), dtype))
    return (
        quotient(smoothed.weighted_radius, smoothed.weight, mean_radius),
        with_support(confidence, smoothed.is_edge, sigma_s),
    )


def weigh_edges(
    reading: EdgeReading, edges: Bool[Array, "*n"], *, weighting: Literal["uniform", "confidence"]
) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    """Weight and depth of every edge, as `propagate` takes them; 0 off the edges.

    Args:
      reading: of the networks.
      edges: where they were asked.
      weighting: a pattern edge weighs 1, or as much as its reading is reliable.

    Returns:
      The weight of pattern edges, and 1 at depth edges.
    """
    depth_edges = edges & is_depth(reading.depth)
    weight = (edges & ~depth_edges).astype(reading.depth.dtype)
    if weighting == "confidence":
        weight = weight * reading.reliability
    return weight, depth_edges.astype(weight.dtype)


def is_depth(probability: Any) -> Any:
    """Whether E-Net calls an edge an occlusion boundary, by its probability. For NumPy and JAX arrays alike."""
    return probability > 0.5


class EdgeSignals(NamedTuple):
    """What is smoothed: 0 off the edges that count."""

    weight: Array
    weighted_radius: Array
    is_edge: Array
    weighted_reliability: Array


def edge_signals(
    radius: Float[Array, "h w"],
    weight: Float[Array, "h w"],
    reliability: Float[Array, "h w"] | None,
    inside: Bool[Array, "h w"],
) -> EdgeSignals:
    """The signals whose smoothed quotients are radius and confidence; arguments as in `propagate`."""
    is_edge = inside & (weight > 0)
    # Zero first, multiply later: the planes may hold anything, NaN included, off the edges.
    weight = jnp.where(is_edge, weight.astype(radius.dtype), 0)
    weighted_radius = weight * jnp.where(is_edge, radius, 0)
    weighted_reliability = weight
    if reliability is not None:
        weighted_reliability = weight * jnp.where(is_edge, reliability.astype(radius.dtype), 0)
    return EdgeSignals(weight, weighted_radius, is_edge.astype(radius.dtype), weighted_reliability)


def spatial_extent(config: PropagationConfig, height: Any, width: Any, dtype: Any) -> Float[Array, ""]:
    """sigma_s in px for a photo of this size."""
    if config.sigma_s is not None:
        return jnp.asarray(config.sigma_s, dtype)
    return config.sigma_s_fraction * jnp.minimum(jnp.asarray(height, dtype), jnp.asarray(width, dtype))


def with_support(
    reliability: Float[Array, "h w"], support: Float[Array, "h w"], sigma_s: Float[Array, ""]
) -> Float[Array, "h w"]:
    """Confidence: mean reliability of the edges in reach, times n / (n + 0.05 / sigma_s), n = RF(is_edge)."""
    return jnp.clip(reliability * (support / (support + HALF_SUPPORT / sigma_s)), 0, 1)


def _total(plane: Float[Array, "h w"]) -> Float[Array, ""]:
    """Sum by rows first: one running float32 sum over tens of megapixels would round small terms away."""
    return jnp.sum(jnp.sum(plane, axis=1))
