"""Photo -> edges -> features -> blur and depth edges -> propagation -> map, as one compiled program per size bucket."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur.config import DEFAULT, Config
from jaxblur.edges.canny import detect_edges
from jaxblur.image.pyramid import count_scales, count_scales_traced
from jaxblur.image.size import MAX_TILE, Tiles, size_bucket
from jaxblur.image.values import as_rgb, to_float
from jaxblur.multiscale.fuse import gather, spread
from jaxblur.multiscale.large import estimate_large
from jaxblur.multiscale.read import read_scales
from jaxblur.network.pointwise import PointProbabilities
from jaxblur.network.readout import weigh
from jaxblur.network.tiles import read_tiles, tile_probabilities
from jaxblur.network.weights import Weights
from jaxblur.propagation.domain_transform import guide_steps, smooth_guide
from jaxblur.propagation.single_scale import propagate
from jaxblur.result import BlurEstimate
from jaxblur.runtime import memory


def estimate(
    image: Any,
    weights: Weights,
    *,
    edges: Any = None,
    config: Config = DEFAULT,
    max_memory: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> BlurEstimate:
    """Estimate the defocus blur of every pixel of one photo.

    Args:
      image: (H, W, 3) RGB or (H, W) grey, sRGB-coded; uint8, uint16, or float in [0, 1].
      weights: see `load_weights`.
      edges: (H, W) bool, edge map to use instead of `detect_edges(image)`.
      config: settings; `jaxblur.PUBLISHED` has the paper's exact ones.
      max_memory: bytes that the process may take; None means half the memory of the machine. A photo that needs more
        in one compiled program is worked through in tiles and strips: the same result in less room.
      progress: called with the share of the work that is done, 0 to 1, but only for such a large photo.

    Returns:
      NumPy arrays, see `BlurEstimate`. Photos of one dtype whose sides fall into the same size bucket share one
      compiled program.

    Raises:
      TypeError, ValueError: the image or edge map has the wrong type, shape or range, or `max_memory` is not enough
        for a photo of this size.

    References:
      Karaali, Harte, Jung, Deep Multi-Scale Feature Learning for Defocus Blur Estimation, IEEE TIP 2022.
    """
    photo, given = prepare(image, edges)
    if is_large(photo, weights, config, max_memory):
        given_edges = None if edges is None else given
        tile = largest_tile(photo, given_edges, weights, config, max_memory)
        return BlurEstimate(
            *estimate_large(
                photo, weights, edges=given_edges, config=config, progress=progress, max_tile=tile
            )
        )
    tiles = size_bucket(*photo.shape[:2])
    program = _compiled(config, tiles, edges is not None)
    result = program(weights, *pad_to_bucket(photo, given, tiles))
    return to_host(result, photo.shape[:2])


def classify_edges(
    image: Any, weights: Weights, edges: Any, *, tile: int = MAX_TILE
) -> tuple[Int[np.ndarray, "n 2"], PointProbabilities]:
    """The networks' probabilities at every edge point of a photo.

    Args:
      image: as for `estimate`.
      weights: see `load_weights`.
      edges: (H, W) bool.
      tile: largest side of the parts that are computed at once, px; the result does not depend on it.

    Returns:
      Points (row, col) in scan order, and their probabilities of blur levels and edge classes, NumPy arrays.

    Raises:
      TypeError, ValueError: as `estimate`.
    """
    photo, given = prepare(image, edges)
    tiles = size_bucket(photo.shape[0], photo.shape[1], max_tile=tile)
    padded, size, mask = pad_to_bucket(photo, given, tiles)
    grid, out = tile_probabilities(weights, padded, size, mask, tiles=tiles)
    taken = np.asarray(grid.valid).reshape(-1)
    points = np.asarray(grid.points).reshape(-1, 2)[taken]
    order = np.lexsort((points[:, 1], points[:, 0]))
    return points[order], jax.tree.map(
        lambda leaf: np.asarray(leaf).reshape(-1, leaf.shape[-1])[taken][order], out
    )


def estimate_padded(
    weights: Weights,
    image: Float[Array, "h w 3"],
    size: Int[Array, " 2"],
    edges: Bool[Array, "h w"] | None,
    *,
    tiles: Tiles,
    config: Config = DEFAULT,
) -> BlurEstimate:
    """The whole estimate as one pure function of static shapes; what `estimate` compiles and `estimate_batch` maps.

    Differentiable from `image` and `weights` to `radius` and `confidence`, for a fixed edge map.

    Args:
      weights: see `load_weights`.
      image: sRGB-coded in [0, 1], in the top-left corner of a bucket.
      size: true (height, width), int32.
      edges: edge map of the bucket's size, or None to detect them.
      tiles: from `size_bucket`.
      config: settings.

    Returns:
      Arrays of the bucket's size, valid inside `size`.
    """
    given = edges is not None
    if edges is None:
        edges = detect_edges(image, config=config.edges, size=(size[0], size[1]))
    else:
        inside = (jnp.arange(image.shape[0])[:, None] < size[0]) & (
            jnp.arange(image.shape[1])[None, :] < size[1]
        )
        edges = edges & inside
    if config.pyramid and weights.network.pyramid:
        return _estimate_at_all_scales(weights, image, size, edges, given=given, tiles=tiles, config=config)
    reading = read_tiles(weights, image, size, edges, tiles=tiles, config=config)
    depth_edges, weight, depth = weigh(reading, edges, config)
    radius, confidence = propagate(
        reading.radius,
        weight,
        depth,
        image,
        reliability=reading.reliability,
        config=config.propagation,
        size=(size[0], size[1]),
    )
    sparse = jnp.where(edges & ~depth_edges, reading.radius, jnp.nan)
    return BlurEstimate(radius, confidence, edges, depth_edges, sparse)


def _estimate_at_all_scales(
    weights: Weights,
    image: jax.Array,
    size: jax.Array,
    edges: jax.Array,
    *,
    given: bool,
    tiles: Tiles,
    config: Config,
) -> BlurEstimate:
    """`estimate_padded` with the third stage."""
    parameters = weights.variables["params"]["spread"]
    readings = read_scales(weights, image, size, edges, given=given, tiles=tiles, config=config)
    scales = count_scales_traced(size)
    inner = (size[0], size[1])
    evidence = gather(parameters, readings, weights.network, shape=image.shape[:2], scales=scales, size=inner)
    steps = guide_steps(smooth_guide(image, inner, config=config.propagation))
    radius, confidence = spread(parameters, evidence, steps, method=config.propagation.method, size=inner)
    finest = readings[0][0]
    depth_edges = edges & (finest.depth > 0.5)
    sparse = jnp.where(edges & ~depth_edges, finest.radius, jnp.nan)
    return BlurEstimate(radius, confidence, edges, depth_edges, sparse)


def is_large(photo: np.ndarray, weights: Weights, config: Config, max_memory: float | None) -> bool:
    """Whether a photo takes more memory in one program than `max_memory` (bytes; None: half of the machine's)."""
    height, width = photo.shape[:2]
    pyramid = config.pyramid and weights.network.pyramid
    return memory.program_need(height, width, pyramid=pyramid) > memory.limit(max_memory)


def largest_tile(
    photo: np.ndarray, edges: np.ndarray | None, weights: Weights, config: Config, max_memory: float | None
) -> int:
    """Side of the tiles, px, with which a large photo is done in the given memory.

    Raises:
      ValueError: it takes more with any.
    """
    height, width = photo.shape[:2]
    pyramid, limit = config.pyramid and weights.network.pyramid, memory.limit(max_memory)
    scales = range(count_scales(height, width) if pyramid else 1)
    # Halving a photo leaves as many edge points at most as there are.
    shares = [
        memory.DETECTED_EDGES if edges is None else min(4**s * float(edges.mean()), 1.0) for s in scales
    ]
    needs = {
        tile: memory.strips_need(
            height,
            width,
            photo_bytes=photo.nbytes / (height * width),
            edge_shares=shares,
            pyramid=pyramid,
            max_tile=tile,
        )
        for tile in memory.TILES
    }
    for tile, need in needs.items():
        if need <= limit:
            return tile
    least, limit_text = memory.format_size(min(needs.values())), memory.format_size(limit)
    raise ValueError(
        f"max_memory must be at least {least} for a photo of {width}x{height} px, got {limit_text}"
    )


@functools.lru_cache(maxsize=64)
def _compiled(config: Config, tiles: Tiles, with_edges: bool) -> Any:
    return jax.jit(padded_program(config, tiles, with_edges))


def padded_program(config: Config, tiles: Tiles, with_edges: bool) -> Any:
    """`estimate_padded` of a photo of any type that `estimate` takes, as (weights, *pad_to_bucket(...)) -> estimate."""

    def program(weights: Weights, image: jax.Array, size: jax.Array, edges: jax.Array) -> BlurEstimate:
        image = as_rgb(image)
        return estimate_padded(
            weights, image, size, edges if with_edges else None, tiles=tiles, config=config
        )

    return program


def prepare(image: Any, edges: Any) -> tuple[Shaped[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Checked photo (uint8 and uint16 as they are, else float32) and edge map (empty if None) on the host."""
    photo = np.asarray(image)
    if photo.dtype in (np.uint8, np.uint16):  # converted in the program: a quarter of the memory on the host
        jax.eval_shape(to_float, photo)  # checks the shape
    else:
        photo = np.asarray(to_float(image), np.float32)
    photo = np.broadcast_to(photo.reshape(*photo.shape[:2], -1), (*photo.shape[:2], 3))
    if edges is None:
        return photo, np.zeros(photo.shape[:2], bool)
    given = np.asarray(edges)
    if given.dtype != bool:
        raise TypeError(f"edges must be bool, got {given.dtype}")
    if given.shape != photo.shape[:2]:
        raise ValueError(f"edges must have the photo's height and width {photo.shape[:2]}, got {given.shape}")
    return photo, given


def pad_to_bucket(
    photo: np.ndarray, edges: np.ndarray, tiles: Tiles
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photo, size and edges as the program of `tiles` takes them."""
    rows, cols, tile_height, tile_width = tiles
    below, right = rows * tile_height - photo.shape[0], cols * tile_width - photo.shape[1]
    return (
        np.pad(photo, ((0, below), (0, right), (0, 0))),
        np.asarray(photo.shape[:2], np.int32),
        np.pad(edges, ((0, below), (0, right))),
    )


def to_host(result: BlurEstimate, shape: tuple[int, ...]) -> BlurEstimate:
    """NumPy arrays of the photo's own height and width."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[: shape[0], : shape[1]].copy(), result)
