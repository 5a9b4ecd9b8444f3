"""Canny edges of a photo, as MATLAB's `edge(V, 'canny')` finds them on V of HSV, in array operations."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt32

from jaxblur._checks import is_concrete
from jaxblur.config import DEFAULT, EdgeConfig
from jaxblur.image import to_float

_BINS = 64
_DILATIONS = 512  # rounds of growth before labels take over; photos of under a megapixel need a few dozen
_WORD = 32  # pixels per packed word
_BITS = np.arange(_WORD, dtype=np.uint32)[None, None, :]


def detect_edges(
    image: Any, *, config: EdgeConfig = DEFAULT.edges, size: tuple[Any, Any] | None = None
) -> Bool[Array, "h w"]:
    """Edge points of a photo: Canny with automatic thresholds on V = max(R, G, B).

    Pure, and works under jit, vmap and pmap; the result has no gradient.

    Args:
      image: (H, W), (H, W, 1) or (H, W, 3), sRGB-coded; uint8, uint16, or float in [0, 1].
      config: smoothing, thresholds and floors. Floors are in the unit of `gradient`: an isolated step of V
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
    """
    image = to_float(image)
    value = image if image.ndim == 2 else jnp.max(image, axis=-1)
    if size is not None:
        size = _checked_size(size, value.shape)
    return _canny(value, size, config)


@functools.partial(jax.jit, static_argnames="config")
def _canny(value: Float[Array, "h w"], size: Any, config: EdgeConfig) -> Bool[Array, "h w"]:
    height, width = value.shape if size is None else size
    row = jnp.arange(value.shape[0], dtype=jnp.int32)[:, None]
    column = jnp.arange(value.shape[1], dtype=jnp.int32)[None, :]
    if size is not None:  # repeat the true border, so that the filters never see the padding
        value = value[jnp.minimum(row, height - 1), jnp.minimum(column, width - 1)]
    photo = (row < height) & (column < width)
    interior = (row > 0) & (row < height - 1) & (column > 0) & (column < width - 1)

    by_row, by_column = gradient(value, sigma=config.sigma)
    magnitude = jnp.where(photo, jnp.sqrt(by_row**2 + by_column**2), 0)
    greatest = jnp.max(magnitude)
    greatest = jnp.where(greatest > 0, greatest, 1)
    magnitude = magnitude / greatest

    high = _quantile_threshold(magnitude, photo, height * width, config.high_quantile)
    low = jnp.maximum(config.low_ratio * high, config.low_floor / greatest)
    high = jnp.maximum(high, config.high_floor / greatest)
    weak = interior & _is_ridge(magnitude, by_row, by_column) & (magnitude > low)
    return hysteresis(weak, weak & (magnitude > high))


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


def _kernels(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Half of the Gaussian, from its centre, and half of its scaled odd derivative, from tap 1."""
    radius = math.ceil(4 * sigma)
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


