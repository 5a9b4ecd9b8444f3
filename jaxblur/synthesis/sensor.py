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
TO_YCC = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168735892, -0.331264108, 0.5],
        [0.5, -0.418687589, -0.081312411],
    ]
)
TO_RGB = np.linalg.inv(TO_YCC)


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
      >>> print(soften(step, luma=1.0, chroma=1.0)[2, :, 0].round(2))
      [0.   0.   0.25 0.75 1.   1.  ]
    """
    check_rgb(image)
    for name, fraction in (("luma", luma), ("chroma", chroma)):
        if is_concrete(fraction) and not 0 <= float(fraction) <= 1:
            raise ValueError(f"{name} must be in [0, 1], got {float(fraction)}")
    fractions = jnp.stack([jnp.asarray(fraction, image.dtype) for fraction in (luma, chroma, chroma)])[
        :, None, None
    ]
    ycc = mix_channels(image, TO_YCC)
    averaged = jax.vmap(_binomial)(ycc)
    return jnp.moveaxis(mix_channels(jnp.moveaxis(ycc + fractions * (averaged - ycc), 0, -1), TO_RGB), 0, -1)


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
      >>> print(sharpen(step, strength=0.5)[2, :, 0].round(2))
      [0.25 0.23 0.17 0.83 0.77 0.75]
    """
    check_rgb(image)
    if is_concrete(strength) and not float(strength) >= 0:
        raise ValueError(f"strength must be at least 0, got {float(strength)}")
    luma = mix_channels(image, TO_YCC[:1])[0]
    detail = luma - _binomial(_binomial(luma))
    return image + (jnp.asarray(strength, image.dtype) * detail)[..., None]


def quantise(image: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`image` clipped to [0, 1] and rounded to multiples of 1 / 255; its gradient is 0.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import quantise
      >>> print(255 * quantise(jnp.asarray([-0.1, 0.5, 1.2])))
      [  0. 128. 255.]
    """
    check_float("image", image)
    return jnp.round(jnp.clip(image, 0.0, 1.0) * 255) / 255


def check_rgb(image: Array) -> None:
    """Raise TypeError or ValueError unless `image` is (H, W, 3) and floating-point."""
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


def mix_channels(image: Array, matrix: np.ndarray) -> Array:
    """(3, H, W) products of `matrix` with the colours of (H, W, 3); written out, as a small dot is slow."""
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    return jnp.stack([float(row[0]) * red + float(row[1]) * green + float(row[2]) * blue for row in matrix])
