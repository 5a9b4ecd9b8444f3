"""Photographs as float arrays in [0, 1], whatever type they came in."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxblur._checks import check_not_empty, check_rank, is_concrete

_FULL_SCALE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
_LAYOUT = "(H, W), (H, W, 1) or (H, W, 3)"


def to_float(image: Any) -> Float[Array, "h w *c"]:
    """The same image as floating-point numbers in [0, 1]; the shape stays.

    Args:
      image: (H, W), (H, W, 1) or (H, W, 3); uint8 or uint16 (divided by 255 or 65535), or float in [0, 1].

    Returns:
      float32 array; float64 where float64 was passed and x64 is on.

    Raises:
      TypeError: another dtype.
      ValueError: another shape, an empty image, or, where known before tracing, values not in [0, 1].
    """
    image = as_native(image)
    if image.dtype not in _FULL_SCALE and not jnp.issubdtype(image.dtype, jnp.floating):
        raise TypeError(f"image must be uint8, uint16 or floating-point, got {image.dtype}")
    check_rank("image", image, (2, 3), _LAYOUT)
    check_not_empty("image", image)
    if image.ndim == 3 and image.shape[2] == 4:
        raise ValueError(
            f"image must be grey or RGB, got four channels, shape {image.shape}: "
            "drop the alpha channel or blend it with a background first"
        )
    if image.ndim == 3 and image.shape[2] not in (1, 3):
        raise ValueError(f"image must have shape {_LAYOUT}, got {image.shape}")

    if image.dtype in _FULL_SCALE:
        # XLA turns division by one number into a product with its rounded reciprocal. In two parts, the first
        # of them exact, the quotient is correctly rounded: 8 and 16 bits give the same numbers, and NumPy's.
        full_scale = _FULL_SCALE[np.dtype(image.dtype)]
        values = jnp.asarray(image).astype(jnp.float32)
        return values * (1 / (full_scale + 1)) + values * (1 / full_scale - 1 / (full_scale + 1))
    _check_unit_range(image)
    image = jnp.asarray(image)
    return image if image.dtype == jnp.float64 else image.astype(jnp.float32)


def as_native(image: Any) -> Any:
    """The same array in a type that JAX knows: bytes in the order of this machine, floats of at most 64 bits.

    Files bring others: those of astronomy, and many TIFF, have the most significant byte first.
    """
    if isinstance(image, jax.Array):
        return image
    image = np.asarray(image)
    if image.dtype.kind == "f" and image.dtype.itemsize > 8:
        with np.errstate(over="ignore"):  # it becomes infinity, which is refused
            return image.astype(np.float64)
    return image.astype(image.dtype.newbyteorder("="), copy=False)


def as_rgb(image: Any) -> Float[Array, "h w 3"]:
    """`to_float`, and a grey image repeated in three equal channels; same arguments and errors."""
    image = to_float(image)
    if image.ndim == 2:
        image = image[:, :, None]
    return jnp.broadcast_to(image, (*image.shape[:2], 3))


def _check_unit_range(image: Any) -> None:
    if not is_concrete(image):
        return
    values = np.asarray(image)  # on the host: XLA's minimum of a large array may drop NaN
    finite = np.isfinite(values)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(f"image must be finite and within [0, 1], got {values[place]} at {place}")
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(f"image must be finite and within [0, 1], got values from {low:g} to {high:g}")
