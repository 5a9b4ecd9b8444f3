"""The networks over a whole photo, tile by tile: what bounds their memory, and lets photos share compiled programs."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxblur.config import Config
from jaxblur.image.size import Tiles, reflect_pad
from jaxblur.image.values import as_rgb
from jaxblur.network.pointwise import PointProbabilities, classify_points, edge_points
from jaxblur.network.readout import EdgeReading, read_levels
from jaxblur.network.weights import Weights


def _cut_tiles(
    weights: Weights, image: jax.Array, size: jax.Array, edges: jax.Array, tiles: Tiles
) -> tuple[jax.Array, jax.Array, jax.Array, int]:
    """The mirrored photo, edge maps and first pixels of all tiles, and the margin around each."""
    rows, cols, height, width = tiles
    margin = weights.network.margin
    padded = reflect_pad(image, (size[0], size[1]), margin=margin)
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
