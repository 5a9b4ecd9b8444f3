"""Between the radius of a blur disk and the sigma of the Gaussian that looks about as blurred, both in px."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

TABLE_RADIUS: tuple[float, ...] = tuple(0.5 + 0.25 * i for i in range(23))
"""Disk radii of the table of the RTF set, px."""

# fmt: off
TABLE_SIGMA: tuple[float, ...] = (
    0.3, 0.5, 0.65, 0.775, 0.875, 0.975, 1.125, 1.275, 1.375, 1.525, 1.65, 1.8,
    1.925, 2.05, 2.2, 2.325, 2.45, 2.6, 2.725, 2.875, 3.0, 3.15, 3.275,
)
# fmt: on
"""Gaussian sigma of like sharpness for each of `TABLE_RADIUS`, px."""


Values = Float[Array, "..."] | Float[np.ndarray, "..."] | np.floating | float
"""Numbers of any shape, floating-point."""


def radius_to_sigma(radius: Values) -> Float[Array, "..."]:
    """Convert disk radius to the Gaussian sigma of like sharpness.

    Linear between the rows of the table that belongs to the RTF set; proportional below its first row (so
    that 0 stays 0) and beyond its last: a wide disk and a wide Gaussian both scale with the image, so their
    ratio is fixed.

    Args:
      radius: disk radii in px, not negative; NaN stays NaN.

    Returns:
      Sigmas in px, shaped and typed like `radius`.

    Raises:
      TypeError: `radius` is not floating-point.

    References:
      D'Andres, Salvador, Kochale, Susstrunk, "Non-Parametric Blur Map Regression for Depth of Field
      Extension", IEEE TIP 2016.

    Examples:
      >>> import jax.numpy as jnp, jaxblur
      >>> print(jaxblur.radius_to_sigma(jnp.asarray([0.5, 2.0, 6.0])))
      [0.3   1.125 3.275]
    """
    return _convert("radius", radius, TABLE_RADIUS, TABLE_SIGMA)


def sigma_to_radius(sigma: Values) -> Float[Array, "..."]:
    """Convert Gaussian sigma to the disk radius of like sharpness: the inverse of `radius_to_sigma`.

    Args:
      sigma: Gaussian sigmas in px, not negative; NaN stays NaN.

    Returns:
      Disk radii in px, shaped and typed like `sigma`.

    Raises:
      TypeError: `sigma` is not floating-point.

    Examples:
      >>> import jax.numpy as jnp, jaxblur
      >>> print(jaxblur.sigma_to_radius(jnp.asarray([0.3, 1.125, 3.275])).round(3))
      [0.5 2.  6. ]
    """
    return _convert("sigma", sigma, TABLE_SIGMA, TABLE_RADIUS)


def _convert(name: str, values: Values, table: tuple[float, ...], result: tuple[float, ...]) -> jax.Array:
    values = jnp.asarray(values)
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise TypeError(f"{name} must hold floating-point numbers, got {values.dtype}")
    knots = jnp.asarray(
        np.array((0.0, *table)), values.dtype
    )  # a row (0, 0) makes it proportional below the first
    images = jnp.asarray(np.array((0.0, *result)), values.dtype)
    inside = jnp.interp(values, knots, images)
    return jnp.where(values > table[-1], values * (result[-1] / table[-1]), inside)
