"""The domain transform of photos too large for one program: plane after plane, strip by strip.

The recursive filter hands the last row of a strip on to the next one, so it is that of `domain_transform` over the
full frame, bit for bit in its sequential form.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Shaped

from jaxblur.config import GuideConfig, RecursionMethod
from jaxblur.image.size import inside_mask
from jaxblur.image.strips import Planes, Strips
from jaxblur.image.values import as_rgb
from jaxblur.propagation.domain_transform import (
    channel_gradient,
    coupled_pixels,
    domain_distances,
    domain_weights,
)
from jaxblur.propagation.recursive_scan import recurse, recurse_backward, recurse_forward

GUIDE_CHANNELS = 3  # each is smoothed on its own


def filter_in_place(
    plane: Float[np.ndarray, "h w"],
    weights: Planes,
    strips: Strips,
    *,
    num_iterations: int,
    method: RecursionMethod,
    advance: Callable[[], None],
    extent: float | None = None,
) -> None:
    """`domain_transform.filter_by_distances` of one plane, which is overwritten.

    Args:
      plane: values to smooth.
      weights: horizontal and vertical ones of the first iteration, from `domain_transform.domain_weights`. With
        `extent`, barriers between neighbours instead, in extents, and infinity where there is no neighbour.
      strips: how to cut them; the result does not depend on it.
      num_iterations: passes over rows and columns.
      method: form of the recursion.
      advance: called after every iteration.
      extent: sigma_s in px of a filter whose distances are 1 + extent * barrier.
    """
    fill = 0.0 if extent is None else np.inf
    options: Any = {"method": method, "num_iterations": num_iterations}
    for iteration in range(num_iterations):
        above: Any = np.zeros(strips.columns, np.float32)
        for start in strips.starts():
            own = tuple(strips.cut(frame, start, fill=fill) for frame in weights)
            strip, above = _downwards(
                strips.cut(plane, start), own, above, extent, np.int32(iteration), **options
            )
            strips.put(plane, start, strip)
        below: Any = (np.zeros(strips.columns, np.float32),) * 2
        for start in reversed(strips.starts()):
            own = strips.cut(weights[1], start, fill=fill)
            strip, below = _upwards(
                strips.cut(plane, start), own, below, extent, np.int32(iteration), **options
            )
            strips.put(plane, start, strip)
        advance()


def guide_passes(config: GuideConfig) -> int:
    """How often `guide_gradient_in_strips` calls `advance`."""
    return GUIDE_CHANNELS * config.iterations


def guide_gradient_in_strips(
    photo: Shaped[np.ndarray, "h w 3"],
    strips: Strips,
    *,
    config: GuideConfig,
    method: RecursionMethod,
    advance: Callable[[], None],
) -> Planes:
    """`guide_gradient` of `smooth_guide` of the photo.

    Five float32 planes live at a time, and two are returned.

    Args:
      photo: uint8, uint16 or float32 in [0, 1].
      strips: how to cut the frames; the result does not depend on it.
      config: extents of the smoothing.
      method: form of the recursion.
      advance: called after every pass of the filter.
    """
    shape, size = photo.shape[:2], strips.size()
    weights = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for start in strips.starts():
        own = _photo_weights(strips.cut(photo, start, above=1), np.int32(start - 1), size, config=config)
        for frame, strip in zip(weights, own, strict=True):
            strips.put(frame, start, strip)
    gradient = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for channel in range(GUIDE_CHANNELS):
        plane = np.empty(shape, np.float32)
        for start in strips.starts():
            strips.put(plane, start, _channel(strips.cut(photo, start), np.int32(channel)))
        filter_in_place(
            plane, weights, strips, num_iterations=config.iterations, method=method, advance=advance
        )
        for start in strips.starts():
            for frame, strip in zip(gradient, _gradient(strips.cut(plane, start, above=1)), strict=True):
                part = frame[start : start + strips.rows]
                part += np.asarray(strip)[: len(part), : strips.width]
    return gradient


def coupled_in_strip(
    shape: tuple[int, ...], start: Int[Array, ""], size: Int[Array, " 2"]
) -> tuple[Array, Array]:
    """`coupled_pixels` of the strip of this shape that begins with row `start` of the photo."""
    with_row_above = (shape[0] + 1, shape[1])
    across, down = coupled_pixels(inside_mask(with_row_above, size, first=(start - 1, 0)))
    return across[1:], down[1:]


@functools.partial(jax.jit, static_argnames="config")
def _photo_weights(
    view: Shaped[Array, "r w 3"], first: Int[Array, ""], size: Int[Array, " 2"], *, config: GuideConfig
) -> tuple[Float[Array, "r2 w"], Float[Array, "r2 w"]]:
    """Weights of the guide's filter in a strip; `view` has one row more, that above it."""
    distances = domain_distances(as_rgb(view), sigma_s=config.sigma_s, sigma_r=config.sigma_r)
    weights = domain_weights(
        distances,
        coupled_pixels(inside_mask(view.shape, size, first=(first, 0))),
        sigma_s=config.sigma_s,
        num_iterations=config.iterations,
    )
    return weights[0][1:], weights[1][1:]


@jax.jit
def _channel(view: Shaped[Array, "r w 3"], channel: Int[Array, ""]) -> Float[Array, "r w"]:
    return as_rgb(view)[..., channel]


@jax.jit
def _gradient(plane: Float[Array, "r w"]) -> tuple[Float[Array, "r2 w"], Float[Array, "r2 w"]]:
    """`channel_gradient` within a strip; `plane` has one row more, that above it."""
    horizontal, vertical = channel_gradient(plane)
    return horizontal[1:], vertical[1:]


@functools.partial(jax.jit, static_argnames=("method", "num_iterations"))
def _downwards(signal, weights, above, extent, iteration, *, method: RecursionMethod, num_iterations: int):
    """Rows both ways, then columns from top to bottom; and the last row, for the next strip."""
    horizontal, vertical = _weights(weights, extent, iteration, num_iterations)
    signal = recurse(signal.T[:, None], horizontal.T, method=method).transpose(2, 1, 0)
    signal = recurse_forward(signal, vertical, above[None], method=method)[:, 0]
    return signal, signal[-1]


@functools.partial(jax.jit, static_argnames=("method", "num_iterations"))
def _upwards(signal, vertical, below, extent, iteration, *, method: RecursionMethod, num_iterations: int):
    """Columns from bottom to top; and the first row with its weight, for the next strip."""
    vertical, _ = _weights((vertical, vertical), extent, iteration, num_iterations)
    after = below[0][None], below[1]
    signal = recurse_backward(signal[:, None], vertical, after, method=method)[:, 0]
    return signal, (signal[0], vertical[0])


def _weights(
    planes: tuple[Array, Array], extent: Array | None, iteration: Int[Array, ""], num_iterations: int
) -> tuple[Array, Array]:
    """Weights of an iteration, from those of the first one, or from barriers."""
    if extent is not None:
        distances = (1 + extent * planes[0], 1 + extent * planes[1])
        coupled = (jnp.isfinite(planes[0]), jnp.isfinite(planes[1]))
        planes = domain_weights(distances, coupled, sigma_s=extent, num_iterations=num_iterations)
    return lax.fori_loop(0, iteration, lambda _, weights: jax.tree.map(jnp.square, weights), planes)
