"""Which edge points of a composite are depth edges, which are pattern edges, and which are not clear."""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxblur.synthesis.formation import Border, convolve, valid_part
from jaxblur.synthesis.kernels import SHARP_RADIUS
from jaxblur.synthesis.layers import check_stack

PATTERN = 0
"""Label of an edge point whose blur is well defined."""

DEPTH = 1
"""Label of an edge point at which an object ends and the blur changes."""

IGNORE = -1
"""Label of a pixel that is neither for sure."""

# Distance, px, by which edges found in composites of photos miss the boundary that causes them: 0.5 or 0.9 px
# at sharp ones, and up to about 3 px at a near layer's radius of 6 px.
_TOLERANCE = 0.8
_TOLERANCE_SLOPE = 0.4  # per px of the near layer's radius
_GUARD = 1.0  # px beyond the tolerance that are ignored
_MIXED = (0.02, 0.98)  # blurred alpha of pixels at which both layers are seen
_FRACTION = 0.25  # both layers must reach this fraction of the light near a depth edge
_VISIBLE = 0.05  # a layer behind others counts from this transmittance on


def edge_labels(
    alphas: Float[Array, "n h w"],
    kernels: Float[Array, "n k k"],
    radii: Float[Array, " n"],
    *,
    min_step: float = 0.75,
    max_same: float = 0.25,
    border: Border = "valid",
) -> Int[Array, "h2 w2"]:
    """What an edge point found at each pixel of a composite is: 0 pattern edge, 1 depth edge, -1 not clear.

    A *boundary* of a layer lies where its sharp alpha crosses 1/2; its *step* at a pixel is the difference
    between the layer's radius and that of the layer behind (radii up to 0.5 px are all sharp, so they count
    as 0.5). Then
      depth: within 0.8 px + 0.4 times the layer's radius of a boundary whose step is at least `min_step`,
        provided that both the layer and what is behind it make up a quarter of the light somewhere within
        that distance (not so at bars much thinner than their blur, which leave no edge of their own);
      not clear: in reach of a boundary with a step of more than `max_same`, but not depth: where the blurred
        alpha is between 0.02 and 0.98, so that two blurs mix, or within 1 px beyond the distance above;
      pattern: everything else, boundaries at which the radius hardly steps included: blur is well defined
        there.
    A boundary hidden behind nearer layers (transmittance below 0.05) does not count. The distance allows for
    the displacement of a blurred edge by the texture next to it. Texture of a sharp near layer within that
    distance cannot be told from the boundary, and is called depth.

    Args:
      alphas: (n, H, W) how much of each pixel a layer covers, in [0, 1], from back to front.
      kernels: (n, k, k) point-spread function of each layer.
      radii: (n,) disk radius of each layer, px.
      min_step: least step of the radius at a depth edge, px.
      max_same: largest step of the radius that is taken for none, px.
      border: the one the composite was made with.

    Returns:
      int32 labels, one per pixel of the composite.

    Raises:
      TypeError: `alphas` or `radii` do not hold floating-point numbers.
      ValueError: the parts of the stack do not fit together, not 0 <= max_same <= min_step, or as in
        `convolve`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import disk_kernel, edge_labels
      >>> alphas = jnp.ones((2, 32, 32)).at[1, :, :16].set(0.0)  # the near layer covers the right half
      >>> radii = jnp.asarray([3.0, 0.5])
      >>> kernels = jnp.stack([disk_kernel(radius, size=7) for radius in radii])
      >>> print(edge_labels(alphas, kernels, radii)[13, 8:18])  # 1: a depth edge, -1: not clear
      [ 0  0  0 -1  1  1 -1  0  0  0]
    """
    check_stack(alphas, kernels=kernels, radii=radii)
    if not 0 <= max_same <= min_step:
        raise ValueError(f"steps must satisfy 0 <= max_same <= min_step, got {max_same}, {min_step}")
    steps = (jnp.asarray(step, radii.dtype) for step in (min_step, max_same))
    return _labels(alphas, kernels, radii, *steps, border)


