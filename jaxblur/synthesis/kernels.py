"""Blur kernels: disk with exact pixel coverage, Gaussian, aperture polygon, cat's eye. All sum to 1.

A kernel holds, per pixel, the fraction of the point-spread function that falls into that pixel's unit square.
`size` is static and odd; the width parameter may be traced, so a batch of kernels of different widths is one
`jax.vmap`.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import erf
from jaxtyping import Array, Float

from jaxblur._checks import is_concrete

SHARP_RADIUS = 0.5
"""A disk up to this radius, px, lies within one pixel: its kernel is a single 1."""

_SUBPIXELS = 8  # cells per pixel and axis of the polygon's coverage


def disk_kernel(radius: Float[Array, ""] | float, *, size: int) -> Float[Array, "size size"]:
    """Disk of uniform brightness: the exact area of disk and pixel square, divided by the sum.

    Args:
      radius: of the disk, px, at least 0. Up to 0.5 the kernel is a single 1.
      size: side of the kernel, px, odd. A traced radius above size / 2 gives a disk cut off at the kernel's
        border.

    Returns:
      Kernel that sums to 1, of the dtype of `radius`; differentiable in `radius`.

    Raises:
      ValueError: `size` is not odd and positive, `radius` is negative or more than size / 2.

    Examples:
      >>> from jaxblur.synthesis import disk_kernel
      >>> print(disk_kernel(1.0, size=3).round(2))
      [[0.03 0.15 0.03]
       [0.15 0.32 0.15]
       [0.03 0.15 0.03]]
    """
    _check_kernel("radius", radius, size, reach=1.0)
    return _disk(_as_float(radius), size)


@functools.partial(jax.jit, static_argnames="size")
def _disk(radius: Array, size: int) -> Array:
    r = jnp.maximum(radius, SHARP_RADIUS)
    # One quadrant is enough. Squares on an axis are halved by it, and counted twice.
    low = jnp.maximum(jnp.arange(size // 2 + 1, dtype=r.dtype) - 0.5, 0.0)
    high = jnp.arange(size // 2 + 1, dtype=r.dtype) + 0.5
    weight = jnp.where(low == 0, 2.0, 1.0).astype(r.dtype)
    quadrant = _coverage(r, low[None, :], high[None, :], low[:, None], high[:, None])
    quadrant = quadrant * (weight[:, None] * weight[None, :])
    index = jnp.abs(jnp.arange(size) - size // 2)
    return _normalise(quadrant[index][:, index])


def gaussian_kernel(sigma: Float[Array, ""] | float, *, size: int) -> Float[Array, "size size"]:
    """Gaussian integrated over each pixel square, so that sigma near 0 gives a single 1.

    Args:
      sigma: standard deviation, px, at least 0. What lies beyond the kernel's border is cut off.
      size: side of the kernel, px, odd.

    Returns:
      Kernel that sums to 1, of the dtype of `sigma`; differentiable in `sigma`.

    Raises:
      ValueError: `size` is not odd and positive, or `sigma` is negative.

    Examples:
      >>> from jaxblur.synthesis import gaussian_kernel
      >>> print(gaussian_kernel(0.5, size=3).round(2))
      [[0.02 0.11 0.02]
       [0.11 0.47 0.11]
       [0.02 0.11 0.02]]
    """
    _check_kernel("sigma", sigma, size, reach=0.0)
    s = jnp.maximum(_as_float(sigma), 1e-3)
    borders = (jnp.arange(size + 1, dtype=s.dtype) - size / 2) / (math.sqrt(2.0) * s)
    line = jnp.diff(erf(borders))
    return _normalise(line[:, None] * line[None, :])


def polygon_kernel(
    radius: Float[Array, ""] | float,
    *,
    blades: int,
    rotation: Float[Array, ""] | float = 0.0,
    size: int,
) -> Float[Array, "size size"]:
    """Regular polygon of uniform brightness, the picture of an aperture with straight blades.

    Coverage comes from 8 x 8 cells per pixel, each with a linear ramp at the polygon's border: a pixel's
    coverage is right to about 0.01 for any radius up to 7 px, and 0.003 on average.

    Args:
      radius: of the disk of equal area, px, at least 0, so that `radius` means the same as in `disk_kernel`;
        the corners of a pentagon reach 1.15 times as far, those of a triangle 1.56 times.
      blades: number of sides, at least 3.
      rotation: of the polygon, radians; at 0 one corner points along the columns axis.
      size: side of the kernel, px, odd. A traced radius that reaches beyond is cut off at the kernel's
        border.

    Returns:
      Kernel that sums to 1, of the dtype of `radius`.

    Raises:
      ValueError: `size` is not odd and positive, fewer than 3 blades, `radius` negative or too large for
        `size`.

    Examples:
      >>> from jaxblur.synthesis import polygon_kernel
      >>> kernel = polygon_kernel(3.0, blades=6, size=9)
      >>> kernel.shape, round(float(kernel.sum()), 4)
      ((9, 9), 1.0)
    """
    if blades < 3:
        raise ValueError(f"blades must be at least 3, got {blades}")
    area_ratio = blades / 2 * math.sin(2 * math.pi / blades) / math.pi  # polygon in a circle, to that circle
    corner = 1 / math.sqrt(area_ratio)  # distance of a corner at radius 1
    _check_kernel("radius", radius, size, reach=corner)
    # Below a quarter of a pixel every polygon is within its pixel; the bound keeps the coverage away from 0 /
    # 0.
    r = jnp.maximum(_as_float(radius), 0.25)
    apothem = r * (corner * math.cos(math.pi / blades))
    normal = (
        jnp.asarray(rotation, r.dtype) + (2 * jnp.arange(blades, dtype=r.dtype) + 1) * (math.pi / blades)
    )[:, None, None]
    position = _cell_positions(size, r.dtype)
    outside = jnp.cos(normal) * position[None, None, :] + jnp.sin(normal) * position[None, :, None]
    return _normalise(_cover(jnp.max(outside, axis=0) - apothem, size))


def cat_eye_kernel(
    radius: Float[Array, ""] | float,
    *,
    shift: Float[Array, "2"],
    size: int,
) -> Float[Array, "size size"]:
    """Intersection of two disks, the picture of a round aperture that a lens rim cuts far from the optical axis.

    Both disks are equal, and the kernel's centre lies between their centres. Coverage as in `polygon_kernel`.

    Args:
      radius: of the disk of equal area, px, at least 0, so that `radius` means the same as in `disk_kernel`.
      shift: from one disk's centre to the other's, (rows, columns) in units of their radius, length below 2; 0
        gives the whole disk. The kernel is narrow along it: at length 0.5 it reaches 0.91 and 1.17 times `radius`.
      size: side of the kernel, px, odd. A traced radius that reaches beyond is cut off at the kernel's border.

    Returns:
      Kernel that sums to 1, of the dtype of `radius`.

    Raises:
      ValueError: `size` is not odd and positive, `radius` is negative or too large for `size`, or `shift` is not a
        vector shorter than 2.

    Examples:
      >>> import jax.numpy as jnp
      >>> from jaxblur.synthesis import cat_eye_kernel
      >>> kernel = cat_eye_kernel(3.0, shift=jnp.asarray([0.5, 0.0]), size=9)
      >>> kernel.shape, round(float(kernel.sum()), 4)
      ((9, 9), 1.0)
    """
    if jnp.shape(shift) != (2,):
        raise ValueError(f"shift must have shape (2,), got {tuple(jnp.shape(shift))}")
    reach = 1.0
    if is_concrete(shift):
        length = math.hypot(*(float(part) for part in shift))
        if not length < 2:
            raise ValueError(f"shift must be shorter than 2, got {length}")
        reach = math.sqrt((1 - length**2 / 4) / _lens_area(length, math))
    _check_kernel("radius", radius, size, reach=reach)
    # As in `polygon_kernel`; a shape that leaves its own pixel sharp needs no more.
    radius = jnp.maximum(_as_float(radius), 0.25)
    shift = jnp.asarray(shift, radius.dtype)
    disk = radius / jnp.sqrt(_lens_area(jnp.hypot(shift[0], shift[1]), jnp))
    down, right = shift / 2 * disk
    position = _cell_positions(size, radius.dtype)
    one, other = (
        jnp.hypot(position[:, None] - sign * down, position[None, :] - sign * right) for sign in (1, -1)
    )
    return _normalise(_cover(jnp.maximum(one, other) - disk, size))


def _lens_area(distance: Any, xp: Any) -> Any:
    """Area of the intersection of two unit disks, to that of a disk; `xp` is math or jax.numpy."""
    arccos = math.acos if xp is math else jnp.arccos
    return (2 * arccos(distance / 2) - distance / 2 * xp.sqrt(4 - distance**2)) / math.pi


def _cell_positions(size: int, dtype: jnp.dtype) -> Array:
    """Centres of the cells along one axis, px from the kernel's centre."""
    return (jnp.arange(size * _SUBPIXELS, dtype=dtype) + 0.5) / _SUBPIXELS - size / 2


