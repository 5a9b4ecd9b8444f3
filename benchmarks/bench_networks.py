"""Time of the networks on one photo: dense form against patch-wise form, and against a large matrix product.

    python -m benchmarks.bench_networks --photo PHOTO --weights WEIGHTS --json result.json

Without weights the paper's architecture gets random numbers: the time is the same. The dense form runs as in
`jaxblur.estimate`, its two parts timed apart; all take turns with the matrix product. The patch-wise form runs on a
sample of the edge points and is scaled up to all of them. Arithmetic is counted from the layers, see `floors`.
"""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.floors import operations
from benchmarks.measure import origin, take_turns, write
from jaxblur.edges.canny import detect_edges
from jaxblur.files import images
from jaxblur.image.size import reflect_pad
from jaxblur.image.values import as_rgb
from jaxblur.network import pointwise
from jaxblur.network.config import NetworkConfig
from jaxblur.network.defocus_net import DefocusNet
from jaxblur.network.weights import Weights
from jaxblur.weights import load_weights

_SIDE = 4096  # of the matrix product, which then takes about as long as what is compared with it


@dataclasses.dataclass(frozen=True)
class Options:
    photo: Path = Path("examples/vase.jpg")
    edges: Path | None = None  # an edge map (PNG) of the photo's size; None: detected
    weights: Path | None = None  # None: random numbers
    points: int = 512  # edge points of the patch-wise sample
    repeats: int = 3  # the best time counts
    json: Path | None = None  # where to write the figures too


def random_weights(network: NetworkConfig) -> Weights:
    patch = jnp.zeros((1, network.patch_size, network.patch_size, 3))
    init = functools.partial(DefocusNet(network).init, method=DefocusNet.classify_patches)
    return Weights(jax.jit(init)(jax.random.key(0), patch), network)


def measure(options: Options) -> dict[str, Any]:
    weights = random_weights(NetworkConfig()) if options.weights is None else load_weights(options.weights)
    network = weights.network
    photo = images.read_image(options.photo)
    height, width = photo.shape[:2]
    edges = (
        detect_edges(photo) if options.edges is None else images.read_edges(options.edges, photo.shape[:2])
    )
    size = jnp.asarray([height, width], jnp.int32)
    padded = reflect_pad(as_rgb(photo), size, margin=network.margin)
    count = int(np.sum(np.asarray(edges)))
    points = pointwise.edge_points(jnp.asarray(edges), capacity=count)
    every = np.linspace(0, count - 1, min(options.points, count)).astype(int)
    sample = points.points[every]

    variables, square = weights.variables, jax.random.normal(jax.random.key(0), (_SIDE, _SIDE))
    maps_of = jax.jit(lambda variables, padded: pointwise.image_maps(variables, network, padded))
    heads_of = jax.jit(
        lambda variables, maps, points: pointwise.classify_maps(variables, network, maps, points)
    )
    patchwise = jax.jit(
        lambda variables, padded, rc: pointwise.classify_points_patchwise(variables, network, padded, rc)
    )
    matmul = jax.jit(jnp.matmul)
    maps = maps_of(variables, padded)
    best = take_turns(
        {
            "matmul": lambda: matmul(square, square),
            "maps": lambda: maps_of(variables, padded),
            "heads": lambda: heads_of(variables, maps, points),
            "patchwise": lambda: patchwise(variables, padded, sample),
        },
        options.repeats,
    )
    rate = 2 * _SIDE**3 / best["matmul"]
    maps_time, head_time, patch_time = best["maps"], best["heads"], best["patchwise"]
    dense_time = maps_time + head_time

    maps_work, head_work, patch_work = operations(network, height, width)
    return {
        "photo": options.photo.name,
        "size": [height, width],
        "edge_points": count,
        "matmul_gflops": rate / 1e9,
        "maps_seconds": maps_time,
        "maps_gflops": maps_work / maps_time / 1e9,
        "heads_seconds": head_time,
        "heads_gflops": head_work * count / head_time / 1e9,
        "dense_seconds": dense_time,
        "patchwise_sample_points": len(every),
        "patchwise_sample_seconds": patch_time,
        "patchwise_gflops": patch_work * len(every) / patch_time / 1e9,
        "patchwise_seconds_scaled": patch_time * count / len(every),
        "speedup_dense_over_patchwise": patch_time * count / len(every) / dense_time,
        "arithmetic_ratio": patch_work * count / (maps_work + head_work * count),
        **origin(),
    }


def report(figures: dict[str, Any]) -> str:
    f = figures
    height, width = f["size"]
    lines = [
        f"{f['photo']}, {width} x {height} px, {f['edge_points']} edge points",
        f"{f['device']}, jax {f['jax']}, commit {f['commit']}",
        f"float32 matrix product        {f['matmul_gflops']:8.1f} GFLOP/s",
    ]
    for name, key in (
        ("dense feature maps", "maps"),
        ("heads at edge points", "heads"),
        ("dense form", "dense"),
    ):
        lines.append(f"{name:20s} {f[key + '_seconds']:8.3f} s")
        if key != "dense":
            fraction = f[key + "_gflops"] / f["matmul_gflops"]
            lines[-1] += f" {f[key + '_gflops']:7.1f} GFLOP/s, {fraction:.2f} of the matrix product"
    fraction = f["patchwise_gflops"] / f["matmul_gflops"]
    lines += [
        f"patch-wise form      {f['patchwise_seconds_scaled']:8.3f} s {f['patchwise_gflops']:7.1f} GFLOP/s, "
        f"{fraction:.2f} of the matrix product",
        f"  (scaled up from {f['patchwise_sample_points']} of its points, {f['patchwise_sample_seconds']:.3f} s)",
        f"dense form is {f['speedup_dense_over_patchwise']:.1f} times as fast, on {f['arithmetic_ratio']:.1f} times "
        "less arithmetic",
    ]
    return "\n".join(lines)


def main(options: Options) -> None:
    figures = measure(options)
    print(report(figures))
    write(options.json, figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
