"""JPEG as libjpeg makes it, in array operations."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxblur._checks import is_concrete
from jaxblur.synthesis.sensor import TO_RGB, TO_YCC, check_rgb, mix_channels

_LUMA_TABLE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_CHROMA_TABLE = np.array(
    [
        [17, 18, 24, 47, 99, 99, 99, 99],
        [18, 21, 26, 66, 99, 99, 99, 99],
        [24, 26, 56, 99, 99, 99, 99, 99],
        [47, 66, 99, 99, 99, 99, 99, 99],
    ]
    + [[99] * 8] * 4
)
# JFIF 1.02: YCbCr of RGB, with Cb and Cr centred at 0.


def jpeg(
    image: Float[Array, "h w 3"],
    quality: Float[Array, ""] | Int[Array, ""] | float,
    *,
    subsample: Bool[Array, ""] | bool = True,
) -> Float[Array, "h w 3"]:
    """Round trip through a JPEG file of that quality, as libjpeg does it, up to rounding within its integer
    transforms.

    Colour transform, halved chroma, 8 x 8 cosine transforms, the standard tables scaled by quality, and back.
    Blocks start at the image's upper left corner: crops taken from a larger photo have any phase, which the
    caller gets by compressing a larger crop and cutting the result. Partial blocks are filled up with the
    border pixel.

    Args:
      image: sRGB-encoded, range [0, 1]; clipped and rounded to 8 bits first.
      quality: 1 to 100 on libjpeg's scale; more than 100 means no compression (then the image is returned as
        it came, not rounded, at the cost of the round trip). May be traced.
      subsample: code chroma at half resolution (4:2:0, libjpeg's default) instead of full (4:4:4). May be
        traced; then both are computed.

    Returns:
      Image of the same shape and dtype, multiples of 1 / 255 unless quality is more than 100. The gradient is
      0, as rounding has none.

    Raises:
      TypeError: `image` does not hold floating-point numbers.
      ValueError: `image` is not (H, W, 3), or `quality` is less than 1.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> from jaxblur.synthesis import jpeg
      >>> image = jax.random.uniform(jax.random.key(0), (16, 16, 3))
      >>> [bool(abs(jpeg(image, quality) - image).max() > 0.1) for quality in (20.0, 101.0)]
      [True, False]
    """
    check_rgb(image)
    if is_concrete(quality) and not float(quality) >= 1:
        raise ValueError(f"quality must be at least 1, got {float(quality)}")
    quality = jnp.asarray(quality, image.dtype)
    if is_concrete(subsample):
        coded = _round_trip(image, quality, bool(subsample))
    else:
        coded = jnp.where(subsample, _round_trip(image, quality, True), _round_trip(image, quality, False))
    return jnp.where(quality > 100, image, coded)


@functools.partial(jax.jit, static_argnames="subsample")
def _round_trip(image: Array, quality: Array, subsample: bool) -> Array:
    height, width = image.shape[:2]
    scale = jnp.where(quality < 50, jnp.floor(5000 / quality), 200 - 2 * quality)
    luma_table, chroma_table = (
        jnp.clip(jnp.floor((jnp.asarray(table, image.dtype) * scale + 50) / 100), 1.0, 255.0)
        for table in (_LUMA_TABLE, _CHROMA_TABLE)
    )
    pixels = jnp.round(jnp.clip(image, 0.0, 1.0) * 255)
    padded = jnp.pad(pixels, [(0, -height % 16), (0, -width % 16), (0, 0)], mode="edge")
    ycc = _round(mix_channels(padded, TO_YCC))
    luma = _code_blocks(ycc[0] - 128, luma_table)[:height, :width] + 128
    chroma = ycc[1:]
    if subsample:
        # libjpeg fills partial blocks up to the right before it halves, downwards after it.
        chroma = jax.vmap(_halve)(chroma[:, : height + height % 2])
        chroma = jnp.pad(chroma, [(0, 0), (0, -chroma.shape[1] % 8), (0, 0)], mode="edge")
    chroma = jax.vmap(_code_blocks, (0, None))(chroma, chroma_table)
    if subsample:
        chroma = jax.vmap(_double)(chroma[:, : -(-height // 2), : -(-width // 2)])
    ycc = jnp.concatenate([luma[None], chroma[:, :height, :width]])
    rgb = jnp.clip(_round(mix_channels(jnp.moveaxis(ycc, 0, -1), TO_RGB)), 0.0, 255.0) / 255
    return jnp.moveaxis(rgb, 0, -1)


def _round(values: Array) -> Array:
    """Nearest whole number, halves up as in libjpeg; they are common, as block means are multiples of 1/8."""
    return jnp.floor(values + 0.5)


def _code_blocks(plane: Array, table: Array) -> Array:
    """Cosine transform of 8 x 8 blocks, rounding to multiples of `table`, and back to whole values."""
    height, width = plane.shape
    transform = jnp.asarray(_cosines(), plane.dtype)
    blocks = plane.reshape(height // 8, 8, width // 8, 8)
    product = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
    coefficients = product("ui,vj,aibj->aubv", transform, transform, blocks)
    steps = coefficients / table[None, :, None]
    coefficients = jnp.sign(steps) * _round(jnp.abs(steps)) * table[None, :, None]
    pixels = product("ui,vj,aubv->aibj", transform, transform, coefficients)
    return jnp.clip(_round(pixels.reshape(height, width)), -128.0, 127.0)


@functools.cache
def _cosines() -> np.ndarray:
    """Orthonormal 8-point DCT-II, rows are frequencies."""
    frequency, position = np.mgrid[:8, :8]
    matrix = np.cos((2 * position + 1) * frequency * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix


def _halve(plane: Array) -> Array:
    """Mean of 2 x 2 pixels, rounded; halves go down in even columns and up in odd ones, as in libjpeg."""
    height, width = plane.shape
    bias = jnp.where(jnp.arange(width // 2) % 2 == 0, 0.25, 0.5).astype(plane.dtype)
    return jnp.floor(plane.reshape(height // 2, 2, width // 2, 2).mean((1, 3)) + bias[None])


def _double(plane: Array) -> Array:
    """Twice the size by linear interpolation between pixel centres (libjpeg's "fancy upsampling")."""
    for axis in (0, 1):
        before = jnp.concatenate([jax.lax.slice_in_dim(plane, 0, 1, axis=axis), plane], axis)
        after = jnp.concatenate([plane, jax.lax.slice_in_dim(plane, -1, None, axis=axis)], axis)
        before = jax.lax.slice_in_dim(before, 0, plane.shape[axis], axis=axis)
        after = jax.lax.slice_in_dim(after, 1, None, axis=axis)
        pair = jnp.stack([0.25 * before + 0.75 * plane, 0.75 * plane + 0.25 * after], axis + 1)
        plane = pair.reshape([n * (2 if i == axis else 1) for i, n in enumerate(plane.shape)])
    return _round(plane)