def _quantile_threshold(
    magnitude: Float[Array, "h w"], photo: Bool[Array, "h w"], count: Any, quantile: float
) -> Float[Array, ""]:
    """Upper threshold: position, from 1, of the first bin whose cumulative count exceeds the share, / 64.

    The share of all pixels is counted in whole numbers, with the quantile to four decimals, so that no
    rounding error moves the threshold.
    """
    share = round(quantile * 10_000)
    allowed = (
        share * (count // 10_000) + share * (count % 10_000) // 10_000
    )  # floor(quantile * count) within int32
    bins = jnp.where(photo, jnp.floor((_BINS - 1) * magnitude + 0.5), _BINS)  # bin centres at 0, 1/63, ... 1
    index = jnp.int32(0)  # of the last bin with at most `allowed` pixels before it, found bit by bit
    for step in (32, 16, 8, 4, 2, 1):
        before = jnp.sum(bins < (index + step).astype(bins.dtype), dtype=jnp.int32)
        index = jnp.where(before <= allowed, index + step, index)
    return (index + 1).astype(magnitude.dtype) / _BINS


def _is_ridge(
    magnitude: Float[Array, "h w"], by_row: Float[Array, "h w"], by_column: Float[Array, "h w"]
) -> Bool[Array, "h w"]:
    """No smaller than the magnitude on either side along the gradient, interpolated between two pixels."""
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
        return straight * (1 - slant) + diagonal * slant

    return (magnitude >= beyond(1)) & (magnitude >= beyond(-1))


def hysteresis(weak: Bool[Array, "h w"], strong: Bool[Array, "h w"]) -> Bool[Array, "h w"]:
    """The 8-connected components of `weak` that hold a pixel of `strong`.

    Strong pixels grow into weak ones, 32 pixels to a word, which ends soon on photos. Chains that are still
    growing after 512 px are settled by component labels: few rounds, however long a chain winds, but costly.

    Args:
      weak: pixels that may be kept.
      strong: pixels that are kept, with all they connect to; those outside `weak` are ignored.
    """
    mask = _pack(weak)

    def grow(state: tuple) -> tuple:
        grown, _, rounds = state
        larger = _dilate(grown) & mask
        return larger, jnp.any(larger != grown), rounds + 1

    def growing(state: tuple) -> Array:
        return state[1] & (state[2] < _DILATIONS)

    start = (_pack(weak & strong), jnp.bool_(True), jnp.int32(0))
    grown, unsettled, _ = lax.while_loop(growing, grow, start)

    # A loop of at most one round: unlike `cond`, it skips the labels under vmap too if no image needs them.
    def settle(state: tuple) -> tuple:
        return _finished(weak, state[0]), jnp.bool_(False)

    return lax.while_loop(lambda state: state[1], settle, (_unpack(grown, weak.shape[1]), unsettled))[0]


def _pack(plane: Bool[Array, "h w"]) -> UInt32[Array, "h v"]:
    plane = jnp.pad(plane, ((0, 0), (0, -plane.shape[1] % _WORD)))
    bits = plane.reshape(plane.shape[0], -1, _WORD).astype(jnp.uint32) << _BITS
    return jnp.sum(bits, axis=-1, dtype=jnp.uint32)


def _unpack(words: UInt32[Array, "h v"], width: int) -> Bool[Array, "h w"]:
    bits = (words[:, :, None] >> _BITS) & 1
    return bits.reshape(words.shape[0], -1)[:, :width].astype(bool)


def _dilate(words: UInt32[Array, "h v"]) -> UInt32[Array, "h v"]:
    """Packed plane grown by one pixel in all eight directions."""
    before = jnp.pad(words[:, :-1], ((0, 0), (1, 0)))
    after = jnp.pad(words[:, 1:], ((0, 0), (0, 1)))
    wide = words | (words << 1) | (words >> 1) | (before >> (_WORD - 1)) | (after << (_WORD - 1))
    padded = jnp.pad(wide, ((1, 1), (0, 0)))
    return padded[:-2] | wide | padded[2:]


def _finished(weak: Bool[Array, "h w"], kept: Bool[Array, "h w"]) -> Bool[Array, "h w"]:
    """`kept`, part of `weak`, grown to whole components by labels that fall to the component's least.

    Label 0 is that of kept pixels; any other pixel starts with its own index, from 1, so that a label names a
    pixel of the same component. Each round hands the least label around a pixel to it and to the pixel its
    label names, then follows labels twice.
    """
    none = weak.size + 1  # label of what is not weak
    index = jnp.arange(1, none, dtype=jnp.int32).reshape(weak.shape)
    label = jnp.where(kept, 0, jnp.where(weak, index, none))

    def with_ends(label: Int[Array, "h w"]) -> Int[Array, " n"]:
        return jnp.concatenate([jnp.zeros(1, jnp.int32), label.ravel(), jnp.full(1, none, jnp.int32)])

    def lower(state: tuple) -> tuple:
        label, _ = state
        padded = jnp.pad(label[1:none].reshape(weak.shape), 1, constant_values=none)
        least = jnp.minimum(jnp.minimum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
        least = jnp.minimum(jnp.minimum(least[:-2], least[1:-1]), least[2:])
        least = with_ends(jnp.where(weak, least, none))
        lowered = jnp.minimum(label.at[label].min(least), least)
        lowered = lowered[lowered]
        lowered = lowered[lowered]
        return lowered, jnp.any(lowered != label)

    label, _ = lax.while_loop(lambda state: state[1], lower, (with_ends(label), jnp.bool_(True)))
    return label[1:none].reshape(weak.shape) == 0


def _checked_size(size: Any, shape: tuple[int, ...]) -> tuple[Int[Array, ""], Int[Array, ""]]:
    if len(size) != 2:
        raise ValueError(f"size must be (height, width), got {size!r}")
    for name, value, limit in zip(("height", "width"), size, shape, strict=True):
        if is_concrete(value) and not 1 <= int(value) <= limit:
            raise ValueError(f"size: {name} must be in 1..{limit}, got {int(value)}")
    height, width = size
    return jnp.asarray(height).astype(jnp.int32), jnp.asarray(width).astype(jnp.int32)