def _cover(distance: Array, size: int) -> Array:
    """Fraction of each pixel inside a shape, from the signed distance (px, negative inside) of all cells."""
    cells = jnp.clip(0.5 - distance * _SUBPIXELS, 0.0, 1.0)
    return cells.reshape(size, _SUBPIXELS, size, _SUBPIXELS).sum((1, 3))


def _coverage(r: Array, x0: Array, x1: Array, y0: Array, y1: Array) -> Array:
    """Area of the disk of radius r within rectangles [x0, x1] x [y0, y1] of the first quadrant.

    The arc enters the rectangle at x = a and leaves it at x = b. Left of a the rectangle is full; between a
    and b lie a trapezoid under the chord and the segment between chord and arc. All are small numbers of like
    size, so that float32 loses nothing, unlike differences of integrals from 0.
    """
    a = jnp.clip(_root(r * r - y1 * y1), x0, x1)
    b = jnp.clip(_root(r * r - y0 * y0), x0, x1)
    at_a = jnp.clip(_root(r * r - a * a), y0, y1)
    at_b = jnp.clip(_root(r * r - b * b), y0, y1)
    full = (a - x0) * (y1 - y0)
    trapezoid = (b - a) * (0.5 * (at_a + at_b) - y0)
    # Without an arc within the rectangle a = b, and the two heights say nothing.
    crossed = b > a
    sine = jnp.where(crossed, b * at_a - a * at_b, 0.0)
    cosine = jnp.where(crossed, a * b + at_a * at_b, 1.0)
    angle = jnp.arctan2(sine, cosine)
    return full + trapezoid + 0.5 * r * r * (angle - jnp.sin(angle))


def _root(x: Array) -> Array:
    """Square root, 0 below 0, with finite gradient everywhere."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def _normalise(kernel: Array) -> Array:
    return kernel / jnp.sum(kernel)


def _as_float(value: Array | float) -> Array:
    value = jnp.asarray(value)
    return value if jnp.issubdtype(value.dtype, jnp.floating) else value.astype(jnp.float32)


def _check_kernel(name: str, width: Array | float, size: int, *, reach: float) -> None:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size must be odd and positive, got {size}")
    if is_concrete(width):
        if not 0 <= float(width) < math.inf:
            raise ValueError(f"{name} must be at least 0 and finite, got {float(width)}")
        if float(width) * reach > size / 2:
            raise ValueError(
                f"{name} must be at most {size / 2 / reach:.4g} for size {size}, got {float(width)}"
            )
