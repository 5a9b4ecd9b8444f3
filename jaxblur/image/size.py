"""Geometry of photos: size buckets, tiles, padding, and which pixels of an array belong to the photo.

A program is compiled for a bucket, not for a photo: the photo lies in the top-left corner of the bucket's array, and
its true size is an argument. All photos of one bucket then share the program.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur._checks import is_concrete

MAX_TILE = 512  # px; bounds the memory of the feature maps
_TILE_STEP = 64  # px; the sides of tiles are multiples of it

Size = Any
"""Height and width of a photo, px: two whole numbers, or an int32 array (2,), which may be traced."""


class Tiles(NamedTuple):
    """A size bucket: `rows` x `columns` tiles of `height` x `width` px each."""

    rows: int
    columns: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the whole bucket, px."""
        return self.rows * self.height, self.columns * self.width

    def split(self, plane: Shaped[Array, "h w"]) -> Shaped[Array, "n th tw"]:
        """The tiles of a plane of the bucket's shape, row by row."""
        tiles = plane.reshape(self.rows, self.height, self.columns, self.width)
        return tiles.transpose(0, 2, 1, 3).reshape(-1, self.height, self.width)

    def join(self, tiles: Shaped[Array, "n th tw"]) -> Shaped[Array, "h w"]:
        """The plane that `split` made `tiles` of."""
        rows = tiles.reshape(self.rows, self.columns, self.height, self.width)
        return rows.transpose(0, 2, 1, 3).reshape(self.shape)

    def corners(self) -> Int[np.ndarray, "n 2"]:
        """First row and column of every tile, in the order of `split`."""
        rows, columns = np.indices((self.rows, self.columns)).reshape(2, -1)
        return np.stack([rows * self.height, columns * self.width], axis=-1).astype(np.int32)


def size_bucket(height: int, width: int, *, max_tile: int = MAX_TILE) -> Tiles:
    """The bucket that a photo falls into: what programs are compiled for.

    Args:
      height: of the photo, px.
      width: of the photo, px.
      max_tile: largest side of a tile, px.

    Returns:
      Tiles that hold the photo: as few as `max_tile` allows, with sides that are multiples of 64 px.

    Examples:
      >>> import jaxblur
      >>> tiles = jaxblur.size_bucket(600, 800)
      >>> tiles.rows, tiles.columns, tiles.shape
      (2, 2, (640, 896))
    """

    def along(length: int) -> tuple[int, int]:
        count = -(-length // max_tile)
        step = min(_TILE_STEP, max_tile)
        return count, -(-length // (count * step)) * step

    (rows, tile_height), (columns, tile_width) = along(height), along(width)
    return Tiles(rows, columns, tile_height, tile_width)


def equal_tiles(height: int, width: int, *, side: int) -> Tiles:
    """As many square tiles of one size as a photo takes: what a program for one tile of any photo works through.

    Args:
      height: of the photo, px.
      width: of the photo, px.
      side: of every tile, px.
    """
    return Tiles(-(-height // side), -(-width // side), side, side)


def round_up(length: int) -> int:
    """The next of the lengths 64, 80, 96, 112, 128, 160, 192 and so on, four to every doubling, at most 25 % more."""
    step = _TILE_STEP // 4
    while 8 * step < length:
        step *= 2
    return max(-(-length // step), 4) * step


def pad_to_shape(array: Any, shape: tuple[int, ...]) -> Any:
    """Zeros below and to the right of a NumPy or JAX array, up to height and width of `shape`."""
    below, right = shape[0] - array.shape[0], shape[1] - array.shape[1]
    pad = jnp.pad if isinstance(array, jax.Array) else np.pad
    return pad(array, [(0, below), (0, right)] + [(0, 0)] * (array.ndim - 2))


def inside_mask(shape: tuple[int, ...], size: Size | None, *, first: Any = (0, 0)) -> Bool[Array, "h w"]:
    """Pixels of an array that belong to the photo.

    Args:
      shape: height and width of the array.
      size: height and width of the photo; None means that the array holds nothing else.
      first: row and column of the photo that the array begins with, for strips and tiles; may be negative, and traced.
    """
    height, width = (jnp.asarray(n, jnp.int32) for n in (shape[:2] if size is None else (size[0], size[1])))
    rows, columns = _places(shape, first)
    return (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)


def interior_mask(shape: tuple[int, ...], size: Size, *, first: Any = (0, 0)) -> Bool[Array, "h w"]:
    """Pixels of `inside_mask` that do not lie on the border of the photo; arguments as there."""
    height, width = jnp.asarray(size[0], jnp.int32), jnp.asarray(size[1], jnp.int32)
    rows, columns = _places(shape, first)
    return (rows > 0) & (rows < height - 1) & (columns > 0) & (columns < width - 1)


def _places(shape: tuple[int, ...], first: Any) -> tuple[Int[Array, "h w"], Int[Array, "h w"]]:
    rows, columns = (lax.broadcasted_iota(jnp.int32, shape[:2], axis) for axis in (0, 1))
    return rows + jnp.asarray(first[0], jnp.int32), columns + jnp.asarray(first[1], jnp.int32)


def check_size(size: Size | None, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless `size` is a (height, width) that fits into `shape`; traced sizes pass."""
    if size is None:
        return
    if len(size) != 2:
        raise ValueError(f"size must be (height, width), got {size}")
    for name, value, limit in zip(("height", "width"), (size[0], size[1]), shape[:2], strict=True):
        if is_concrete(value) and not 1 <= int(value) <= limit:
            raise ValueError(f"size: the {name} must be in 1..{limit}, got {int(value)}")


def repeat_border(plane: Shaped[Array, "h w"], size: Size) -> Shaped[Array, "h w"]:
    """The plane with the border pixels of the photo repeated over what lies beyond it."""
    rows, columns = (jnp.arange(length, dtype=jnp.int32) for length in plane.shape)
    return plane[jnp.minimum(rows, size[0] - 1)[:, None], jnp.minimum(columns, size[1] - 1)[None, :]]


def mirror(place: Int[Array, " n"], length: Any) -> Int[Array, " n"]:
    """Index of the pixel that is seen at `place`, near or far outside the `length` pixels that there are."""
    place = jnp.mod(place, 2 * length)
    return jnp.where(place < length, place, 2 * length - 1 - place)


def reflect_pad(image: Float[Array, "h w 3"], size: Size, *, margin: int) -> Float[Array, "h2 w2 3"]:
    """`margin` pixels more on each side, mirrored with the edge pixel repeated (OpenCV's BORDER_REFLECT).

    Args:
      image: photo in the top-left corner.
      size: its true height and width; what lies beyond is overwritten by its mirror image.
      margin: px.
    """

    def around(length: int) -> jax.Array:
        return jnp.arange(-margin, length + margin, dtype=jnp.int32)

    return image[mirror(around(image.shape[0]), size[0])][:, mirror(around(image.shape[1]), size[1])]
