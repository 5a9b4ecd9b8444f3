"""Edge-aware smoothing by the recursive form of the domain transform.

Gastal and Oliveira, "Domain Transform for Edge-Aware Image and Video Processing", SIGGRAPH 2011, recursive
filtering. Neighbouring pixels are coupled by a weight a^d, a = exp(-sqrt(2) / sigma), where the distance d
grows with the gradient of a guide image between them. `cv2.ximgproc.dtFilter(mode=DTF_RF)` is the same filter
without a barrier.
"""

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxblur._checks import (
    check_float,
    check_not_empty,
    check_positive,
    check_rank,
    check_same_size,
)
from jaxblur.config import METHODS, GuideConfig, RecursionMethod
from jaxblur.image.size import Size, check_size, inside_mask
from jaxblur.propagation.recursive_scan import by_method, recurse, recurse_along_rows

Scalar = float | Float[Array, ""]
_BLOCK = 128  # rows at a time in the sequential form, at most
_CACHE_LINE = 64  # bytes


def domain_distances(
    guide: Float[Array, "h w g"],
    *,
    sigma_s: Scalar,
    sigma_r: Scalar,
    barrier: Float[Array, "h w"] | None = None,
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """Distance of every pixel to its left and to its upper neighbour in the transformed domain.

    d = 1 + sigma_s / sigma_r * sum over channels |dI| + barrier, the derivative of the first column or row
    being 0 (Gastal and Oliveira; the barrier is this project's and the paper's addition).

    Args:
      guide: image whose gradients stop the smoothing.
      sigma_s: spatial extent, px.
      sigma_r: range extent, in units of `guide`.
      barrier: distance to add at a pixel along both axes, >= 0.

    Returns:
      Horizontal and vertical distances, both (H, W), in px.
    """
    return distances_from_gradient(guide_gradient(guide), sigma_s=sigma_s, sigma_r=sigma_r, barrier=barrier)


def guide_gradient(guide: Float[Array, "h w g"]) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """`channel_gradient` of all channels added up."""
    # Channel by channel: a sum over the last axis would hold all differences at once.
    channels = [channel_gradient(guide[..., c]) for c in range(guide.shape[-1])]
    horizontal, vertical = (functools.reduce(operator.add, planes) for planes in zip(*channels, strict=True))
    return horizontal, vertical


def distances_from_gradient(
    gradient: tuple[Float[Array, "h w"], Float[Array, "h w"]],
    *,
    sigma_s: Scalar,
    sigma_r: Scalar,
    barrier: Float[Array, "h w"] | None = None,
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """`domain_distances` from the gradient of the guide, from `guide_gradient`."""
    dtype = gradient[0].dtype
    ratio = jnp.asarray(sigma_s, dtype) / jnp.asarray(sigma_r, dtype)
    distances = 1 + ratio * gradient[0], 1 + ratio * gradient[1]
    return distances if barrier is None else (distances[0] + barrier, distances[1] + barrier)


def channel_gradient(channel: Float[Array, "h w"]) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """Absolute difference of every pixel to its left and to its upper neighbour, 0 in the first column or row."""
    return (
        jnp.pad(jnp.abs(jnp.diff(channel, axis=1)), ((0, 0), (1, 0))),
        jnp.pad(jnp.abs(jnp.diff(channel, axis=0)), ((1, 0), (0, 0))),
    )


def filter_by_distances(
    signal: Float[Array, "h w c"],
    distances: tuple[Float[Array, "h w"], Float[Array, "h w"]],
    *,
    sigma_s: Scalar,
    num_iterations: int,
    method: RecursionMethod = "auto",
    size: Size | None = None,
) -> Float[Array, "h w c"]:
    """Smooth every channel of `signal` with given distances between neighbours, from `domain_distances`.

    Forward then backward along rows, then along columns, `num_iterations` times with halving extents.
    Arguments as in `recursive_filter`; `signal` and `distances` share one dtype.
    """
    inside = inside_mask(signal.shape[:2], size)
    horizontal, vertical = domain_weights(
        distances, coupled_pixels(inside), sigma_s=sigma_s, num_iterations=num_iterations
    )

    signal = jnp.where(inside[..., None], signal, 0)
    forms = (
        functools.partial(form, num_iterations=num_iterations)
        for form in (_smooth_in_blocks, _smooth_at_once)
    )
    return by_method(method, *forms, signal, horizontal, vertical)


def _repeat(iteration: Callable[[Any], Any], state: Any, count: int) -> Array:
    """The signal after `count` iterations; its gradient keeps what each starts from, and does the rest anew."""
    again = jax.checkpoint(iteration, prevent_cse=False)
    return lax.fori_loop(0, count, lambda _, state: again(state), state)[0]


def _smooth_at_once(
    signal: Float[Array, "h w c"],
    horizontal: Float[Array, "h w"],
    vertical: Float[Array, "h w"],
    *,
    num_iterations: int,
) -> Float[Array, "h w c"]:
    """What accelerators like best: all pixels of a row or column in parallel."""

    def iteration(state):
        signal, horizontal, vertical = state
        signal = recurse(signal, horizontal, method="associative").transpose(2, 1, 0)
        signal = recurse(signal, vertical, method="associative").transpose(2, 1, 0)
        return signal, horizontal**2, vertical**2

    # The running axis leads, the other is contiguous; the channels between them share the weights.
    state = (signal.transpose(1, 2, 0), horizontal.T, vertical)
    return _repeat(iteration, state, num_iterations).transpose(2, 0, 1)


def _smooth_in_blocks(
    signal: Float[Array, "h w c"],
    horizontal: Float[Array, "h w"],
    vertical: Float[Array, "h w"],
    *,
    num_iterations: int,
) -> Float[Array, "h w c"]:
    """What the processor's caches like best: blocks of rows, and rows of an odd number of cache lines.

    With an even number, above all a power of two, the pixels of a column would share few places in the cache.
    """
    height, width = horizontal.shape
    blocks = -(-height // _BLOCK)
    line = _CACHE_LINE // signal.dtype.itemsize
    more = (0, -height % blocks), (0, (-(-width // line) | 1) * line - width)
    signal = jnp.pad(signal, (*more, (0, 0)))
    horizontal, vertical = jnp.pad(horizontal, more), jnp.pad(vertical, more)
    rows, columns = vertical.shape

    def iteration(state):
        signal, horizontal, vertical = state
        signal = recurse(recurse_along_rows(signal, horizontal), vertical, method="scan")
        return signal, horizontal**2, vertical**2

    horizontal = horizontal.reshape(blocks, rows // blocks, columns).transpose(0, 2, 1)
    state = (signal.transpose(0, 2, 1), horizontal, vertical)
    return _repeat(iteration, state, num_iterations).transpose(0, 2, 1)[:height, :width]


def coupled_pixels(inside: Bool[Array, "h w"]) -> tuple[Bool[Array, "h w"], Bool[Array, "h w"]]:
    """Pixels of the photo whose left, and whose upper, neighbour is in the photo too."""
    return (
        inside & jnp.pad(inside[:, :-1], ((0, 0), (1, 0))),
        inside & jnp.pad(inside[:-1], ((1, 0), (0, 0))),
    )


def domain_weights(
    distances: tuple[Float[Array, "h w"], Float[Array, "h w"]],
    coupled: tuple[Bool[Array, "h w"], Bool[Array, "h w"]],
    *,
    sigma_s: Scalar,
    num_iterations: int,
) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """How much every pixel takes from its left and from its upper neighbour in the first of the iterations.

    a^d with extents sigma_k = sigma_s sqrt(3) 2^(N-k) / sqrt(4^N - 1) (Gastal and Oliveira): sigma_k halves
    from one iteration to the next, so every weight is the square of the one before.

    Args:
      distances: horizontal and vertical ones, from `domain_distances`.
      coupled: where there is such a neighbour at all, from `coupled_pixels`; elsewhere the weight is 0.
      sigma_s: spatial extent, px.
      num_iterations: N.
    """
    sigma_first = jnp.asarray(sigma_s, distances[0].dtype) * (
        math.sqrt(3 / (4**num_iterations - 1)) * 2 ** (num_iterations - 1)
    )
    log_feedback = -math.sqrt(2) / sigma_first
    horizontal, vertical = (
        jnp.where(mask, jnp.exp(log_feedback * d), 0) for mask, d in zip(coupled, distances, strict=True)
    )
    return horizontal, vertical


@jax.jit(static_argnames=("num_iterations", "method"))
def _recursive_filter(signal, guide, sigma_s, sigma_r, barrier, size, *, num_iterations, method):
    inside = inside_mask(signal.shape[:2], size)
    guide = jnp.where(inside[..., None], guide.astype(signal.dtype), 0)
    if barrier is not None:
        barrier = jnp.where(inside, barrier.astype(signal.dtype), 0)
    distances = domain_distances(guide, sigma_s=sigma_s, sigma_r=sigma_r, barrier=barrier)
    return filter_by_distances(
        signal, distances, sigma_s=sigma_s, num_iterations=num_iterations, method=method, size=size
    )


def recursive_filter(
    signal: Float[Array, "h w c"] | Float[Array, "h w"],
    guide: Float[Array, "h w g"],
    *,
    sigma_s: Scalar,
    sigma_r: Scalar,
    num_iterations: int = 3,
    method: RecursionMethod = "auto",
    barrier: Float[Array, "h w"] | None = None,
    size: Size | None = None,
) -> Float[Array, "h w c"] | Float[Array, "h w"]:
    """Edge-aware smoothing of `signal` that stops at the edges of `guide`.

    Every output value is a weighted mean of its channel, and linear in it. Differentiable in `signal`,
    `guide`, `barrier` and both extents.

    Args:
      signal: values to smooth, (H, W, C) or (H, W), any finite range, any number of channels.
      guide: image of the same height and width; its scale is that of `sigma_r`.
      sigma_s: spatial extent, px, > 0; may be traced.
      sigma_r: range extent, in units of `guide`, > 0; may be traced.
      num_iterations: passes over rows and columns; more leave fewer stripes behind strong edges.
      method: "scan" runs pixel after pixel (least memory, best on CPU), "associative" in parallel over all
        pixels; "auto" takes the scan on CPU. Both give the same numbers up to rounding.
      barrier: distance (px) added at a pixel along both axes, >= 0, e.g. a penalty on depth edges.
      size: true height and width of a photo in the top-left corner of padded arrays, may be traced. The
        result inside is that of the photo alone, whatever the padding holds; outside it is 0.

    Returns:
      Array of the shape and dtype of `signal`.

    Raises:
      TypeError: an array does not hold floating-point numbers.
      ValueError: shapes do not fit, or an extent, the number of iterations or the method is out of range.

    References:
      E. S. L. Gastal and M. M. Oliveira, Domain Transform for Edge-Aware Image and Video Processing,
      SIGGRAPH 2011.

    Examples:
      >>> import jax.numpy as jnp, jaxblur
      >>> step = jnp.zeros((32, 32)).at[:, 16:].set(1.0)
      >>> blurred = jaxblur.recursive_filter(step, jnp.zeros((32, 32, 1)), sigma_s=4.0, sigma_r=0.5)
      >>> kept = jaxblur.recursive_filter(step, step[..., None], sigma_s=4.0, sigma_r=0.05)
      >>> bool(0.3 < blurred[16, 15] < 0.5), bool(kept[16, 15] < 0.01)  # the guide stops the second
      (True, True)
    """
    check_rank("signal", signal, (2, 3), "(H, W, C) or (H, W)")
    check_rank("guide", guide, (3,), "(H, W, C)")
    check_not_empty("signal", signal)
    check_not_empty("guide", guide)
    check_float("signal", signal)
    check_float("guide", guide)
    check_same_size("guide", guide, "signal", signal)
    if barrier is not None:
        check_rank("barrier", barrier, (2,), "(H, W)")
        check_float("barrier", barrier)
        check_same_size("barrier", barrier, "signal", signal)
    check_positive("sigma_s", sigma_s)
    check_positive("sigma_r", sigma_r)
    check_size(size, signal.shape[:2])
    if num_iterations < 1:
        raise ValueError(f"num_iterations must be at least 1, got {num_iterations}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    planes = signal[..., None] if signal.ndim == 2 else signal
    result = _recursive_filter(
        planes, guide, sigma_s, sigma_r, barrier, size, num_iterations=num_iterations, method=method
    )
    return result[..., 0] if signal.ndim == 2 else result


def smooth_guide(
    image: Float[Array, "h w c"], size: Size | None, *, config: GuideConfig, method: RecursionMethod = "auto"
) -> Float[Array, "h w c"]:
    """The photo smoothed by itself: its texture goes, the boundaries of objects stay.

    Args:
      image: photo in [0, 1].
      size: true height and width of a photo in the top-left of padded arrays; may be traced.
      config: extents.
      method: form of the recursion.
    """
    guide = jnp.where(inside_mask(image.shape[:2], size)[..., None], image, 0)
    return filter_by_distances(
        guide,
        domain_distances(guide, sigma_s=config.sigma_s, sigma_r=config.sigma_r),
        sigma_s=config.sigma_s,
        num_iterations=config.iterations,
        method=method,
        size=size,
    )
