"""The networks over a whole photo, tile by tile: what bounds their memory, and lets photos share compiled programs."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Shaped

from jaxblur.config import Precision, Readout
from jaxblur.image.size import Size, Tiles, reflect_pad
from jaxblur.image.values import as_rgb
from jaxblur.network.pointwise import EdgePoints, PointProbabilities, classify_points, edge_points
from jaxblur.network.readout import EdgeReading, read_levels
from jaxblur.network.weights import Weights


def read_tile(
    weights: Weights,
    view: Float[Array, "h2 w2 3"],
    mask: Bool[Array, "h w"],
    *,
    readout: Readout,
    precision: Precision,
) -> EdgeReading:
    """The networks' reading at the edges of one tile, as planes.

    Args:
      weights: networks.
      view: the tile, sRGB-encoded in [0, 1], with the network's margin around it.
      mask: edges of the tile.
      readout: see `read_levels`.
      precision: see `jaxblur.Config`.
    """
    points = edge_points(mask, capacity=mask.size)
    with jax.default_matmul_precision(precision):
        out = classify_points(weights.variables, weights.network, view, points)
    readings = read_levels(out.blur, weights.network.levels, readout=readout)

    def plane(values: Float[Array, " k"]) -> Float[Array, "h w"]:
        values = jnp.where(points.valid, values, jnp.zeros_like(values))
        empty = jnp.zeros(mask.shape, values.dtype)
        return empty.at[points.points[:, 0], points.points[:, 1]].add(values)

    return EdgeReading(*map(plane, (*readings, out.depth[:, 1])))


def read_tiles(
    weights: Weights,
    image: Float[Array, "h w 3"],
    size: Size,
    edges: Bool[Array, "h w"],
    *,
    tiles: Tiles,
    readout: Readout,
    precision: Precision,
) -> EdgeReading:
    """The networks' reading of a photo in a bucket, as planes; a tile without edges costs nothing.

    Args:
      weights: networks.
      image: sRGB-encoded in [0, 1], of the bucket's shape.
      size: true height and width.
      edges: where the networks are asked; none outside `size`.
      tiles: the bucket.
      readout: see `read_levels`.
      precision: see `jaxblur.Config`.
    """
    margin = weights.network.margin
    padded = reflect_pad(image, size, margin=margin)

    def read(corner: jax.Array, mask: jax.Array) -> EdgeReading:
        return read_tile(
            weights, _view(padded, corner, tiles, margin), mask, readout=readout, precision=precision
        )

    def one_tile(inputs: tuple[jax.Array, jax.Array]) -> EdgeReading:
        corner, mask = inputs
        empty = jnp.zeros(mask.shape, image.dtype)
        return lax.cond(mask.any(), read, lambda corner, mask: EdgeReading(*[empty] * 4), corner, mask)

    return jax.tree.map(tiles.join, lax.map(one_tile, (jnp.asarray(tiles.corners()), tiles.split(edges))))


@functools.partial(jax.jit, static_argnames="tiles")
def tile_probabilities(
    weights: Weights,
    image: Shaped[Array, "h w 3"],
    size: Size,
    edges: Bool[Array, "h w"],
    *,
    tiles: Tiles,
) -> tuple[EdgePoints, PointProbabilities]:
    """Edge points of all tiles, in pixels of the photo, and their probabilities; leading axis of tiles.

    Args:
      weights: networks.
      image: uint8, uint16, or float in [0, 1], of the bucket's shape.
      size: true height and width.
      edges: where the networks are asked.
      tiles: the bucket.
    """
    margin = weights.network.margin
    padded = reflect_pad(as_rgb(image), size, margin=margin)

    def one_tile(inputs: tuple[jax.Array, jax.Array]) -> tuple[EdgePoints, PointProbabilities]:
        corner, mask = inputs
        points = edge_points(mask, capacity=mask.size)
        view = _view(padded, corner, tiles, margin)
        with jax.default_matmul_precision("float32"):
            out = classify_points(weights.variables, weights.network, view, points)
        return points._replace(points=points.points + corner[None]), out

    return lax.map(one_tile, (jnp.asarray(tiles.corners()), tiles.split(edges)))


def _view(
    padded: Float[Array, "h w 3"], corner: Shaped[Array, " 2"], tiles: Tiles, margin: int
) -> Float[Array, "h2 w2 3"]:
    """The tile at `corner` with its margin."""
    start = (corner[0], corner[1], jnp.zeros_like(corner[0]))
    return lax.dynamic_slice(padded, start, (tiles.height + 2 * margin, tiles.width + 2 * margin, 3))
