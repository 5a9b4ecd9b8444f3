"""Time of the whole `jaxblur.estimate`, warm, of its stages, and the floors of the machine.

    python -m benchmarks.bench_estimate --photo PHOTO --weights WEIGHTS --json result.json
    python -m benchmarks.bench_estimate --megapixels 1 12

Times are of one process: median, least and most of `repeats`; all that is compared takes turns, so that a load
from elsewhere meets everything. Stages and ratios are of the least times. Stages are timed alone; "rest" is what the
whole takes beyond them.

Floors, from rates of the same run: arithmetic of the networks over the rate of a large matrix product, and bytes over
that of a copy: the photo in and edges out, and what the filter moves, see `floors`. The patch-wise form is the same
work with the networks applied to a patch around each edge point. It runs on a sample of the points and is scaled up.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.floors import edges_of_scales, filter_bytes, reading_operations
from benchmarks.measure import copy_rate, matmul_rate, origin, run_alone, summary, time_in_turn, write
from jaxblur import estimator
from jaxblur.config import PRESETS, Config, SingleScale
from jaxblur.files import images
from jaxblur.image.size import Tiles, pad_to_shape, reflect_pad, size_bucket
from jaxblur.image.values import as_rgb
from jaxblur.multiscale import fuse
from jaxblur.multiscale.run import choose_propagation
from jaxblur.network import pointwise
from jaxblur.network.weights import Weights
from jaxblur.propagation import domain_transform, single_scale
from jaxblur.weights import load_weights


@dataclasses.dataclass(frozen=True)
class Options:
    photo: Path = Path("examples/vase.jpg")
    megapixels: tuple[float, ...] = ()  # mirrored copies of the photo, 4:3; none: the photo itself
    edges: Path | None = None  # an edge map (PNG) of the photo's size; None: detected
    weights: Path | None = None  # None: those shipped
    preset: str = "default"
    points: int = 256  # edge points of the patch-wise sample; 0: none
    repeats: int = 5
    json: Path | None = None  # where to write the figures too


class Case(NamedTuple):
    """One photo in its bucket, ready for the estimator's pure function."""

    photo: np.ndarray
    edges: np.ndarray | None
    image: jax.Array
    mask: jax.Array | None
    size: jax.Array
    tiles: Tiles
    weights: Weights
    config: Config


def mirrored(photo: np.ndarray, megapixels: float | None) -> np.ndarray:
    """The photo and its mirror images side by side, 4:3, as large as wanted; None: the photo itself."""
    if megapixels is None:
        return photo
    height, width = round((0.75e6 * megapixels) ** 0.5), round((1e6 * megapixels / 0.75) ** 0.5)
    more = ((0, max(height - photo.shape[0], 0)), (0, max(width - photo.shape[1], 0)), (0, 0))
    return np.pad(photo, more, mode="symmetric")[:height, :width]


def read_case(options: Options, megapixels: float | None) -> Case:
    photo = mirrored(images.read_image(options.photo), megapixels)
    edges = None if options.edges is None else images.read_edges(options.edges, photo.shape[:2])
    bucket = size_bucket(*photo.shape[:2])
    return Case(
        photo,
        edges,
        as_rgb(pad_to_shape(photo, bucket.shape)),
        None if edges is None else jnp.asarray(pad_to_shape(edges, bucket.shape)),
        jnp.asarray(photo.shape[:2], jnp.int32),
        bucket,
        load_weights(options.weights),
        PRESETS[options.preset],
    )


def propagation_alone(case: Case) -> Callable[[], Any]:
    """The propagation of made-up readings; its time does not depend on them."""
    height, width = case.image.shape[:2]
    way, method = choose_propagation(case.config, case.weights), case.config.recursion
    planes = jax.random.uniform(jax.random.key(0), (5, height, width))
    planes = planes.at[0].set(planes[0] < 0.1)

    @jax.jit
    def propagate(image: jax.Array, size: jax.Array, planes: jax.Array, parameters: Any) -> Any:
        if isinstance(way, SingleScale):
            weight, radius, reliability, depth, _ = planes
            return single_scale.propagate(
                radius,
                weight,
                depth,
                image,
                reliability=reliability,
                config=way.filter,
                guide=way.guide,
                method=method,
                size=size,
            )
        guide = domain_transform.smooth_guide(image, size, config=way.guide, method=method)
        gradient = domain_transform.guide_gradient(guide)
        return fuse.fuse(parameters, fuse.Evidence(*planes), gradient, method=method, size=size)

    return lambda: propagate(case.image, case.size, planes, case.weights.multiscale)


def floors(case: Case, maps: list[np.ndarray], rate: float, bandwidth: float) -> dict[str, float]:
    """Least seconds of each stage at these rates."""
    height, width = case.photo.shape[:2]
    way, moved_by = (
        choose_propagation(case.config, case.weights),
        functools.partial(filter_bytes, height, width),
    )
    moved = moved_by(channels=3, iterations=way.guide.iterations)
    if isinstance(way, SingleScale):
        moved += moved_by(channels=4, iterations=way.filter.iterations)
    else:
        extents = case.weights.multiscale.extent.size
        moved += extents * moved_by(channels=3, iterations=fuse.ITERATIONS)
    return {
        "edges": (case.photo.nbytes + height * width) / bandwidth,
        "networks": reading_operations(case.weights.network, maps) / rate,
        "propagation": moved / bandwidth,
    }


