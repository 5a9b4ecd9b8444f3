"""The dense form of B-Net and E-Net: everything linear in the image once per image, the rest once per edge point.

Point p of the 7x7 grid of a column with stride s lies at p + s * i (i = 0..6) of that column's stride-1 map. The first
convolution of b-NET reads grid points i..i+2, so applied to the map with dilation s it gives, at p + s * j (j = 0..4),
what the patch-wise form computes at grid point j. It is linear: columns of different strides are convolved apart and
added where they are read. Equal to the patch-wise form but for the order of additions
(`tests/jaxblur/network/test_pointwise.py`).

Where the network has a stem with a stride, the maps have one place for each cell of its pixels, whose points read the
same: p stands for the cell then.
"""

import functools
import operator
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from jaxblur.network.config import NetworkConfig, parse_layer
from jaxblur.network.defocus_net import DefocusNet, apply, level_probabilities


def read_side(network: NetworkConfig) -> int:
    """Side of the grid of projections that a point reads."""
    return parse_layer(network.trunk[0]).side(network.grid)


class EdgePoints(NamedTuple):
    """A fixed number of places for edge points, in scan order; `valid` says which are taken.

    Places that are not taken repeat point (0, 0).
    """

    points: Int[Array, "k 2"]  # (row, col)
    valid: Bool[Array, " k"]


class PointProbabilities(NamedTuple):
    """What the networks say of each edge point; zero at places not taken.

    Examples:
      >>> import numpy as np, jaxblur
      >>> probabilities = jaxblur.PointProbabilities(blur=np.full((5, 23), 1 / 23), depth=np.full((5, 2), 0.5))
      >>> levels = np.asarray(jaxblur.NetworkConfig().levels)
      >>> (probabilities.blur @ levels).round(2).tolist()  # expected radius of five points, px
      [3.25, 3.25, 3.25, 3.25, 3.25]
    """

    blur: Float[Array, "k levels"]  # Classification Network I
    depth: Float[Array, "k 2"]  # Classification Network II: pattern edge, depth edge


def edge_points(edges: Bool[Array, "h w"], *, capacity: int) -> EdgePoints:
    """The first `capacity` True pixels in scan order."""
    rows, cols = jnp.nonzero(edges, size=capacity, fill_value=0)
    count = edges.sum(dtype=jnp.int32)
    points = jnp.stack([rows, cols], axis=-1).astype(jnp.int32)
    return EdgePoints(points, jnp.arange(capacity, dtype=jnp.int32) < count)


def read_projections(
    projections: Mapping[int, Float[Array, "_ _ width"]], points: Int[Array, "k 2"], network: NetworkConfig
) -> Float[Array, "k side side width"]:
    """What the first convolution of b-NET or e-NET gives on the patch of each point, before its ReLU."""
    steps = jnp.arange(read_side(network), dtype=points.dtype)
    points = points // network.step

    def read(stride: int, projection: jax.Array) -> jax.Array:
        rows = points[:, 0, None, None] + stride * steps[None, :, None]
        cols = points[:, 1, None, None] + stride * steps[None, None, :]
        return projection.at[rows, cols].get(mode="promise_in_bounds")

    return functools.reduce(
        operator.add, [read(stride, projection) for stride, projection in projections.items()]
    )


def image_maps(
    variables: Any, network: NetworkConfig, padded: Float[Array, "h w 3"]
) -> dict[str, dict[int, jax.Array]]:
    """Projections of B-Net ("b") and E-Net ("e") of one image with `network.margin` pixels of context on each side.

    Raises:
      ValueError: the image without its context is not of whole cells of `network.step` px.
    """
    height, width = (length - 2 * network.margin for length in padded.shape[:2])
    if height % network.step or width % network.step:
        raise ValueError(
            f"image must be a multiple of {network.step} px high and wide, got {height} x {width}"
        )
    stem = apply(variables, network, DefocusNet.stem_map, padded[None])
    f1 = apply(variables, network, DefocusNet.f1_maps, stem)
    maps = {
        "b": apply(variables, network, DefocusNet.blur_maps, f1),
        "e": apply(variables, network, DefocusNet.depth_maps, stem, f1),
    }
    return jax.tree.map(lambda x: x[0], maps)


def classify_points(
    variables: Any,
    network: NetworkConfig,
    padded: Float[Array, "h w 3"],
    points: EdgePoints,
    *,
    chunk: int = 512,
) -> PointProbabilities:
    """Probabilities of blur levels and edge classes at edge points of one image, by the dense form.

    Args:
      variables: Flax variables of `DefocusNet`.
      network: their architecture.
      padded: sRGB-encoded image in [0, 1] with `network.margin` pixels of context on each side.
      points: edge points, in pixels of the image without that context.
      chunk: points per matrix product; chunks without a valid point cost nothing.
    """
    return classify_maps(variables, network, image_maps(variables, network, padded), points, chunk=chunk)


def classify_maps(
    variables: Any,
    network: NetworkConfig,
    maps: dict[str, dict[int, jax.Array]],
    points: EdgePoints,
    *,
    chunk: int = 512,
) -> PointProbabilities:
    """The part of `classify_points` that is computed per edge point, from the maps of `image_maps`."""
    capacity = points.valid.shape[0]
    chunks = -(-capacity // chunk)
    fill = chunks * chunk - capacity
    rc = jnp.pad(points.points, ((0, fill), (0, 0))).reshape(chunks, chunk, 2)
    valid = jnp.pad(points.valid, (0, fill)).reshape(chunks, chunk)

    def heads(rc: jax.Array) -> PointProbabilities:
        blur = apply(variables, network, DefocusNet.blur_logits, read_projections(maps["b"], rc, network))
        depth = apply(variables, network, DefocusNet.depth_logits, read_projections(maps["e"], rc, network))
        return PointProbabilities(level_probabilities(blur, network), jax.nn.softmax(depth))

    def nothing(rc: jax.Array) -> PointProbabilities:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(heads, rc))

    def one_chunk(inputs: tuple[jax.Array, jax.Array]) -> PointProbabilities:
        rc, valid = inputs
        out = lax.cond(valid.any(), heads, nothing, rc)
        return jax.tree.map(lambda leaf: jnp.where(valid[:, None], leaf, jnp.zeros_like(leaf)), out)

    out = lax.map(one_chunk, (rc, valid))
    return jax.tree.map(lambda leaf: leaf.reshape(chunks * chunk, -1)[:capacity], out)


def classify_points_patchwise(
    variables: Any,
    network: NetworkConfig,
    padded: Float[Array, "h w 3"],
    points: Int[Array, "k 2"],
    *,
    chunk: int = 64,
) -> PointProbabilities:
    """The same by the paper's definition: a patch cut out around each point. The oracle of `classify_points`."""
    side = network.patch_size
    count = points.shape[0]
    chunks = -(-count // chunk)
    padded_points = jnp.pad(points, ((0, chunks * chunk - count), (0, 0))).reshape(chunks, chunk, 2)

    def patch(point: jax.Array) -> jax.Array:
        point = point // network.step * network.step
        return lax.dynamic_slice(padded, (point[0], point[1], jnp.zeros_like(point[0])), (side, side, 3))

    def one_chunk(rc: jax.Array) -> PointProbabilities:
        blur, depth = apply(variables, network, DefocusNet.classify_patches, jax.vmap(patch)(rc))
        return PointProbabilities(level_probabilities(blur, network), jax.nn.softmax(depth))

    out = lax.map(one_chunk, padded_points)
    return jax.tree.map(lambda leaf: leaf.reshape(chunks * chunk, -1)[:count], out)
