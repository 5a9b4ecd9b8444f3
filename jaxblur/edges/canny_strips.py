"""`detect_edges` of photos too large for one program: the same three passes, strip by strip."""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur.config import EdgeConfig
from jaxblur.edges.canny import (
    BINS,
    GradientView,
    brightness,
    edge_candidates,
    filter_radius,
    gradient,
    greatest_magnitude,
    magnitude_bins,
    thresholds,
)
from jaxblur.edges.hysteresis import hysteresis_of_frame
from jaxblur.image.size import inside_mask, interior_mask
from jaxblur.image.strips import Strips
from jaxblur.image.values import to_float


def detect_edges_in_strips(
    photo: Shaped[np.ndarray, "h w 3"], strips: Strips, *, config: EdgeConfig
) -> Bool[np.ndarray, "h w"]:
    """The edges that `detect_edges` finds, bit for bit.

    The gradient is computed anew in each pass; it costs less than its room.

    Args:
      photo: uint8, uint16, or float32 in [0, 1].
      strips: how to cut it; the result does not depend on it.
      config: settings.
    """
    halo, size = _halo(config), strips.size()

    def views() -> Iterator[tuple[np.int32, np.ndarray]]:
        """First row and pixels of every strip, with the halo on both sides; the photo's border is repeated."""
        columns = ((0, 0), (0, strips.columns - strips.width), (0, 0))
        for start in strips.starts():
            rows = np.arange(start - halo, start + strips.rows + halo).clip(0, strips.height - 1)
            yield np.int32(start), np.pad(photo[rows], columns, mode="edge")

    greatest = np.float32(max(float(_greatest(view, start, size, config=config)) for start, view in views()))
    counts = np.zeros(BINS + 1, np.int64)  # the last bin is for what lies outside
    for start, view in views():
        bins = np.asarray(_bins(view, start, size, greatest, config=config))
        counts += np.bincount(bins.ravel(), minlength=BINS + 1)
    below = np.concatenate([[0], np.cumsum(counts[:BINS])]).astype(np.int32)
    low, high = _thresholds(below, np.int32(strips.height * strips.width), greatest, config=config)
    weak, strong = (np.empty((strips.height, strips.width), bool) for _ in range(2))
    for start, view in views():
        candidates = _candidates(view, start, size, greatest, low, high, config=config)
        for frame, strip in zip((weak, strong), candidates, strict=True):
            strips.put(frame, int(start), strip)
    return hysteresis_of_frame(weak, strong)


def _halo(config: EdgeConfig) -> int:
    """Rows beyond a strip that its edges depend on: the reach of the filters, and one for the ridge's neighbours."""
    return filter_radius(config.sigma) + 1


def _gradient_view(
    pixels: Shaped[Array, "r w 3"], start: Int[Array, ""], size: Int[Array, " 2"], config: EdgeConfig
) -> GradientView:
    """Gradient of a strip with its halo."""
    slopes, first_row = gradient(brightness(to_float(pixels)), sigma=config.sigma), start - _halo(config)
    inside = inside_mask(pixels.shape, size, first_row=first_row)
    return GradientView(*slopes, inside, interior_mask(pixels.shape, size, first_row=first_row))


def _without_halo(view: GradientView, config: EdgeConfig) -> GradientView:
    halo = _halo(config)
    return GradientView(*(plane[halo:-halo] for plane in view))


@functools.partial(jax.jit, static_argnames="config")
def _greatest(
    pixels: Shaped[Array, "r w 3"], start: Int[Array, ""], size: Int[Array, " 2"], *, config: EdgeConfig
) -> Float[Array, ""]:
    return greatest_magnitude(_without_halo(_gradient_view(pixels, start, size, config), config))


@functools.partial(jax.jit, static_argnames="config")
def _bins(
    pixels: Shaped[Array, "r w 3"],
    start: Int[Array, ""],
    size: Int[Array, " 2"],
    greatest: Float[Array, ""],
    *,
    config: EdgeConfig,
) -> Shaped[Array, "r2 w"]:
    view = _without_halo(_gradient_view(pixels, start, size, config), config)
    return magnitude_bins(view, greatest).astype(jnp.uint8)


@functools.partial(jax.jit, static_argnames="config")
def _thresholds(
    below: Int[Array, " bins"], count: Int[Array, ""], greatest: Float[Array, ""], *, config: EdgeConfig
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    return thresholds(lambda index: below[index], count, greatest, config)


@functools.partial(jax.jit, static_argnames="config")
def _candidates(
    pixels: Shaped[Array, "r w 3"],
    start: Int[Array, ""],
    size: Int[Array, " 2"],
    greatest: Float[Array, ""],
    low: Float[Array, ""],
    high: Float[Array, ""],
    *,
    config: EdgeConfig,
) -> tuple[Bool[Array, "r2 w"], Bool[Array, "r2 w"]]:
    halo = _halo(config)
    weak, strong = edge_candidates(_gradient_view(pixels, start, size, config), greatest, low, high)
    return weak[halo:-halo], strong[halo:-halo]
