"""Windows around the pixels of a grid, and maps from what is known on the grid."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float


def on_grid(
    function: Callable[[jax.Array], jax.Array], plane: Float[jax.Array, "h w"], *, side: int, step: int
) -> jax.Array:
    """What a function says of the windows around every pixel whose row and column are multiples of `step`.

    A row of windows at a time, so that they take little memory.

    Args:
      function: from (n, side, side) windows to (n, ...) results.
      plane: its border pixels are repeated outside.
      side: of a window, px; of an even one, the pixel is the first after the middle.
      step: px between grid points.

    Returns:
      (ceil(H / step), ceil(W / step), ...) results.
    """
    before, after = side // 2, side - 1 - side // 2
    padded = jnp.pad(plane, (before, after), mode="edge")
    rows = jnp.arange(0, plane.shape[0], step, dtype=jnp.int32)
    columns = jnp.arange(0, plane.shape[1], step, dtype=jnp.int32)
    places = columns[:, None] + jnp.arange(side, dtype=jnp.int32)[None, :]

    def one_row(row: jax.Array) -> jax.Array:
        strip = lax.dynamic_slice_in_dim(padded, row, side, axis=0)
        return function(strip[:, places].transpose(1, 0, 2))

    return lax.map(one_row, rows)


def to_pixels(
    grid: Float[jax.Array, "h2 w2"], shape: tuple[int, ...], *, step: int
) -> Float[jax.Array, "h w"]:
    """The map of values on the grid, linear between grid points and constant beyond the last."""
    for axis in (0, 1):
        place = jnp.arange(shape[axis], dtype=jnp.int32)
        before = jnp.minimum(place // step, grid.shape[axis] - 1)
        after = jnp.minimum(before + 1, grid.shape[axis] - 1)
        part = (place % step).astype(grid.dtype) / step
        part = part[:, None] if axis == 0 else part[None, :]
        grid = jnp.take(grid, before, axis=axis) * (1 - part) + jnp.take(grid, after, axis=axis) * part
    return grid
