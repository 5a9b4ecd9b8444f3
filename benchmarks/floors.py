"""What the work needs at least: arithmetic of the networks, counted from the layers, and bytes that the filter moves.

    python -m benchmarks.floors --weights WEIGHTS --json result.json

Arithmetic is 2 operations per multiply-add of a convolution or matrix product, nothing else. Divided by the rates that
`measure` finds in the same run, these are the floors that the benchmarks show next to their times. The command prints
the multiply-adds of a set of weights per pixel of a scale, per edge point, and per edge point in the patch-wise form.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.measure import write
from jaxblur.config import Config, MultiScale
from jaxblur.image.size import MAX_TILE, equal_tiles
from jaxblur.multiscale.in_strips import InStrips
from jaxblur.multiscale.run import choose_propagation
from jaxblur.network.config import GRID, ColumnConfig, NetworkConfig
from jaxblur.network.weights import Weights
from jaxblur.weights import load_weights

EDGE_OUTPUTS = 2  # of Classification Network II


def filter_bytes(height: int, width: int, *, channels: int, iterations: int) -> int:
    """That the domain transform of float32 moves: each pass reads signals and weights once and writes the signals."""
    passes = 4 * iterations  # down and up, right and left
    return passes * (2 * channels + 1) * 4 * height * width


def level_outputs(network: NetworkConfig) -> int:
    """Outputs of Classification Network I."""
    return len(network.levels) - (network.level_head == "ordinal")


def place_operations(column: ColumnConfig, width: int) -> list[int]:
    """Operations of the convolutions of one column of f1-NET or f2-NET per place of their output."""
    counts, channels = [], 3
    for layer in column.layers:
        if layer != "pool3":
            counts.append(2 * int(layer[-1]) ** 2 * channels * width)
            channels = width
    return counts


def column_operations(
    column: ColumnConfig, width: int, height: int, breadth: int, *, stride_one: bool
) -> list[int]:
    """Operations of the convolutions of one column on an input of height x breadth."""
    places, dilation = [], 1
    for layer in column.layers:
        if layer == "pool3" and not stride_one:
            height, breadth = height // 3, breadth // 3
            continue
        extent = (int(layer[-1]) - 1) * dilation
        height, breadth = height - extent, breadth - extent
        if layer == "pool3":
            dilation *= 3
        else:
            places.append(height * breadth)
    return [own * count for own, count in zip(place_operations(column, width), places, strict=True)]


def dense_column(network: NetworkConfig, column: ColumnConfig, height: int, width: int) -> list[int]:
    """Operations of the layers of a column in the dense form, for edge points anywhere in an image of this size."""
    extent = column.size - 1
    return column_operations(column, network.width, height + extent, width + extent, stride_one=True)


def place_projection(network: NetworkConfig) -> int:
    """Operations of the first convolution of b-NET or e-NET on the maps of one column, per place of its output."""
    return 2 * int(network.trunk[0][-1]) ** 2 * network.width**2


def projection(network: NetworkConfig, column: ColumnConfig, height: int, width: int) -> int:
    """Operations of that convolution in the dense form, for edge points anywhere in an image of this size."""
    reach = (GRID - 3) * column.stride
    return place_projection(network) * (height + reach) * (width + reach)


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
    heads = head_operations(network, level_outputs(network)) + head_operations(network, EDGE_OUTPUTS)
    patch = heads + len(grids) * place_projection(network) * (GRID - 2) ** 2
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
        if patchwise:
            return place_projection(network) * (GRID - 2) ** 2
        return projection(network, column, side, side)

    total = 0
    for column in trained:
        total += 3 * sum(layers(column)) - layers(column)[0] + 3 * read(column)
    for column in frozen:
        total += sum(layers(column)) + 2 * read(column)
    heads = 3 * points * head_operations(network, level_outputs(network) if blur else EDGE_OUTPUTS)
    return (points if patchwise else views) * total + heads


def edges_of_scales(
    photo: np.ndarray, weights: Weights, config: Config, *, edges: Any = None
) -> list[np.ndarray]:
    """Edge maps of all scales of the photo that the networks read: of the photo alone with a single scale.

    In strips, with the same result: a large photo takes little memory.
    """
    stages, maps = InStrips(weights, photo, config), []
    multiscale = isinstance(choose_propagation(config, weights), MultiScale)
    for _ in range(stages.count_scales(photo) if multiscale else 1):
        if maps:
            photo, edges = stages.halve(photo), None if edges is None else stages.halve_edges(edges)
        maps.append(stages.find_edges(photo, edges))
    return maps


def reading_operations(network: NetworkConfig, maps: list[np.ndarray], *, tile: int = MAX_TILE) -> int:
    """Operations of the networks on a photo and its copies, with these edge maps: a tile without edges needs none."""
    total = 0.0
    for edges in maps:
        dense, head, _ = operations(network, *edges.shape)
        bucket = equal_tiles(*edges.shape, side=tile)
        parts = [edges[r : r + bucket.height, c : c + bucket.width] for r, c in bucket.corners()]
        total += dense * sum(part.size for part in parts if part.any()) / edges.size + head * int(edges.sum())
    return round(total)


@dataclasses.dataclass(frozen=True)
class Options:
    weights: Path | None = None  # None: those shipped
    json: Path | None = None  # where to write the counts too


def multiply_adds(network: NetworkConfig, *, tile: int = MAX_TILE) -> dict[str, Any]:
    """Counts of the networks, for the eye.

    Returns:
      "per_pixel", by part, of one pixel far from the border of the photo; "per_pixel_of_tile", likewise in a tile of
      `tile` px read with its margin; "per_point", by part, in the dense form; "per_point_patchwise"; and "break_even",
      the edge points of such a tile up to which the patch-wise form takes less.
    """

    def of(column: ColumnConfig) -> int:
        return sum(place_operations(column, network.width)) // 2

    maps, heads, patch = operations(network, tile, tile)
    projections = 2 * len(network.columns) + 1
    parts = {f"f1-NET column {i}, {c.size} px": of(c) for i, c in enumerate(network.columns, start=1)}
    parts[f"f2-NET column, {network.depth_column.size} px"] = of(network.depth_column)
    parts["first convolution of b-NET, e-NET"] = projections * place_projection(network) // 2
    return {
        "per_pixel": parts,
        "per_pixel_of_tile": maps / 2 / tile**2,
        "per_point": {
            "b-NET": head_operations(network, level_outputs(network)) // 2,
            "e-NET": head_operations(network, EDGE_OUTPUTS) // 2,
        },
        "per_point_patchwise": patch // 2,
        "tile": tile,
        "break_even": maps // (patch - heads),
    }


def report(counts: dict[str, Any]) -> str:
    def rows(parts: dict[str, int]) -> list[str]:
        return [
            f"  {name:34s} {value:12,d}" for name, value in (*parts.items(), ("all", sum(parts.values())))
        ]

    tile = f"{counts['tile']} x {counts['tile']} px"
    return "\n".join(
        [
            "Multiply-adds per pixel of a scale, dense form",
            *rows(counts["per_pixel"]),
            f"  {'all, in a tile of ' + tile:34s} {counts['per_pixel_of_tile']:12,.0f}",
            "Multiply-adds per edge point, dense form",
            *rows(counts["per_point"]),
            "Multiply-adds per edge point, patch-wise form",
            f"  {'all':34s} {counts['per_point_patchwise']:12,d}",
            f"Up to {counts['break_even']:,d} edge points in a tile of {tile}, the patch-wise form takes less.",
        ]
    )


def main(options: Options) -> None:
    counts = multiply_adds(load_weights(options.weights).network)
    print(report(counts))
    write(options.json, counts)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
