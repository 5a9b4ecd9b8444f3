"""The estimate of one photo: in one compiled program, or in tiles and strips on a CPU and where memory is short."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxblur.config import DEFAULT, Config, MultiScale
from jaxblur.files.levels import Levels
from jaxblur.image.pyramid import count_scales
from jaxblur.image.size import MAX_TILE, Tiles, inside_mask, size_bucket
from jaxblur.image.values import as_rgb
from jaxblur.inputs import ConfigLike, WeightsLike, as_bytes, as_config, as_weights, pad_to_bucket, prepare
from jaxblur.multiscale.in_program import InProgram, PaddedPhoto
from jaxblur.multiscale.in_strips import InStrips, tile_side
from jaxblur.multiscale.run import choose_propagation, run_stages
from jaxblur.network.pointwise import PointProbabilities
from jaxblur.network.tiles import tile_probabilities
from jaxblur.network.weights import Weights
from jaxblur.result import BlurEstimate
from jaxblur.runtime import memory, parallel


def estimate(
    image: Any,
    weights: WeightsLike = None,
    *,
    edges: Any = None,
    config: ConfigLike = DEFAULT,
    levels: Levels | None = None,
    max_memory: float | str | None = None,
    progress: Callable[[float], None] | None = None,
) -> BlurEstimate:
    """Estimate the defocus blur of every pixel of one photo.

    Args:
      image: (H, W, 3) RGB or (H, W) grey array, sRGB-encoded; uint8, uint16, or float in [0, 1]. Or the path of a file,
        or a Pillow image.
      weights: from `load_weights`, or the path of a file; None: the weights that ship with the package.
      edges: (H, W) bool, edge map to use instead of `detect_edges(image)`.
      config: settings, or the name of a preset; `jaxblur.PUBLISHED`, or "published", has the paper's exact ones.
      levels: values of the image that become black and white, or "auto" for those that it uses: for pictures that fill
        a small part of their range, such as 12 bits in 16. None: as they are.
      max_memory: bytes that the process may take, or a size such as "4GB"; None means half the memory of the machine.
        On a CPU a photo is worked through in tiles and strips. On an accelerator it is one compiled program, as long as
        the memory suffices.
      progress: called with the fraction of the work that is done, 0 to 1, where a photo is worked through in tiles.

    Returns:
      NumPy arrays, see `BlurEstimate`. What is compiled for one photo serves others: of all sizes in tiles, of the same
      size bucket and dtype in one program.

    Raises:
      TypeError, ValueError: the image or edge map has the wrong type, shape or range, or `max_memory` is not enough
        for a photo of this size.
      OSError: a file that was named cannot be read.

    References:
      Karaali, Harte, Jung, Deep Multi-Scale Feature Learning for Defocus Blur Estimation, IEEE TIP 2022.

    Examples:
      >>> import numpy as np, jaxblur
      >>> image = np.random.default_rng(0).random((64, 64, 3))  # or a path, or a Pillow image
      >>> result = jaxblur.estimate(image)
      >>> result.radius.shape, result.radius.dtype
      ((64, 64), dtype('float32'))
    """
    weights, config, limit = as_weights(weights), as_config(config), as_bytes(max_memory)
    photo, given = prepare(image, edges, levels)
    own_edges = None if edges is None else given
    if prefers_program() and fits_program(photo, weights, config, limit):
        tiles = size_bucket(*photo.shape[:2])
        program = compiled_program(config, tiles, edges is not None)
        return to_host(program(weights, *pad_to_bucket(photo, given, tiles)), photo.shape[:2])
    workers = plan_workers(photo, own_edges, weights, config, limit)
    stages = InStrips(weights, photo, config, progress=progress, workers=workers)
    return run_stages(stages, photo, own_edges, propagation=choose_propagation(config, weights))


def classify_edges(
    image: Any, weights: WeightsLike, edges: Any, *, tile: int = MAX_TILE
) -> tuple[Int[np.ndarray, "n 2"], PointProbabilities]:
    """The networks' probabilities at every edge point of a photo.

    Args:
      image: as for `estimate`.
      weights: as for `estimate`.
      edges: (H, W) bool.
      tile: largest side of the parts that are computed at once, px; the result does not depend on it.

    Returns:
      Points (row, col) in scan order, and their probabilities of blur levels and edge classes, NumPy arrays.

    Raises:
      TypeError, ValueError, OSError: as `estimate`.

    Examples:
      >>> import numpy as np, jaxblur
      >>> image = np.random.default_rng(0).random((64, 64, 3))
      >>> edges = np.asarray(jaxblur.detect_edges(image))
      >>> points, probabilities = jaxblur.classify_edges(image, jaxblur.load_weights(), edges)
      >>> len(points) == int(edges.sum()), probabilities.blur.shape[1], probabilities.depth.shape[1]
      (True, 23, 2)
    """
    photo, given = prepare(image, edges)
    tiles = size_bucket(photo.shape[0], photo.shape[1], max_tile=tile)
    padded, size, mask = pad_to_bucket(photo, given, tiles)
    grid, out = tile_probabilities(as_weights(weights), padded, size, mask, tiles=tiles)
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
      image: sRGB-encoded in [0, 1], in the top-left corner of a bucket.
      size: true (height, width), int32.
      edges: edge map of the bucket's size, or None to detect them.
      tiles: from `size_bucket`.
      config: settings.

    Returns:
      Arrays of the bucket's size, valid inside `size`.

    Raises:
      ValueError: `config` asks for multiscale fusion, and the weights have no parameters for it.

    Examples:
      >>> import jax, jax.numpy as jnp, jaxblur
      >>> weights, tiles = jaxblur.load_weights(), jaxblur.size_bucket(64, 64)
      >>> image, size = jax.random.uniform(jax.random.key(0), (64, 64, 3)), jnp.asarray([64, 64])
      >>> program = jax.jit(jaxblur.estimate_padded, static_argnames=("tiles", "config"))
      >>> program(weights, image, size, None, tiles=tiles).radius.shape
      (64, 64)
    """
    stages = InProgram(weights, size, config)
    given = None if edges is None else edges & inside_mask(image.shape, size)
    photo = PaddedPhoto(image, size, tiles)
    return run_stages(stages, photo, given, propagation=choose_propagation(config, weights))