@functools.partial(jax.jit, static_argnames="border")
def _labels(
    alphas: Array, kernels: Array, radii: Array, min_step: Array, max_same: Array, border: Border
) -> Array:
    size = kernels.shape[-1]
    blurred = jax.vmap(lambda alpha, kernel: convolve(alpha[..., None], kernel, border=border)[..., 0])(
        alphas, kernels
    )
    inside = alphas >= 0.5
    radii = jnp.maximum(radii, SHARP_RADIUS)

    transmittance = [jnp.ones_like(blurred[0])]  # of all that is in front of a layer, front to back
    for alpha in blurred[:0:-1]:
        transmittance.append(transmittance[-1] * (1 - alpha))

    behind = jnp.broadcast_to(radii[0], alphas.shape[1:])
    is_depth = jnp.zeros(blurred.shape[1:], bool)
    is_unclear = is_depth
    for i in range(1, alphas.shape[0]):
        step = _as_composite(jnp.abs(radii[i] - behind), size, border)
        visible = transmittance[-1 - i] >= _VISIBLE
        tolerance = _TOLERANCE + _TOLERANCE_SLOPE * radii[i]
        distance = _boundary_distance(inside[i], size, border)
        mixed = (blurred[i] > _MIXED[0]) & (blurred[i] < _MIXED[1])
        has_edge = _both_seen(blurred[i], tolerance, size)
        distance = distance.astype(radii.dtype)
        is_depth |= (distance <= tolerance) & (step >= min_step) & visible & has_edge
        is_unclear |= (mixed | (distance <= tolerance + _GUARD)) & (step > max_same) & visible
        behind = jnp.where(inside[i], radii[i], behind)
    return jnp.where(is_depth, DEPTH, jnp.where(is_unclear, IGNORE, PATTERN)).astype(jnp.int32)


def _as_composite(values: Array, size: int, border: Border) -> Array:
    return valid_part(values, size=size) if border == "valid" else values


def _offsets(size: int, extra: float) -> list[tuple[int, int]]:
    """Steps (rows, columns) up to the largest tolerance of a kernel of `size`, and `extra` px."""
    reach = _TOLERANCE + _TOLERANCE_SLOPE * size / 2 + extra
    span = range(-math.floor(reach), math.floor(reach) + 1)
    return [(row, column) for row in span for column in span if math.hypot(row, column) <= reach]


def _shifted(values: Array, offsets: list[tuple[int, int]]) -> list[Array]:
    """`values` moved by each offset, the border pixel repeated."""
    reach = max(max(map(abs, offset)) for offset in offsets)
    padded = jnp.pad(values, reach, mode="edge")
    height, width = values.shape
    return [padded[reach + i : reach + i + height, reach + j : reach + j + width] for i, j in offsets]


def _boundary_distance(inside: Array, size: int, border: Border) -> Array:
    """Distance to the boundary of a region, px: that to the nearest pixel beyond, less half a pixel."""
    offsets = _offsets(size, _GUARD + 0.5)
    distance = jnp.full(inside.shape, jnp.inf, jnp.float32)
    for (row, column), other in zip(offsets, _shifted(inside, offsets), strict=True):
        distance = jnp.where(inside != other, jnp.minimum(distance, math.hypot(row, column) - 0.5), distance)
    return _as_composite(distance, size, border)


def _both_seen(blurred: Array, tolerance: Array, size: int) -> Array:
    """Whether blurred alpha comes to `_FRACTION` and to 1 - `_FRACTION` within the tolerance."""
    offsets = _offsets(size, 0.0)
    low, high = blurred, blurred
    for (row, column), other in zip(offsets, _shifted(blurred, offsets), strict=True):
        near = math.hypot(row, column) <= tolerance
        low = jnp.where(near, jnp.minimum(low, other), low)
        high = jnp.where(near, jnp.maximum(high, other), high)
    return (high >= _FRACTION) & (low <= 1 - _FRACTION)
