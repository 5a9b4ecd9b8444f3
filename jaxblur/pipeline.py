"""Photo -> edges -> features -> blur and depth edges -> propagation -> map, as one compiled program per size bucket."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur import memory, parallel
from jaxblur._checks import check_not_empty, check_rank
from jaxblur.config import DEFAULT, Config
from jaxblur.dense import PointProbabilities
from jaxblur.edges import detect_edges
from jaxblur.image import as_rgb, to_float
from jaxblur.large import estimate_large
from jaxblur.propagation import propagate
from jaxblur.tiles import MAX_TILE, Tiles, read_tiles, size_bucket, tile_probabilities, weigh
from jaxblur.weights import Weights


class BlurEstimate(NamedTuple):
    """What `estimate` returns; NumPy arrays of the photo's height and width.

    Attributes:
      radius: (H, W) float32, disk radius in px of the photo passed in; never NaN.
      confidence: (H, W) float32 in [0, 1]; 0 where nothing supports the value.
      edges: (H, W) bool, where the networks were asked.
      depth_edges: (H, W) bool, edges that E-Net calls occlusion boundaries; no blur is read there.
      sparse_radius: (H, W) float32, what B-Net reads at the other (pattern) edges, px; NaN elsewhere.
    """

    radius: Any
    confidence: Any
    edges: Any
    depth_edges: Any
    sparse_radius: Any


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
    photo, given = _prepare(image, edges)
    height, width = photo.shape[:2]
    limit = memory.machine_memory() / 2 if max_memory is None else max_memory
    if memory.program_need(height, width) > limit:
        given_edges = None if edges is None else given
        tile = largest_tile(photo, given_edges, limit)
        return BlurEstimate(
            *estimate_large(
                photo, weights, edges=given_edges, config=config, progress=progress, max_tile=tile
            )
        )
    tiles = size_bucket(height, width)
    program = _compiled(config, tiles, edges is not None)
    result = program(weights, *_pad_to_bucket(photo, given, tiles))
    return _to_host(result, photo.shape[:2])


def estimate_batch(
    images: Sequence[Any], weights: Weights, *, edges: Sequence[Any] | None = None, config: Config = DEFAULT
) -> list[BlurEstimate]:
    """`estimate` for many photos, spread over the local devices; sizes may differ.

    Photos of the same size bucket and dtype run side by side, one per device.

    Args:
      images: photos as for `estimate`.
      weights: see `load_weights`.
      edges: edge maps of all photos, or None.
      config: settings.

    Returns:
      One `BlurEstimate` per photo, in order; equal to those of `estimate`.

    Raises:
      TypeError, ValueError: as `estimate`; or the number of edge maps differs from that of the photos.
    """
    if edges is not None and len(edges) != len(images):
        raise ValueError(f"edges must be as many as images ({len(images)}), got {len(edges)}")
    # This host's devices only: each host brings its own photos.
    local = jax.local_devices()
    devices = len(local)
    buckets: dict[tuple[Tiles, np.dtype], list[int]] = {}
    for index, image in enumerate(images):
        check_rank("image", image, (2, 3), "(H, W, 3) or (H, W)")
        check_not_empty("image", image)
        height, width = np.shape(image)[:2]
        buckets.setdefault((size_bucket(height, width), np.asarray(image).dtype), []).append(index)

    results: dict[int, BlurEstimate] = {}
    replicated = parallel.replicate(weights, devices=local)
    for (tiles, _), members in buckets.items():
        program = _mapped(config, tiles, edges is not None)
        for start in range(0, len(members), devices):
            group = members[start : start + devices]
            prepared = [_prepare(images[i], None if edges is None else edges[i]) for i in group]
            rows = [_pad_to_bucket(photo, given, tiles) for photo, given in prepared]
            rows += rows[-1:] * (devices - len(rows))
            batch = [np.stack(leaves) for leaves in zip(*rows, strict=True)]
            out = jax.tree.map(np.asarray, program(replicated, *batch))
            for place, (index, (photo, _)) in enumerate(zip(group, prepared, strict=True)):
                own = jax.tree.map(lambda leaf, place=place: leaf[place], out)
                results[index] = _to_host(own, photo.shape[:2])
    return [results[i] for i in range(len(images))]


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
    photo, given = _prepare(image, edges)
    tiles = size_bucket(photo.shape[0], photo.shape[1], max_tile=tile)
    padded, size, mask = _pad_to_bucket(photo, given, tiles)
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
    if edges is None:
        edges = detect_edges(image, config=config.edges, size=(size[0], size[1]))
    else:
        inside = (jnp.arange(image.shape[0])[:, None] < size[0]) & (
            jnp.arange(image.shape[1])[None, :] < size[1]
        )
        edges = edges & inside
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


def largest_tile(photo: np.ndarray, edges: np.ndarray | None, limit: float) -> int:
    """Side of the tiles, px, with which a large photo is done in the given memory."""
    height, width = photo.shape[:2]
    needs = {
        tile: memory.strips_need(
            height,
            width,
            photo_bytes=photo.nbytes / (height * width),
            edge_share=memory.DETECTED_EDGES if edges is None else float(edges.mean()),
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
    return jax.jit(_program(config, tiles, with_edges))


@functools.lru_cache(maxsize=64)
def _mapped(config: Config, tiles: Tiles, with_edges: bool) -> Any:
    return parallel.map_devices(_program(config, tiles, with_edges), devices=jax.local_devices())


def _program(config: Config, tiles: Tiles, with_edges: bool) -> Any:
    def program(weights: Weights, image: jax.Array, size: jax.Array, edges: jax.Array) -> BlurEstimate:
        image = as_rgb(image)
        return estimate_padded(
            weights, image, size, edges if with_edges else None, tiles=tiles, config=config
        )

    return program


def _prepare(image: Any, edges: Any) -> tuple[Shaped[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
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


def _pad_to_bucket(
    photo: np.ndarray, edges: np.ndarray, tiles: Tiles
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, cols, tile_height, tile_width = tiles
    below, right = rows * tile_height - photo.shape[0], cols * tile_width - photo.shape[1]
    return (
        np.pad(photo, ((0, below), (0, right), (0, 0))),
        np.asarray(photo.shape[:2], np.int32),
        np.pad(edges, ((0, below), (0, right))),
    )


def _to_host(result: BlurEstimate, shape: tuple[int, ...]) -> BlurEstimate:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[: shape[0], : shape[1]].copy(), result)
