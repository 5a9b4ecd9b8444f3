"""`detect_edges` of photos on the host: the same three passes, tile by tile.

All tiles have one shape, so the passes are compiled once for photos and smaller copies of all sizes.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

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
from jaxblur.image.size import equal_tiles, inside_mask, interior_mask
from jaxblur.image.values import to_float

TILE = 256  # px; small enough for small photos, large enough for the halo not to matter


class _View(NamedTuple):
    """A tile with its halo.

    Attributes:
      pixels: (S, S, 3) the photo's border is repeated beyond it.
      corner: (2,) row and column of the photo that the tile, without its halo, begins with.
      size: (2,) height and width of the photo.
    """

    pixels: Shaped[Array, "s s 3"] | Shaped[np.ndarray, "s s 3"]
    corner: Int[Array, " 2"] | Int[np.ndarray, " 2"]
    size: Int[Array, " 2"] | Int[np.ndarray, " 2"]


def detect_edges_in_tiles(
    photo: Shaped[np.ndarray, "h w 3"], *, config: EdgeConfig, tile: int = TILE
) -> Bool[np.ndarray, "h w"]:
    """The edges that `detect_edges` finds, bit for bit.

    The gradient is computed anew in each pass; it costs less than its room.

    Args:
      photo: uint8, uint16, or float32 in [0, 1].
      config: settings.
      tile: side of the tiles, px; the result does not depend on it.
    """
    height, width = photo.shape[:2]
    greatest = np.float32(max(float(_greatest(view, config=config)) for view in _views(photo, tile, config)))
    counts = np.zeros(BINS + 1, np.int64)  # the last bin is for what lies outside
    for view in _views(photo, tile, config):
        bins = np.asarray(_bins(view, greatest, config=config))
        counts += np.bincount(bins.ravel(), minlength=BINS + 1)
    below = np.concatenate([[0], np.cumsum(counts[:BINS])]).astype(np.int32)
    low, high = _thresholds(below, np.int32(height * width), greatest, config=config)
    weak, strong = (np.empty((height, width), bool) for _ in range(2))
    for view in _views(photo, tile, config):
        candidates = _candidates(view, greatest, low, high, config=config)
        row, column = view.corner
        for frame, found in zip((weak, strong), candidates, strict=True):
            part = frame[row : row + tile, column : column + tile]
            part[...] = np.asarray(found)[: part.shape[0], : part.shape[1]]
    return hysteresis_of_frame(weak, strong)


def _views(photo: Shaped[np.ndarray, "h w 3"], tile: int, config: EdgeConfig) -> Iterator[_View]:
    height, width = photo.shape[:2]
    around = np.arange(-_halo(config), tile + _halo(config))
    for corner in equal_tiles(height, width, side=tile).corners():
        rows, columns = (around + corner[0]).clip(0, height - 1), (around + corner[1]).clip(0, width - 1)
        yield _View(photo[rows[:, None], columns], corner, np.array([height, width], np.int32))


def _halo(config: EdgeConfig) -> int:
    """Rows beyond a tile that its edges depend on: the reach of the filters, and one for the ridge's neighbours."""
    return filter_radius(config.sigma) + 1


def _gradient_view(view: _View, config: EdgeConfig) -> GradientView:
    """Gradient of a tile with its halo."""
    slopes = gradient(brightness(to_float(view.pixels)), sigma=config.sigma)
    shape, first = view.pixels.shape, view.corner - _halo(config)
    return GradientView(
        *slopes, inside_mask(shape, view.size, first=first), interior_mask(shape, view.size, first=first)
    )


def _without_halo(view: GradientView, config: EdgeConfig) -> GradientView:
    halo = _halo(config)
    return GradientView(*(plane[halo:-halo, halo:-halo] for plane in view))


@functools.partial(jax.jit, static_argnames="config")
def _greatest(view: _View, *, config: EdgeConfig) -> Float[Array, ""]:
    return greatest_magnitude(_without_halo(_gradient_view(view, config), config))


@functools.partial(jax.jit, static_argnames="config")
def _bins(view: _View, greatest: Float[Array, ""], *, config: EdgeConfig) -> Shaped[Array, "t t"]:
    slopes = _without_halo(_gradient_view(view, config), config)
    return magnitude_bins(slopes, greatest).astype(jnp.uint8)


@functools.partial(jax.jit, static_argnames="config")
def _thresholds(
    below: Int[Array, " bins"], count: Int[Array, ""], greatest: Float[Array, ""], *, config: EdgeConfig
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    return thresholds(lambda index: below[index], count, greatest, config)


@functools.partial(jax.jit, static_argnames="config")
def _candidates(
    view: _View,
    greatest: Float[Array, ""],
    low: Float[Array, ""],
    high: Float[Array, ""],
    *,
    config: EdgeConfig,
) -> tuple[Bool[Array, "t t"], Bool[Array, "t t"]]:
    halo = _halo(config)
    weak, strong = edge_candidates(_gradient_view(view, config), greatest, low, high)
    return weak[halo:-halo, halo:-halo], strong[halo:-halo, halo:-halo]
