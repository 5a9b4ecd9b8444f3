"""What the networks say at chosen points of a photo, patch by patch: one program for photos of all sizes and types.

A point is read in the photo itself, and, where that is too blurred for the networks, on its smaller copies. Patches of
all scales are cut out first, so that the photo need not be kept.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Shaped

from jaxblur.config import Precision
from jaxblur.edges.canny import brightness, gradient
from jaxblur.image.pyramid import count_scales
from jaxblur.image.values import to_float
from jaxblur.multiscale.fuse import weigh_reading
from jaxblur.network.defocus_net import DefocusNet, apply, level_probabilities
from jaxblur.network.readout import EdgeReading, read_levels
from jaxblur.network.weights import Weights
from jaxblur.propagation.single_scale import weigh_edges
from jaxblur.rank.points import MAX_FACTOR, Points, reduce_by

BATCH = 32
"""Points that are read at once; the result does not depend on it."""

_EDGE_SIGMA = 2**0.5  # of the gradient by which an edge is found again, px: as for Canny's edges
_CLEAR_RADIUS = 4.0  # px of the scale; what is sharper need not be read on the next smaller copy

Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""`map`, or that of a pool of threads."""


class Views(NamedTuple):
    """What is around the points, on one scale.

    Attributes:
      pixels: (n, side, side, 3), of the photo's type.
      reach: (n,) how far from the middle the edge may lie, px of the scale.
    """

    pixels: Shaped[np.ndarray, "n side side 3"]
    reach: Int[np.ndarray, " n"]


def cut_views(photo: Shaped[np.ndarray, "h w 3"], points: Points, weights: Weights) -> list[Views]:
    """The surroundings of points on every scale that the weights can read, finest first.

    Args:
      photo: uint8, uint16, or float32 in [0, 1].
      points: of the photo.
      weights: of the networks that will read them.
    """
    scales = 1 if weights.multiscale is None else count_scales(*photo.shape[:2])
    around, side = weights.network.margin + MAX_FACTOR, weights.network.patch_size + 2 * MAX_FACTOR
    views = []
    for scale in range(scales):
        photo = photo if scale == 0 else reduce_by(photo, 2)
        rows = (points.rows >> scale).clip(0, photo.shape[0] - 1)
        columns = (points.columns >> scale).clip(0, photo.shape[1] - 1)
        padded = cv2.copyMakeBorder(photo, around, around, around, around, cv2.BORDER_REFLECT)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))
        pixels = np.moveaxis(windows[rows, columns], 1, -1)
        reach = np.maximum(points.factor >> scale, 1).astype(np.int32)
        views.append(Views(np.ascontiguousarray(pixels), reach))
    return views


def read_views(
    views: Sequence[Views], weights: Weights, *, precision: Precision, run: Run = map
) -> Float[np.ndarray, " n"]:
    """Radius of every point, px of the photo; NaN where no reading counts.

    Args:
      views: from `cut_views`.
      weights: networks, and parameters of the fusion.
      precision: see `jaxblur.Config`.
      run: how batches are worked through.
    """
    count, scales = len(views[0].pixels), len(views)
    weight, total = np.zeros(count), np.zeros(count)
    asked = np.arange(count)
    for scale, view in enumerate(views):
        if not len(asked):
            break
        reading = _read_points(view, asked, weights, precision, run)
        own_weight, own_radius = _weigh(reading, weights, scale, scales)
        weight[asked] += own_weight
        total[asked] += own_weight * own_radius
        asked = asked[reading.radius > _CLEAR_RADIUS]
    return np.divide(total, weight, out=np.full(count, np.nan), where=weight > 0)


def _read_points(
    view: Views, asked: Int[np.ndarray, " k"], weights: Weights, precision: Precision, run: Run
) -> EdgeReading:
    """The networks' reading at some of the points, batch by batch."""

    def read(first: int) -> EdgeReading:
        chosen = asked[first : first + BATCH]
        filled = np.pad(chosen, (0, BATCH - len(chosen)), mode="edge")
        pixels = view.pixels[filled]
        floats = np.asarray(to_float(pixels.reshape(-1, *pixels.shape[2:]))).reshape(pixels.shape)
        reading = _read_batch(weights, floats, view.reach[filled], precision=precision)
        return EdgeReading(*(np.asarray(values)[: len(chosen)] for values in reading))

    parts = list(run(read, range(0, len(asked), BATCH)))
    return EdgeReading(*(np.concatenate(values) for values in zip(*parts, strict=True)))


@functools.partial(jax.jit, static_argnames="precision")
def _read_batch(
    weights: Weights, pixels: Float[Array, "n side side 3"], reach: Int[Array, " n"], *, precision: Precision
) -> EdgeReading:
    """The reading at the strongest edge within `reach` px of the middle of each view."""
    network = weights.network
    patches = jax.vmap(functools.partial(_patch_at_edge, size=network.patch_size))(pixels, reach)
    with jax.default_matmul_precision(precision):
        blur, depth = apply(weights.variables, network, DefocusNet.classify_patches, patches)
    levels = read_levels(level_probabilities(blur, network), network.levels, readout="expectation")
    return EdgeReading(*levels, jax.nn.softmax(depth)[:, 1])


def _patch_at_edge(
    view: Float[Array, "side side 3"], reach: Int[Array, ""], *, size: int
) -> Float[Array, "size size 3"]:
    """The patch around the strongest gradient near the middle of a view."""
    down, right = gradient(brightness(view), sigma=_EDGE_SIGMA)
    margin, middle = size // 2, view.shape[0] // 2
    strength = (down**2 + right**2)[margin : view.shape[0] - margin, margin : view.shape[1] - margin]
    away = jnp.abs(jnp.arange(strength.shape[0], dtype=jnp.int32) - (middle - margin))
    near = jnp.maximum(away[:, None], away[None, :]) <= reach
    best = jnp.argmax(jnp.where(near, strength, -1))
    row, column = jnp.unravel_index(best, strength.shape)
    return lax.dynamic_slice(view, (row, column, jnp.zeros_like(row)), (size, size, 3))


def _weigh(
    reading: EdgeReading, weights: Weights, scale: int, scales: int
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Weight and radius, px of the photo, of readings of one scale, as an estimate weighs them."""
    count = len(reading.radius)
    fill = (0, -count % BATCH)  # so that few programs are compiled
    padded = EdgeReading(*(np.pad(values, fill, mode="edge") for values in reading))
    everywhere = np.ones(len(padded.radius), bool)
    if weights.multiscale is None:
        weight, _ = _weigh_alone(padded, everywhere)
        radius = padded.radius
    else:
        weight, radius = _weigh_scale(
            weights.multiscale, padded, everywhere, weights.network, scale=scale, scales=np.int32(scales)
        )
    return np.asarray(weight)[:count], np.asarray(radius)[:count]


_weigh_scale = jax.jit(weigh_reading, static_argnames=("network", "scale"))
_weigh_alone = jax.jit(functools.partial(weigh_edges, weighting="confidence"))
