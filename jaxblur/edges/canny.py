"""Canny edges of a photo, as MATLAB's `edge(V, 'canny')` finds them on V of HSV, in array operations.

Three passes over the gradient: its greatest magnitude, the histogram of magnitudes relative to it, and the ridges
above the two thresholds that follow. `detect_edges` makes all three on the whole photo, `canny_tiles` on tiles.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur.config import DEFAULT, EdgeConfig
from jaxblur.edges.hysteresis import hysteresis
from jaxblur.image.size import Size, check_size, inside_mask, interior_mask, repeat_border
from jaxblur.image.values import to_float

BINS = 64  # of the histogram of magnitudes
_TIE = 1e-5  # relative difference of magnitudes that are equal but for rounding, such as those beside a step


def detect_edges(
    image: Shaped[Array, "h w *c"] | Shaped[np.ndarray, "h w *c"],
    *,
    config: EdgeConfig = DEFAULT.edges,
    size: Size | None = None,
) -> Bool[Array, "h w"]:
    """Edge points of a photo: Canny with automatic thresholds on V = max(R, G, B).

    Pure, and works under jit, vmap and pmap; the result has no gradient.

    Args:
      image: (H, W), (H, W, 1) or (H, W, 3), sRGB-encoded; uint8, uint16, or float in [0, 1].
      config: smoothing, thresholds and floors. Floors are in the unit of `gradient`: an isolated step edge of V
        of height s between two pixels has gradient s there (and a ramp of slope s per px about 4 s).
      size: (height, width) of the true photo when `image` is padded below and to the right; may be traced.
        What the padding holds does not matter; inside, the result is that of the photo alone, outside False.

    Returns:
      True at edge points. The outermost pixels of the photo are never edge points.

    Raises:
      TypeError: dtype of `image` is none of the above.
      ValueError: shape or range of `image`, or `size` not within it (where known before tracing).

    References:
      Canny, A Computational Approach to Edge Detection, IEEE TPAMI 1986. The edge maps published with
      Karaali, Harte and Jung, IEEE TIP 2022, are those of `EdgeConfig(high_floor=0, low_floor=0)`.

    Examples:
      >>> import numpy as np, jaxblur
      >>> image = np.zeros((16, 16), np.uint8)
      >>> image[:, 8:] = 255  # a step between columns 7 and 8
      >>> jaxblur.detect_edges(image)[8].nonzero()[0].tolist()
      [7, 8]
    """
    image = to_float(image)
    value = brightness(image)
    check_size(size, value.shape)
    return _canny(
        value, None if size is None else jnp.stack([jnp.asarray(s, jnp.int32) for s in size]), config
    )


@functools.partial(jax.jit, static_argnames="config")
def _canny(
    value: Float[Array, "h w"], size: Int[Array, " 2"] | None, config: EdgeConfig
) -> Bool[Array, "h w"]:
    if size is not None:  # so that the filters never see the padding
        value = repeat_border(value, size)
    height, width = value.shape if size is None else (size[0], size[1])
    slopes = gradient(value, sigma=config.sigma)
    view = GradientView(*slopes, inside_mask(value.shape, size), interior_mask(value.shape, (height, width)))
    greatest = greatest_magnitude(view)
    bins = magnitude_bins(view, greatest)

    def count_below(index: Array) -> Array:
        return jnp.sum(bins < index.astype(bins.dtype), dtype=jnp.int32)

    low, high = thresholds(count_below, height * width, greatest, config)
    return hysteresis(*edge_candidates(view, greatest, low, high))


def brightness(image: Float[Array, "h w *c"]) -> Float[Array, "h w"]:
    """V of HSV."""
    return image if image.ndim == 2 else jnp.max(image, axis=-1)


class GradientView(NamedTuple):
    """The gradient of a photo, or of a strip of it: what the three passes read.

    Attributes:
      down, right: (H, W) derivatives along the row and the column index, from `gradient`.
      inside: (H, W) pixels that belong to the photo.
      interior: (H, W) those of them that are not on its border.
    """

    down: Float[Array, "h w"]
    right: Float[Array, "h w"]
    inside: Bool[Array, "h w"]
    interior: Bool[Array, "h w"]

    @property
    def magnitude(self) -> Float[Array, "h w"]:
        """Magnitude of the gradient inside the photo, 0 outside."""
        return jnp.where(self.inside, jnp.sqrt(self.down**2 + self.right**2), 0)


def greatest_magnitude(view: GradientView) -> Float[Array, ""]:
    """First pass: the greatest magnitude."""
    return jnp.max(view.magnitude)


def magnitude_bins(view: GradientView, greatest: Float[Array, ""]) -> Float[Array, "h w"]:
    """Second pass: the bin, 0 to 63, of every pixel's magnitude relative to the greatest; 64 outside the photo."""
    relative = view.magnitude / jnp.where(greatest > 0, greatest, 1)
    return jnp.where(view.inside, jnp.floor((BINS - 1) * relative + 0.5), BINS)  # centres at 0, 1/63, ... 1


def edge_candidates(
    view: GradientView, greatest: Float[Array, ""], low: Float[Array, ""], high: Float[Array, ""]
) -> tuple[Bool[Array, "h w"], Bool[Array, "h w"]]:
    """Third pass: ridges of the magnitude above the lower threshold, and those above the upper one."""
    relative = view.magnitude / jnp.where(greatest > 0, greatest, 1)
    weak = _is_ridge(relative, view.down, view.right) & (relative > low) & view.interior
    return weak, weak & (relative > high)


