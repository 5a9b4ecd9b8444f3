"""`detect_edges` of photos too large for one program: the same edges, strip by strip."""

import functools
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur.config import EdgeConfig
from jaxblur.edges.canny import (
    BINS,
    edge_candidates,
    filter_radius,
    gradient,
    magnitude_bins,
    steepness,
    thresholds,
)
from jaxblur.image.strips import Strips, inside_strip
from jaxblur.image.values import to_float


def detect_edges_in_strips(
    photo: Shaped[np.ndarray, "h w 3"], strips: Strips, *, config: EdgeConfig
) -> Bool[np.ndarray, "h w"]:
    """The edges that `detect_edges` finds, bit for bit.

    Three passes over the strips: for the greatest gradient, for the histogram of the others relative to it, and
    for ridges above the two thresholds. The gradient is computed anew each time; it costs less than its room.
    """
    halo, size = filter_radius(config.sigma) + 1, strips.size()  # one more for the ridge's neighbours
    views = functools.partial(_views, photo, strips, halo)
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
            strips.put(frame, start, strip)
    return _hysteresis(weak, strong)


def _views(photo: np.ndarray, strips: Strips, halo: int) -> Any:
    """First row and pixels of every strip, with `halo` rows more on both sides; the photo's border is repeated."""
    columns = ((0, 0), (0, strips.columns - strips.width), (0, 0))
    for start in strips.starts():
        rows = np.arange(start - halo, start + strips.rows + halo).clip(0, strips.height - 1)
        yield np.int32(start), np.pad(photo[rows], columns, mode="edge")


def _gradient(
    view: Shaped[Array, "r w 3"], start: Int[Array, ""], size: Int[Array, " 2"], config: EdgeConfig
) -> tuple[tuple[Array, Array], Float[Array, "r w"], int]:
    """Slopes and magnitudes of a strip with its halo, and the halo."""
    halo = filter_radius(config.sigma) + 1
    slopes = gradient(jnp.max(to_float(view), axis=-1), sigma=config.sigma)
    return slopes, steepness(slopes, inside_strip(view.shape, start - halo, size)), halo


@functools.partial(jax.jit, static_argnames="config")
def _greatest(view, start, size, *, config: EdgeConfig):
    _, magnitude, halo = _gradient(view, start, size, config)
    return jnp.max(magnitude[halo:-halo])


@functools.partial(jax.jit, static_argnames="config")
def _bins(view, start, size, greatest, *, config: EdgeConfig):
    _, magnitude, halo = _gradient(view, start, size, config)
    own = magnitude[halo:-halo]
    return magnitude_bins(own, greatest, inside_strip(own.shape, start, size)).astype(jnp.uint8)


@functools.partial(jax.jit, static_argnames="config")
def _thresholds(below, count, greatest, *, config: EdgeConfig):
    return thresholds(lambda index: below[index], count, greatest, config)


@functools.partial(jax.jit, static_argnames="config")
def _candidates(view, start, size, greatest, low, high, *, config: EdgeConfig):
    slopes, magnitude, halo = _gradient(view, start, size, config)
    weak, strong = edge_candidates(slopes, magnitude, greatest, low, high)
    row = start - halo + jnp.arange(view.shape[0], dtype=jnp.int32)[:, None]
    column = jnp.arange(view.shape[1], dtype=jnp.int32)[None, :]
    interior = (row > 0) & (row < size[0] - 1) & (column > 0) & (column < size[1] - 1)
    return (weak & interior)[halo:-halo], (strong & interior)[halo:-halo]


def _hysteresis(weak: Bool[np.ndarray, "h w"], strong: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """`hysteresis` by labels of connected components."""
    count, found = cv2.connectedComponents(weak.view(np.uint8), connectivity=8)
    labels = found.astype(np.int32, copy=False)
    kept = np.zeros(count, bool)
    kept[labels[strong]] = True
    return kept[labels]