def measure(options: Options, megapixels: float | None) -> dict[str, Any]:
    """Warm times of one photo, their floors, and the patch-wise form; in a process of its own."""
    case = read_case(options, megapixels)
    weights, config = case.weights, case.config
    program = functools.partial(estimator.estimate_padded, tiles=case.tiles, config=config)
    whole = jax.jit(program)
    edges = jax.jit(lambda *arguments: program(*arguments).edges)  # the rest is dead code
    padded = reflect_pad(as_rgb(case.photo), case.size, margin=weights.network.margin)
    maps = edges_of_scales(case.photo, weights, config, edges=case.edges)
    counts = [int(m.sum()) for m in maps]
    points = np.argwhere(maps[0]).astype(np.int32)
    sample = points[np.linspace(0, len(points) - 1, min(options.points, len(points))).astype(int)]
    chunk = 64 if jax.default_backend() == "cpu" else 512  # whole chunks are computed
    computed = -(-len(sample) // chunk) * chunk
    patchwise = jax.jit(
        lambda variables, padded, rc: pointwise.classify_points_patchwise(
            variables, weights.network, padded, rc, chunk=chunk
        )
    )
    arguments = (weights, case.image, case.size, case.mask)
    calls: dict[str, Callable[[], Any]] = {
        "estimate": lambda: estimator.estimate(
            case.photo, weights, edges=case.edges, config=config, max_memory=float("inf")
        ),
        "program": lambda: whole(*arguments),
        "edges": lambda: edges(*arguments),
        "propagation": propagation_alone(case),
    }
    if len(sample):
        calls["patch-wise"] = lambda: patchwise(weights.variables, padded, sample)
    rates = [(matmul_rate(options.repeats), copy_rate(options.repeats))]
    times = time_in_turn(calls, options.repeats)
    rates.append((matmul_rate(options.repeats), copy_rate(options.repeats)))
    rate, bandwidth = map(max, *rates)
    best = {name: min(seconds) for name, seconds in times.items()}
    stages = {
        "edges": best["edges"],
        "networks": best["program"] - best["edges"] - best["propagation"],
        "propagation": best["propagation"],
        "rest": best["estimate"] - best["program"],
    }
    least = floors(case, maps, rate, bandwidth)
    figures: dict[str, Any] = {
        "photo": options.photo.name,
        "size": list(case.photo.shape[:2]),
        "edge_points": counts,
        "matmul_gflops": rate / 1e9,
        "copy_gigabytes_per_second": bandwidth / 1e9,
        "warm": summary(times["estimate"]),
        "megapixels_per_second": case.photo[..., 0].size / 1e6 / summary(times["estimate"])["median"],
        "stages": stages,
        "floors": least,
        "ratio_to_floor": best["estimate"] / sum(least.values()),
    }
    if len(sample):
        networks = best["patch-wise"] / computed * sum(counts)
        scaled = best["estimate"] - stages["networks"] + networks
        figures["patchwise"] = {
            "sample_points": computed,
            "sample": summary(times["patch-wise"]),
            "seconds_scaled": scaled,
            "speedup": scaled / best["estimate"],
        }
    return figures | origin()


def report(figures: dict[str, Any]) -> str:
    height, width = figures["size"]
    warm, stages, least = figures["warm"], figures["stages"], figures["floors"]
    lines = [
        f"{figures['photo']}, {width} x {height} px, {' + '.join(map(str, figures['edge_points']))} edge points",
        f"{figures['device']}, jax {figures['jax']}, commit {figures['commit']}, "
        f"matrix product {figures['matmul_gflops']:.1f} GFLOP/s, copy {figures['copy_gigabytes_per_second']:.1f} GB/s",
        f"{'stage':12s} {'s':>9s} {'part':>6s} {'floor s':>9s} {'x floor':>8s}",
    ]
    for name, seconds in {**stages, "whole, warm": warm["least"]}.items():
        floor = least.get(name, 0.0) if name != "whole, warm" else sum(least.values())
        ratio = f"{floor:9.4f} {seconds / floor:8.1f}" if floor else ""
        lines.append(f"{name:12s} {seconds:9.4f} {seconds / warm['least']:6.2f} {ratio}")
    lines.append(
        f"warm: median {warm['median']:.4f} s, {warm['least']:.4f} to {warm['most']:.4f} s in {warm['runs']} runs, "
        f"{figures['megapixels_per_second']:.3f} megapixels per second"
    )
    if "patchwise" in figures:
        f = figures["patchwise"]
        lines.append(
            f"patch-wise form {f['seconds_scaled']:.1f} s, {f['speedup']:.1f} times as long "
            f"(networks scaled up from {f['sample_points']} points, {f['sample']['least']:.3f} s)"
        )
    return "\n".join(lines)


def main(options: Options) -> None:
    rows = []
    for megapixels in options.megapixels or (None,):
        row = run_alone(measure, options, megapixels, name="the measurement")
        rows.append(row)
        print(report(row), flush=True)
    write(options.json, {"preset": options.preset, "repeats": options.repeats, "rows": rows})


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
