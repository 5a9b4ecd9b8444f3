"""What the work needs at least: arithmetic of the networks, counted from the layers, and bytes that the filter moves.

Arithmetic is 2 operations per multiply-add of a convolution or matrix product, nothing else. Divided by the rates that
`measure` finds in the same run, these are the floors that the benchmarks show next to their times.
"""

from typing import Any

import numpy as np

from jaxblur.config import Config
from jaxblur.edges.canny_strips import detect_edges_in_strips
from jaxblur.image.pyramid import count_scales, halve_edges
from jaxblur.image.size import MAX_TILE, size_bucket
from jaxblur.image.strips import Strips
from jaxblur.multiscale.large import STRIP_PIXELS
from jaxblur.network.config import GRID, ColumnConfig, NetworkConfig
from jaxblur.network.tiles_strips import halve_in_strips
from jaxblur.network.weights import Weights


def filter_bytes(height: int, width: int, *, channels: int, iterations: int) -> int:
    """That the domain transform of float32 moves: each pass reads signals and weights once and writes the signals."""
    passes = 4 * iterations  # down and up, right and left
    return passes * (2 * channels + 1) * 4 * height * width


def column_operations(
    column: ColumnConfig, width: int, height: int, breadth: int, *, stride_one: bool
) -> list[int]:
    """Operations of the layers of one column of f1-NET or f2-NET on an input of height x breadth."""
    counts, channels, dilation = [], 3, 1
    for layer in column.layers:
        if layer == "pool3":
            dilation *= 3 if stride_one else 1
            height, breadth = (height - 2, breadth - 2) if stride_one else (height // 3, breadth // 3)
        else:
            size = int(layer[-1])
            height, breadth = height - (size - 1) * dilation, breadth - (size - 1) * dilation
            counts.append(2 * size * size * channels * width * height * breadth)
            channels = width
    return counts


def dense_column(network: NetworkConfig, column: ColumnConfig, height: int, width: int) -> list[int]:
    """Operations of the layers of a column in the dense form, for edge points anywhere in an image of this size."""
    extent = column.size - 1
    return column_operations(column, network.width, height + extent, width + extent, stride_one=True)


def projection(network: NetworkConfig, column: ColumnConfig, height: int, width: int) -> int:
    """Operations of the first convolution of b-NET or e-NET, in the dense form, on the maps of one column."""
    reach = (GRID - 3) * column.stride
    return 2 * 9 * network.width**2 * (height + reach) * (width + reach)


def head_operations(network: NetworkConfig, outputs: int) -> int:
    """Operations per edge point behind the first convolution of b-NET or e-NET, which they do not count."""
    total, side = 0, GRID - 2
    for layer in network.trunk[1:]:
        size = int(layer[-1])
        side -= size - 1
        total += 2 * size * size * network.width**2 * side * side
    widths = (network.width, *network.hidden, outputs)
    return total + sum(2 * a * b for a, b in zip(widths, widths[1:], strict=False))


def operations(network: NetworkConfig, height: int, width: int) -> tuple[int, int, int]:
    """Operations of the dense maps of an image, of the heads per point, and of the patch-wise form per point."""
    columns = (*network.columns, network.depth_column)
    grids = (*network.columns, *columns)  # b-NET reads those of f1-NET, e-NET all
    maps = sum(sum(dense_column(network, column, height, width)) for column in columns)
    maps += sum(projection(network, column, height, width) for column in grids)
    heads = head_operations(network, len(network.levels)) + head_operations(network, 2)
    patch = heads + len(grids) * 2 * 9 * network.width**2 * (GRID - 2) ** 2
    for column in columns:
        patch += sum(column_operations(column, network.width, column.size, column.size, stride_one=False))
    return maps, heads, patch


def training_operations(
    network: NetworkConfig, stage: str, *, views: int, side: int, points: int, patchwise: bool
) -> int:
    """Operations of one step of stage "blur" or "edges".

    Three times the forward arithmetic: gradients of a layer's inputs and of its weights are as much again each. The
    frozen f1-NET of the edge stage counts once; a layer that reads it or the image, twice: it needs no gradient of
    inputs.

    Args:
      network: architecture.
      stage: "blur" or "edges".
      views: images of the batch.
      side: of each, px, without its margin.
      points: edge points of the batch.
      patchwise: whether the columns look at the patch of every point instead of at whole views.
    """
    blur = stage == "blur"
    trained, frozen = (network.columns, ()) if blur else ((network.depth_column,), network.columns)

    def layers(column: ColumnConfig) -> list[int]:
        if patchwise:
            return column_operations(column, network.width, column.size, column.size, stride_one=False)
        return dense_column(network, column, side, side)

    def read(column: ColumnConfig) -> int:
        return (
            2 * 9 * network.width**2 * (GRID - 2) ** 2
            if patchwise
            else projection(network, column, side, side)
        )

    total = 0
    for column in trained:
        total += 3 * sum(layers(column)) - layers(column)[0] + 3 * read(column)
    for column in frozen:
        total += sum(layers(column)) + 2 * read(column)
    heads = 3 * points * head_operations(network, len(network.levels) if blur else 2)
    return (points if patchwise else views) * total + heads


def edges_of_scales(
    photo: np.ndarray, weights: Weights, config: Config, *, edges: Any = None
) -> list[np.ndarray]:
    """Edge maps of all copies of the photo that the networks read; of the photo alone without the third stage.

    In strips, with the same result: a large photo takes little memory.
    """
    third_stage = config.pyramid and weights.network.pyramid
    maps = []
    for _ in range(count_scales(*photo.shape[:2]) if third_stage else 1):
        if maps:
            photo = halve_in_strips(photo, _strips(photo))
            edges = None if edges is None else halve_edges(edges)
        own = detect_edges_in_strips(photo, _strips(photo), config=config.edges) if edges is None else edges
        maps.append(own)
    return maps


def _strips(photo: np.ndarray) -> Strips:
    height, width = photo.shape[:2]
    return Strips(height, width, min(max(STRIP_PIXELS // width, 1), height), width)


def reading_operations(network: NetworkConfig, maps: list[np.ndarray], *, max_tile: int = MAX_TILE) -> int:
    """Operations of the networks on a photo and its copies, with these edge maps: a tile without edges needs none."""
    total = 0.0
    for edges in maps:
        dense, head, _ = operations(network, *edges.shape)
        _, _, height, width = size_bucket(*edges.shape, max_tile=max_tile)
        rows, cols = (
            range(0, length, step) for length, step in zip(edges.shape, (height, width), strict=True)
        )
        tiles = [edges[row : row + height, col : col + width] for row in rows for col in cols]
        total += dense * sum(tile.size for tile in tiles if tile.any()) / edges.size + head * int(edges.sum())
    return round(total)