def prefers_program() -> bool:
    """Whether the device likes one program for the whole photo best.

    On a CPU such a program takes a minute to compile, for every bucket anew, and leaves cores idle.
    """
    return jax.default_backend() != "cpu"


def fits_program(
    photo: Shaped[np.ndarray, "h w 3"], weights: Weights, config: Config, max_memory: float
) -> bool:
    """Whether one program for a photo takes at most `max_memory` bytes."""
    multiscale = isinstance(choose_propagation(config, weights), MultiScale)
    return memory.program_need(*photo.shape[:2], multiscale=multiscale) <= max_memory


def plan_workers(
    photo: Shaped[np.ndarray, "h w 3"],
    edges: Bool[np.ndarray, "h w"] | None,
    weights: Weights,
    config: Config,
    max_memory: float,
) -> int:
    """How many tiles of a photo are read side by side: one on every core of a CPU, as far as the memory allows.

    Raises:
      ValueError: the photo takes more than `max_memory` bytes even with one.
    """
    height, width = photo.shape[:2]
    multiscale = isinstance(choose_propagation(config, weights), MultiScale)
    scales = range(count_scales(height, width) if multiscale else 1)
    # Halving a photo leaves as many edge points at most as there are.
    fractions = [
        memory.DETECTED_EDGES if edges is None else min(4**s * float(edges.mean()), 1.0) for s in scales
    ]

    def need(workers: int) -> float:
        return memory.strips_need(
            height,
            width,
            photo_bytes=photo.nbytes / (height * width),
            edge_fractions=fractions,
            multiscale=multiscale,
            tile=tile_side(),
            workers=workers,
        )

    most = parallel.count_cores() if jax.default_backend() == "cpu" else 1
    for workers in range(most, 0, -1):
        if need(workers) <= max_memory:
            return workers
    least, limit = memory.format_size(need(1)), memory.format_size(max_memory)
    raise ValueError(f"max_memory must be at least {least} for a photo of {width}x{height} px, got {limit}")


@functools.lru_cache(maxsize=64)
def compiled_program(config: Config, tiles: Tiles, with_edges: bool) -> Any:
    """`padded_program`, compiled on its first call and kept."""
    return jax.jit(padded_program(config, tiles, with_edges))


def padded_program(config: Config, tiles: Tiles, with_edges: bool) -> Any:
    """`estimate_padded` of a photo of any type that `estimate` takes, as (weights, *pad_to_bucket(...)) -> estimate."""

    def program(weights: Weights, image: jax.Array, size: jax.Array, edges: jax.Array) -> BlurEstimate:
        image = as_rgb(image)
        return estimate_padded(
            weights, image, size, edges if with_edges else None, tiles=tiles, config=config
        )

    return program


def to_host(result: BlurEstimate, shape: tuple[int, ...]) -> BlurEstimate:
    """NumPy arrays of the photo's own height and width."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[: shape[0], : shape[1]].copy(), result)
