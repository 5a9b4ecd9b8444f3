"""Uniform blur of an image by one kernel, in linear light as a lens does it or on gamma-encoded values."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped
from scipy.fft import next_fast_len

from jaxblur._checks import check_float, check_not_empty, check_rank, is_concrete

Border = Literal["valid", "reflect"]
"""What happens at the border of an image, see `convolve`."""


def srgb_to_linear(image: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Linear light of sRGB-encoded values (IEC 61966-2-1); below 0 the straight part of the curve goes on.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import srgb_to_linear
      >>> print(srgb_to_linear(jnp.asarray([0.0, 0.5, 1.0])).round(3))
      [0.    0.214 1.   ]
    """
    check_float("image", image)
    steep = image > 0.04045
    power = ((jnp.where(steep, image, 1.0) + 0.055) / 1.055) ** 2.4
    return jnp.where(steep, power, image / 12.92)


def linear_to_srgb(image: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sRGB-encoded values of linear light, the inverse of `srgb_to_linear`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import linear_to_srgb
      >>> print(linear_to_srgb(jnp.asarray([0.0, 0.5, 1.0])).round(3))
      [0.    0.735 1.   ]
    """
    check_float("image", image)
    steep = image > 0.0031308
    power = 1.055 * jnp.where(steep, image, 1.0) ** (1 / 2.4) - 0.055
    return jnp.where(steep, power, 12.92 * image)


def to_light(image: Float[Array, "*shape"], linear_light: Bool[Array, ""] | bool) -> Float[Array, "*shape"]:
    """sRGB-encoded `image` in the domain where light is summed: linear where `linear_light`, else unchanged."""
    if is_concrete(linear_light):
        return srgb_to_linear(image) if linear_light else image
    return jnp.where(linear_light, srgb_to_linear(image), image)


def from_light(image: Float[Array, "*shape"], linear_light: Bool[Array, ""] | bool) -> Float[Array, "*shape"]:
    """Inverse of `to_light`."""
    if is_concrete(linear_light):
        return linear_to_srgb(image) if linear_light else image
    return jnp.where(linear_light, linear_to_srgb(image), image)


def convolve(
    image: Float[Array, "h w c"], kernel: Float[Array, "k k"], *, border: Border = "valid"
) -> Float[Array, "h2 w2 c"]:
    """Convolution of each channel with `kernel`, whatever the values stand for.

    By Fourier transform: under `vmap` over 32 pairs of 112 x 112 x 3 and 15 x 15 it takes 13 ms on one CPU
    core, shifted sums 32 ms and a grouped convolution 270 ms. Absolute error in float32 about 1e-6 of the
    largest value.

    Args:
      image: values to blur.
      kernel: odd side k.
      border: "valid" keeps the (H - k + 1, W - k + 1) pixels that need nothing beyond the image; "reflect"
        keeps (H, W), the image being mirrored at its border with the border pixel repeated (OpenCV's
        BORDER_REFLECT).

    Returns:
      The blurred values, of the dtype of `image`.

    Raises:
      TypeError: `image` does not hold floating-point numbers.
      ValueError: wrong number of dimensions, an even or non-square kernel, an unknown border, or an image
        smaller than the kernel with "valid".

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import convolve, disk_kernel
      >>> convolve(jnp.ones((16, 16, 3)), disk_kernel(2.0, size=5)).shape
      (12, 12, 3)
    """
    check_float("image", image)
    check_rank("image", image, (3,), "(H, W, C)")
    check_not_empty("image", image)
    check_rank("kernel", kernel, (2,), "(k, k)")
    side = kernel.shape[0]
    if kernel.shape[1] != side or side % 2 == 0:
        raise ValueError(f"kernel must be square with odd side, got {tuple(kernel.shape)}")
    if border == "reflect":
        image = jnp.pad(image, [(side // 2, side // 2)] * 2 + [(0, 0)], mode="symmetric")
    elif border != "valid":
        raise ValueError(f"border must be valid or reflect, got {border!r}")
    height, width = image.shape[:2]
    if min(height, width) < side:
        raise ValueError(f"image must be at least as large as kernel ({side} px), got {tuple(image.shape)}")
    # A circular convolution is right wherever the kernel does not wrap around: just the valid part.
    fast: list[int] = [next_fast_len(n, real=True) for n in (height, width)]  # pyright: ignore[reportAssignmentType]
    planes = jnp.moveaxis(image, -1, 0)  # channels first: a fifth faster
    product = jnp.fft.rfft2(planes, s=fast) * jnp.fft.rfft2(kernel.astype(image.dtype), s=fast)[None]
    blurred = jnp.fft.irfft2(product, s=fast)[:, side - 1 : height, side - 1 : width]
    return jnp.moveaxis(blurred, 0, -1)


def valid_part(values: Shaped[Array, "h w *rest"], *, size: int) -> Shaped[Array, "h2 w2 *rest"]:
    """The part of a map that border "valid" leaves with a kernel of `size`: size // 2 px off each side.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import valid_part
      >>> valid_part(jnp.ones((16, 16)), size=5).shape
      (12, 12)
    """
    half = size // 2
    return values[half : values.shape[0] - half, half : values.shape[1] - half]


def blur(
    image: Float[Array, "h w c"],
    kernel: Float[Array, "k k"],
    *,
    linear_light: Bool[Array, ""] | bool = False,
    border: Border = "valid",
) -> Float[Array, "h2 w2 c"]:
    """Image of a flat scene out of focus: every point spread by the same kernel.

    Args:
      image: sRGB-encoded, range [0, 1].
      kernel: point-spread function, odd side k, sum 1; see `disk_kernel`.
      linear_light: sum light as a camera does (decode, blur, encode) instead of gamma-encoded values; may be traced,
        so that one batch can hold both.
      border: as in `convolve`.

    Returns:
      sRGB-encoded blurred image, range [0, 1] but for rounding of about 1e-6 (1e-5 in linear light, near
      black).

    Raises:
      TypeError: `image` does not hold floating-point numbers.
      ValueError: as in `convolve`.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import blur, disk_kernel
      >>> step = jnp.zeros((9, 9, 3)).at[:, 5:].set(1.0)
      >>> print(blur(step, disk_kernel(1.0, size=3), border="reflect")[4, 3:7, 0].round(2))
      [0.  0.2 0.8 1. ]
    """
    check_float("image", image)
    return from_light(convolve(to_light(image, linear_light), kernel, border=border), linear_light)
