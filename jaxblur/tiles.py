"""The networks over a whole photo, tile by tile: what bounds their memory, and lets photos share compiled programs."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from jaxblur.config import Config
from jaxblur.dense import PointProbabilities, classify_points, edge_points
from jaxblur.image import as_rgb
from jaxblur.reading import EdgeReading, read_levels
from jaxblur.weights import Weights

MAX_TILE = 512  # px; bounds the memory of the feature maps
_TILE_STEP = 64  # px; tiles of one program are multiples of it

Tiles = tuple[int, int, int, int]
"""Rows and columns of tiles, and the height and width of each, px: what programs are compiled for."""


def size_bucket(height: int, width: int, *, max_tile: int = MAX_TILE) -> Tiles:
    """Rows and columns of tiles, and tile height and width (px), that hold a photo; what programs are compiled for."""

    def along(length: int) -> tuple[int, int]:
        count = -(-length // max_tile)
        step = min(_TILE_STEP, max_tile)
        return count, -(-length // (count * step)) * step

    (rows, tile_height), (cols, tile_width) = along(height), along(width)
    return rows, cols, tile_height, tile_width


def reflect_pad(
    image: Float[Array, "h w 3"], size: Int[Array, " 2"], *, margin: int
) -> Float[Array, "h2 w2 3"]:
    """`margin` pixels more on each side, mirrored with the edge pixel repeated (OpenCV's BORDER_REFLECT).

    Args:
      image: photo in the top-left corner.
      size: its true height and width; what lies beyond is overwritten by its mirror image.
      margin: px.
    """

    def around(length: int) -> jax.Array:
        return jnp.arange(-margin, length + margin, dtype=jnp.int32)

    return image[mirror(around(image.shape[0]), size[0])][:, mirror(around(image.shape[1]), size[1])]


def mirror(place: Int[Array, " n"], length: Any) -> Int[Array, " n"]:
    """Index of the pixel that is seen at `place`, near or far outside the `length` pixels that there are."""
    place = jnp.mod(place, 2 * length)
    return jnp.where(place < length, place, 2 * length - 1 - place)


def _cut_tiles(
    weights: Weights, image: jax.Array, size: jax.Array, edges: jax.Array, tiles: Tiles
) -> tuple[jax.Array, jax.Array, jax.Array, int]:
    """The mirrored photo, edge maps and first pixels of all tiles, and the margin around each."""
    rows, cols, height, width = tiles
    margin = weights.network.margin
    padded = reflect_pad(image, size, margin=margin)
    masks = edges.reshape(rows, height, cols, width).transpose(0, 2, 1, 3).reshape(-1, height, width)
    corners = jnp.stack(
        jnp.meshgrid(jnp.arange(rows) * height, jnp.arange(cols) * width, indexing="ij"), axis=-1
    ).reshape(-1, 2)
    return padded, masks, corners.astype(jnp.int32), margin


def _tile_image(padded: jax.Array, corner: jax.Array, shape: tuple[int, int], margin: int) -> jax.Array:
    start = (corner[0], corner[1], jnp.zeros_like(corner[0]))
    return lax.dynamic_slice(padded, start, (shape[0] + 2 * margin, shape[1] + 2 * margin, 3))


def read_tile(
    weights: Weights, view: Float[Array, "h2 w2 3"], mask: Bool[Array, "h w"], *, config: Config
) -> EdgeReading:
    """The networks' reading at the edges `mask` of one tile; `view` has the network's margin around it."""
    points = edge_points(mask, capacity=mask.size)
    with jax.default_matmul_precision(config.precision):
        out = classify_points(weights.variables, weights.network, view, points)
    readings = read_levels(out.blur, weights.network.levels, readout=config.readout)

    def plane(values: jax.Array) -> jax.Array:
        values = jnp.where(points.valid, values, jnp.zeros_like(values))
        empty = jnp.zeros(mask.shape, values.dtype)
        return empty.at[points.points[:, 0], points.points[:, 1]].add(values)

    return EdgeReading(*map(plane, (*readings, out.depth[:, 1])))


def read_tiles(
    weights: Weights,
    image: jax.Array,
    size: jax.Array,
    edges: jax.Array,
    *,
    tiles: Tiles,
    config: Config,
) -> EdgeReading:
    """The networks' reading, tile by tile; a tile without edges costs nothing."""
    rows, cols, height, width = tiles
    padded, masks, corners, margin = _cut_tiles(weights, image, size, edges, tiles)

    def read(corner: jax.Array, mask: jax.Array) -> EdgeReading:
        return read_tile(weights, _tile_image(padded, corner, (height, width), margin), mask, config=config)

    def one_tile(inputs: tuple[jax.Array, jax.Array]) -> EdgeReading:
        corner, mask = inputs
        empty = jnp.zeros((height, width), image.dtype)
        return lax.cond(mask.any(), read, lambda corner, mask: EdgeReading(*[empty] * 4), corner, mask)

    def assemble(planes: jax.Array) -> jax.Array:
        return (
            planes.reshape(rows, cols, height, width)
            .transpose(0, 2, 1, 3)
            .reshape(rows * height, cols * width)
        )

    return jax.tree.map(assemble, lax.map(one_tile, (corners, masks)))


@functools.partial(jax.jit, static_argnames="tiles")
def tile_probabilities(
    weights: Weights, image: jax.Array, size: jax.Array, edges: jax.Array, *, tiles: Tiles
) -> tuple[Any, PointProbabilities]:
    """Edge points of all tiles, in pixels of the photo, and their probabilities; leading axis of tiles."""
    _, _, height, width = tiles
    padded, masks, corners, margin = _cut_tiles(weights, as_rgb(image), size, edges, tiles)

    def one_tile(inputs: tuple[jax.Array, jax.Array]) -> Any:
        corner, mask = inputs
        points = edge_points(mask, capacity=height * width)
        view = _tile_image(padded, corner, (height, width), margin)
        with jax.default_matmul_precision("float32"):
            out = classify_points(weights.variables, weights.network, view, points)
        return points._replace(points=points.points + corner[None]), out

    return lax.map(one_tile, (corners, masks))