def thresholds(
    count_below: Callable[[Int[Array, ""]], Int[Array, ""]],
    count: Any,
    greatest: Float[Array, ""],
    config: EdgeConfig,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Lower and upper threshold, relative to the greatest magnitude.

    The upper one is the position, from 1, of the first bin whose cumulative count exceeds the quantile, / 64. Pixels
    are counted in whole numbers, with the quantile to four decimals, so that no rounding error moves the
    threshold.

    Args:
      count_below: number of pixels in the bins before that of the given index.
      count: pixels of the photo.
      greatest: of all magnitudes.
      config: quantile, ratio and floors.
    """
    parts = round(config.high_quantile * 10_000)
    allowed = (
        parts * (count // 10_000) + parts * (count % 10_000) // 10_000
    )  # floor(quantile * count) within int32
    index = jnp.int32(0)  # of the last bin with at most `allowed` pixels before it, found bit by bit
    for step in (32, 16, 8, 4, 2, 1):
        index = jnp.where(count_below(index + step) <= allowed, index + step, index)
    high = (index + 1).astype(greatest.dtype) / BINS
    scale = jnp.where(greatest > 0, greatest, 1)
    low = jnp.maximum(config.low_ratio * high, config.low_floor / scale)
    return low, jnp.maximum(high, config.high_floor / scale)


def gradient(value: Float[Array, "h w"], *, sigma: float) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """Derivatives of the smoothed image along the row and the column index (downwards, to the right).

    The filter is a sampled Gaussian along one axis and its central differences along the other, the positive
    and the negative taps of the latter each scaled to sum 1; the border pixel is repeated. So the unit is
    that of a step: an isolated step of height s reads s at both pixels beside it.

    Args:
      value: plane of any finite range.
      sigma: of the Gaussian, in px; it is cut off at ceil(4 sigma).
    """
    smooth, slope = _kernels(sigma)
    down = _derivative(value, slope, axis=0)
    right = _derivative(value, slope, axis=1)
    return _smoothed(down, smooth, axis=1), _smoothed(right, smooth, axis=0)


def filter_radius(sigma: float) -> int:
    """How far the filters of `gradient` reach, in px."""
    return math.ceil(4 * sigma)


def _kernels(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Half of the Gaussian, from its centre, and half of its scaled odd derivative, from tap 1."""
    radius = filter_radius(sigma)
    gauss = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    gauss /= gauss.sum()
    slope = -np.gradient(gauss)[radius + 1 :]
    return gauss[radius:], slope / slope.sum()


# Taps at equal distance are combined before they are weighted, and differences are taken before anything is
# smoothed: flat areas then give exactly 0, mirrored neighbourhoods exactly equal magnitudes, in float32 too.


def _derivative(plane: Float[Array, "h w"], half: np.ndarray, *, axis: int) -> Float[Array, "h w"]:
    shifted = _shifts(plane, len(half), axis)
    terms = (plane.dtype.type(w) * (shifted(k) - shifted(-k)) for k, w in enumerate(half, start=1))
    return functools.reduce(jnp.add, terms)


def _smoothed(plane: Float[Array, "h w"], half: np.ndarray, *, axis: int) -> Float[Array, "h w"]:
    shifted = _shifts(plane, len(half) - 1, axis)
    terms = (plane.dtype.type(w) * (shifted(k) + shifted(-k)) for k, w in enumerate(half[1:], start=1))
    return functools.reduce(jnp.add, terms, plane.dtype.type(half[0]) * plane)


def _shifts(plane: Array, radius: int, axis: int) -> Any:
    """Function of k that gives the plane's neighbours k further along `axis`, border pixels repeated."""
    # The barrier keeps XLA from recomputing the plane once per tap.
    plane = lax.optimization_barrier(plane)
    padding = [(radius, radius) if a == axis else (0, 0) for a in range(2)]
    padded, length = jnp.pad(plane, padding, mode="edge"), plane.shape[axis]
    return lambda k: lax.slice_in_dim(padded, radius + k, radius + k + length, axis=axis)


def _is_ridge(
    magnitude: Float[Array, "h w"], by_row: Float[Array, "h w"], by_column: Float[Array, "h w"]
) -> Bool[Array, "h w"]:
    """No smaller than the magnitude on either side along the gradient, interpolated between two pixels.

    Beside a step two pixels are equally strong. Both are ridges, however a compiler rounds.
    """
    height, width = magnitude.shape
    padded = jnp.pad(magnitude, 1)

    def at(down: int, right: int) -> Array:
        return padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]

    flat, steep = jnp.abs(by_column), jnp.abs(by_row)
    across = flat > steep  # the gradient is closer to the row than to the column
    longer = jnp.maximum(flat, steep)
    slant = jnp.minimum(flat, steep) / jnp.where(longer > 0, longer, 1)
    falling = (by_column > 0) == (by_row > 0)  # it points to the lower right or the upper left

    def beyond(sign: int) -> Array:
        straight = jnp.where(across, at(0, sign), at(sign, 0))
        anti = jnp.where(across, at(-sign, sign), at(sign, -sign))
        diagonal = jnp.where(falling, at(sign, sign), anti)
        return straight + (diagonal - straight) * slant  # exactly equal neighbours stay so

    least = magnitude * (1 + _TIE)
    return (least >= beyond(1)) & (least >= beyond(-1))
