"""What happens to the image after the lens: noise, demosaicing's softness, sharpening, JPEG, 8-bit rounding.

A camera does it in this order: `add_noise` on the sensor, `soften` when colours are interpolated, `sharpen` on the
finished image, then the file, `jpeg` and `quantise`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from jaxblur._checks import check_float, check_not_empty, check_rank, is_concrete
from jaxblur.synthesis.formation import from_light, to_light

# ISO/IEC 10918-1 (ITU-T T.81), annex K, tables K.1 and K.2.
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
_TO_YCC = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168735892, -0.331264108, 0.5],
        [0.5, -0.418687589, -0.081312411],
    ]
)
_TO_RGB = np.linalg.inv(_TO_YCC)


def add_noise(
    key: PRNGKeyArray,
    image: Float[Array, "h w c"],
    *,
    read: Float[Array, ""] | float,
    shot: Float[Array, ""] | float = 0.0,
    linear_light: Bool[Array, ""] | bool = False,
) -> Float[Array, "h w c"]:
    """Gaussian noise of variance read**2 + shot**2 * value, independent per pixel and channel.

    Both strengths have the unit of the image, 1 = white: `read` is the standard deviation in black, `shot`
    what photon noise adds (in squares) at white. The normal distribution stands in for the Poisson
    distribution.

    Args:
      key: random key.
      image: sRGB-encoded, range [0, 1].
      read: standard deviation of the read noise; may be traced.
      shot: standard deviation of the shot noise at value 1; may be traced.
      linear_light: noise, variance and value are those of linear light, as on a sensor, instead of the gamma-encoded
        ones.

    Returns:
      sRGB-encoded noisy image. It is not clipped, so that the mean stays (on gamma-encoded values); `quantise` and
      `jpeg` clip.

    Raises:
      TypeError: `image` does not hold floating-point numbers.
      ValueError: `image` is not (H, W, C), or a strength is negative.

    Examples:
      >>> import jax, jax.numpy as jnp
      >>> from jaxblur.synthesis import add_noise
      >>> noisy = add_noise(jax.random.key(0), jnp.full((64, 64, 3), 0.5), read=0.02)
      >>> round(float(noisy.std()), 2)
      0.02
    """
    check_float("image", image)
    check_rank("image", image, (3,), "(H, W, C)")
    for name, value in (("read", read), ("shot", shot)):
        if is_concrete(value) and not float(value) >= 0:
            raise ValueError(f"{name} must be at least 0, got {float(value)}")
    light = to_light(image, linear_light)
    read, shot = jnp.asarray(read, light.dtype), jnp.asarray(shot, light.dtype)
    variance = read**2 + shot**2 * jnp.clip(light, 0.0, 1.0)
    # The root has no gradient at 0, where the noise is 0 whatever the draw.
    deviation = jnp.where(variance > 0, jnp.sqrt(jnp.where(variance > 0, variance, 1.0)), 0.0)
    noisy = light + deviation * jax.random.normal(key, light.shape, light.dtype)
    return from_light(noisy, linear_light)


def soften(
    image: Float[Array, "h w 3"],
    *,
    luma: Float[Array, ""] | float,
    chroma: Float[Array, ""] | float,
) -> Float[Array, "h w 3"]:
    """Softness of demosaicing: luma and chroma mixed with their 3 x 3 binomial average, border pixels repeated.

    A sensor has one colour per pixel. Interpolation of the others softens edges, and colour more than brightness; it
    also makes the noise smooth, so this comes after `add_noise`.

    Args:
      image: sRGB-encoded.
      luma: fraction of the average in luma, range [0, 1]; at 1 it is a blur of variance 0.5 px^2 along each axis.
        May be traced.
      chroma: the same for Cb and Cr.

    Returns:
      Image of the same shape and dtype; each channel's mean stays but for the border.

    Raises:
      TypeError: `image` does not hold floating-point numbers.
      ValueError: `image` is not (H, W, 3), or a fraction is outside [0, 1].

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import soften
      >>> step = jnp.zeros((4, 6, 3)).at[:, 3:].set(1.0)
      >>> soften(step, luma=1.0, chroma=1.0)[2, :, 0].round(2).tolist()
      [...]
    """
    _check_rgb(image)
    for name, fraction in (("luma", luma), ("chroma", chroma)):
        if is_concrete(fraction) and not 0 <= float(fraction) <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {float(fraction)}")
    fractions = jnp.stack([jnp.asarray(fraction, image.dtype) for fraction in (luma, chroma, chroma)])[
        :, None, None
    ]
    ycc = _mix(image, _TO_YCC)
    averaged = jax.vmap(_binomial)(ycc)
    return jnp.moveaxis(_mix(jnp.moveaxis(ycc + fractions * (averaged - ycc), 0, -1), _TO_RGB), 0, -1)


def sharpen(image: Float[Array, "h w 3"], *, strength: Float[Array, ""] | float) -> Float[Array, "h w 3"]:
    """Unsharp mask on luma: luma + strength * (luma - its 5 x 5 binomial average), border pixels repeated.

    It comes after `soften`, and overshoots at edges on both sides as cameras do; `quantise` and `jpeg` clip.

    Args:
      image: sRGB-encoded.
      strength: at least 0; cameras do about 0.3 to 1. May be traced.

    Returns:
      Image of the same shape and dtype, not clipped; differences of its channels are unchanged.

    Raises:
      TypeError: `image` does not hold floating-point numbers.
      ValueError: `image` is not (H, W, 3), or `strength` is negative.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import sharpen
      >>> step = jnp.full((4, 6, 3), 0.25).at[:, 3:].set(0.75)
      >>> sharpen(step, strength=0.5)[2, :, 0].round(2).tolist()
      [...]
    """
    _check_rgb(image)
    if is_concrete(strength) and not float(strength) >= 0:
        raise ValueError(f"strength must be at least 0, got {float(strength)}")
    luma = _mix(image, _TO_YCC[:1])[0]
    detail = luma - _binomial(_binomial(luma))
    return image + (jnp.asarray(strength, image.dtype) * detail)[..., None]


def quantise(image: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`image` clipped to [0, 1] and rounded to multiples of 1 / 255; its gradient is 0.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import quantise
      >>> (255 * quantise(jnp.asarray([-0.1, 0.5, 1.2]))).tolist()
      [...]
    """
    check_float("image", image)
    return jnp.round(jnp.clip(image, 0.0, 1.0) * 255) / 255


