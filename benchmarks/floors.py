"""What the work needs at least: arithmetic of the networks, counted from the layers, and bytes that the filter moves.

    python -m benchmarks.floors --weights WEIGHTS --json result.json

Arithmetic is 2 operations per multiply-add of a convolution or matrix product, nothing else. Divided by the rates that
`measure` finds in the same run, these are the floors that the benchmarks show next to their times. The command prints
the multiply-adds of a set of weights per pixel of a scale, per edge point, and per edge point in the patch-wise form.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.measure import write
from jaxblur.config import Config, MultiScale
from jaxblur.image.size import MAX_TILE, equal_tiles
from jaxblur.multiscale.in_strips import InStrips
from jaxblur.multiscale.run import choose_propagation
from jaxblur.network.config import ColumnConfig, NetworkConfig, parse_layer
from jaxblur.network.defocus_net import stem_width
from jaxblur.network.layers import column_width
from jaxblur.network.pointwise import read_side
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


def place_operations(layers: Sequence[str], inputs: int, width: int) -> list[int]:
    """Operations of the convolutions of a column or stem of `layers` per place of their output.

    Args:
      layers: see `jaxblur.network.config.Layer`.
      inputs: channels that the first one reads.
      width: of layers that have none of their own.
    """
    counts = []
    for layer in map(parse_layer, layers):
        if not layer.is_pool:
            outputs = layer.width or width
            counts.append(2 * layer.size**2 * inputs * outputs)
            inputs = outputs
    return counts


def column_operations(
    network: NetworkConfig, column: ColumnConfig, height: int, breadth: int, *, stride_one: bool
) -> list[int]:
    """Operations of the convolutions of one column on an input of height x breadth."""
    places, dilation = [], 1
    for layer in map(parse_layer, column.layers):
        if layer.is_pool and not stride_one:
            height, breadth = height // layer.size, breadth // layer.size
            continue
        extent = (layer.size - 1) * dilation
        height, breadth = height - extent, breadth - extent
        if layer.is_pool:
            dilation *= layer.size
        else:
            places.append(height * breadth)
    own = place_operations(column.layers, stem_width(network), network.width)
    return [one * count for one, count in zip(own, places, strict=True)]


def stem_operations(network: NetworkConfig, height: int, width: int) -> int:
    """Operations of the stem on an image or patch of height x width; none without a stem."""
    total = 0
    own = place_operations(network.stem, 3, network.width)
    for i, (layer, one) in enumerate(zip(map(parse_layer, network.stem), own, strict=True)):
        step = network.step if i == 0 else 1
        height, width = (height - layer.size) // step + 1, (width - layer.size) // step + 1
        total += one * height * width
    return total


def cells_along(network: NetworkConfig, length: int) -> int:
    """Cells that the edge points of an image of `length` px lie in."""
    return -(-length // network.step)


def dense_column(network: NetworkConfig, column: ColumnConfig, height: int, width: int) -> list[int]:
    """Operations of the layers of a column in the dense form, for edge points anywhere in an image of this size."""
    sides = (cells_along(network, length) + column.size - 1 for length in (height, width))
    return column_operations(network, column, *sides, stride_one=True)


def place_projection(network: NetworkConfig, column: ColumnConfig) -> int:
    """Operations of the first convolution of b-NET or e-NET on the maps of one column, per place of its output."""
    first = parse_layer(network.trunk[0])
    return 2 * first.size**2 * column_width(column, network) * (first.width or network.width)


def projection(network: NetworkConfig, column: ColumnConfig, height: int, width: int) -> int:
    """Operations of that convolution in the dense form, for edge points anywhere in an image of this size."""
    reach = (read_side(network) - 1) * column.stride
    rows, columns = (cells_along(network, length) + reach for length in (height, width))
    return place_projection(network, column) * rows * columns


def head_operations(network: NetworkConfig, outputs: int) -> int:
    """Operations per edge point behind the first convolution of b-NET or e-NET, which they do not count."""
    first, *rest = map(parse_layer, network.trunk)
    total, side, inputs = 0, read_side(network), first.width or network.width
    for layer in rest:
        side, width = layer.side(side), layer.width or network.width
        total += 2 * layer.size**2 * inputs * width * side * side
        inputs = width
    widths = (inputs, *network.hidden, outputs)
    return total + sum(2 * a * b for a, b in zip(widths, widths[1:], strict=False))


def operations(network: NetworkConfig, height: int, width: int) -> tuple[int, int, int]:
    """Operations of the dense maps of an image, of the heads per point, and of the patch-wise form per point."""
    columns, side = network.all_columns, network.patch_size
    grids = (*network.columns, *columns)  # b-NET reads those of f1-NET, e-NET all
    maps = stem_operations(network, height + 2 * network.margin, width + 2 * network.margin)
    maps += sum(sum(dense_column(network, column, height, width)) for column in columns)
    maps += sum(projection(network, column, height, width) for column in grids)
    heads = head_operations(network, level_outputs(network)) + head_operations(network, EDGE_OUTPUTS)
    patch = heads + stem_operations(network, side, side)
    patch += sum(place_projection(network, column) for column in grids) * read_side(network) ** 2
    for column in columns:
        patch += sum(column_operations(network, column, column.size, column.size, stride_one=False))
    return maps, heads, patch


def training_operations(
    network: NetworkConfig, stage: str, *, views: int, side: int, points: int, patchwise: bool
) -> int:
    """Operations of one step of stage "blur" or "edges".

    Three times the forward arithmetic: gradients of a layer's inputs and of its weights are as much again each. The
    frozen f1-NET of the edge stage counts once; a layer that reads it or the image, twice: it needs no gradient of
    inputs. A stem is counted as one layer.

    Args:
      network: architecture.
      stage: "blur" or "edges".
      views: images of the batch.
      side: of each, px, without its margin.
      points: edge points of the batch.
      patchwise: whether the columns look at the patch of every point instead of at whole views.
    """
    blur = stage == "blur"
    own = () if network.depth_column is None else (network.depth_column,)
    trained, frozen = (network.columns, ()) if blur else (own, network.columns)

    def layers(column: ColumnConfig) -> list[int]:
        if patchwise:
            return column_operations(network, column, column.size, column.size, stride_one=False)
        return dense_column(network, column, side, side)

    def read(column: ColumnConfig) -> int:
        if patchwise:
            return place_projection(network, column) * read_side(network) ** 2
        return projection(network, column, side, side)

    seen = network.patch_size if patchwise else side + 2 * network.margin
    # Without a stem the first layer of a column needs no gradient of its input, with one that is the stem's part.
    image = 0 if network.stem else 1
    total = (2 if blur else 1) * stem_operations(network, seen, seen)
    for column in trained:
        total += 3 * sum(layers(column)) - image * layers(column)[0] + 3 * read(column)
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

    def of(layers: Sequence[str], inputs: int) -> int:
        return sum(place_operations(layers, inputs, network.width)) // 2 // network.step**2

    maps, heads, patch = operations(network, tile, tile)
    grids, parts = (*network.columns, *network.all_columns), {}
    if network.stem:
        parts[f"stem, one of {network.step} x {network.step} px"] = of(network.stem, 3)
    for i, column in enumerate(network.columns, start=1):
        parts[f"f1-NET column {i}, {column.size} px"] = of(column.layers, stem_width(network))
    if network.depth_column is not None:
        parts[f"f2-NET column, {network.depth_column.size} px"] = of(
            network.depth_column.layers, stem_width(network)
        )
    read = sum(place_projection(network, column) for column in grids)
    parts["first convolution of b-NET, e-NET"] = read // 2 // network.step**2
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