def jpeg(
    image: Float[Array, "h w 3"],
    quality: Float[Array, ""] | float,
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
    _check_rgb(image)
    if is_concrete(quality) and not float(quality) >= 1:
        raise ValueError(f"quality must be at least 1, got {float(quality)}")
    quality = jnp.asarray(quality, image.dtype)
    if is_concrete(subsample):
        coded = _round_trip(image, quality, bool(subsample))
    else:
        coded = jnp.where(subsample, _round_trip(image, quality, True), _round_trip(image, quality, False))
    return jnp.where(quality > 100, image, coded)


def _check_rgb(image: Array) -> None:
    check_float("image", image)
    check_rank("image", image, (3,), "(H, W, 3)")
    check_not_empty("image", image)
    if image.shape[-1] != 3:
        raise ValueError(f"image must have 3 channels, got {image.shape[-1]}")


def _binomial(plane: Array) -> Array:
    """Average of (H, W) with weights [1 2 1] / 4 along both axes."""
    for axis in (0, 1):
        padded = jnp.pad(plane, [(1, 1) if i == axis else (0, 0) for i in (0, 1)], mode="edge")
        part = functools.partial(jax.lax.slice_in_dim, padded, axis=axis)
        count = plane.shape[axis]
        plane = (part(0, count) + 2 * part(1, count + 1) + part(2, count + 2)) / 4
    return plane


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
    ycc = _round(_mix(padded, _TO_YCC))
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
    rgb = jnp.clip(_round(_mix(jnp.moveaxis(ycc, 0, -1), _TO_RGB)), 0.0, 255.0) / 255
    return jnp.moveaxis(rgb, 0, -1)


def _round(values: Array) -> Array:
    """Nearest whole number, halves up as in libjpeg; they are common, as block means are multiples of 1/8."""
    return jnp.floor(values + 0.5)


def _mix(image: Array, matrix: np.ndarray) -> Array:
    """(3, H, W) products of `matrix` with the colours of (H, W, 3); written out, as a small dot is slow."""
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    return jnp.stack([float(row[0]) * red + float(row[1]) * green + float(row[2]) * blue for row in matrix])


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
