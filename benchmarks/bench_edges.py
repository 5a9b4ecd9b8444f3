"""Edge detection against its float64 SciPy oracle and scikit-image's Canny: agreement, time, and the machine's floor.

    python -m benchmarks.bench_edges --photos PHOTO... --json edges.json

The oracle is the slow one of the tests (Python loops, timed once), so the useful yardstick for speed is scikit-image,
whose thresholds are given, not found. Last rows: a batch of training crops, and a worst-case chain. The table shows
least times, in which the two take turns; the floor is bytes, the plane in and edges out, over the rate of a copy.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import skimage.feature
import tyro

from benchmarks.measure import copy_rate, origin, summary, time_in_turn, write
from jaxblur.config import PUBLISHED
from jaxblur.edges.canny import detect_edges, hysteresis
from jaxblur.files import images
from tests.jaxblur.edges.test_canny import oracle, oracle_hysteresis, overlap, spiral


@dataclasses.dataclass(frozen=True)
class Options:
    photos: tuple[Path, ...] = (Path("examples/vase.jpg"),)  # of 8 bits
    repeats: int = 5  # the least time counts
    json: Path | None = None  # where to write the figures too


def detect(value: Any) -> Any:
    return detect_edges(value, config=PUBLISHED.edges)


def seconds_of(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Seconds of one call, and what it returns."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def row(name: str, calls: dict[str, Callable[[], Any]], moved: int, bandwidth: float, repeats: int) -> dict:
    """Times of "jaxblur", and of what it is compared with, and the floor of `moved` bytes."""
    times = {contender: summary(runs) for contender, runs in time_in_turn(calls, repeats).items()}
    floor = moved / bandwidth
    return {
        "image": name,
        "seconds": times,
        "floor": floor,
        "ratio_to_floor": times["jaxblur"]["least"] / floor,
    }


def against_others(name: str, value: np.ndarray, bandwidth: float, repeats: int) -> dict[str, Any]:
    """The row of one plane of values, beside scikit-image and the oracle."""
    run, on_device = jax.jit(detect), jnp.asarray(value, jnp.float32)
    calls = {
        "jaxblur": lambda: run(on_device),
        "scikit-image": lambda: skimage.feature.canny(value, 2**0.5),
    }
    seconds, expected = seconds_of(oracle, value)
    moved = on_device.nbytes + on_device.size
    return {
        **row(name, calls, moved, bandwidth, repeats),
        "oracle_seconds": seconds,
        "overlap_with_oracle": float(overlap(np.asarray(run(on_device)), expected)),
    }


def of_crops(rng: np.random.Generator, bandwidth: float, repeats: int) -> dict[str, Any]:
    crops = jnp.asarray(cv2.GaussianBlur(rng.random((96, 96 * 32), np.float32), (0, 0), 2))
    crops = crops.reshape(96, 32, 96).transpose(1, 0, 2)
    run = jax.jit(jax.vmap(detect))
    moved = crops.nbytes + crops.size
    return row("32 crops of 96x96", {"jaxblur": lambda: run(crops)}, moved, bandwidth, repeats)


def of_chain(bandwidth: float, repeats: int) -> dict[str, Any]:
    chain = spiral(362)
    seed = np.zeros_like(chain)
    seed[0, 0] = True
    run, weak, strong = jax.jit(hysteresis), jnp.asarray(chain), jnp.asarray(seed)
    seconds, _ = seconds_of(oracle_hysteresis, chain, seed)
    own = row(
        "hysteresis, spiral 362", {"jaxblur": lambda: run(weak, strong)}, 3 * chain.nbytes, bandwidth, repeats
    )
    return {**own, "oracle_seconds": seconds}


def report(figures: dict[str, Any]) -> str:
    lines = [
        f"{figures['device']}, jax {figures['jax']}, commit {figures['commit']}, "
        f"copy {figures['copy_gigabytes_per_second']:.1f} GB/s",
        f"{'image':24s} {'ms':>9s} {'/ oracle':>9s} {'/ skimage':>9s} {'IoU':>8s} {'floor ms':>9s} {'x floor':>8s}",
    ]
    for f in figures["rows"]:
        least = f["seconds"]["jaxblur"]["least"]
        oracle_ratio = f"{f['oracle_seconds'] / least:9.1f}" if "oracle_seconds" in f else f"{'':9s}"
        rival = f["seconds"].get("scikit-image")
        rival_ratio = f"{rival['least'] / least:9.1f}" if rival else f"{'':9s}"
        agreement = f"{f['overlap_with_oracle']:8.5f}" if "overlap_with_oracle" in f else f"{'':8s}"
        lines.append(
            f"{f['image']:24s} {1e3 * least:9.2f} {oracle_ratio} {rival_ratio} {agreement} "
            f"{1e3 * f['floor']:9.4f} {f['ratio_to_floor']:8.0f}"
        )
    return "\n".join(lines)


def main(options: Options) -> None:
    rng = np.random.default_rng(0)
    bandwidth, repeats = copy_rate(options.repeats), options.repeats
    photos = {path.name: images.read_image(path).max(-1) / 255 for path in options.photos}
    photos["noise 360x360"] = rng.integers(0, 256, (360, 360)) / 255
    rows = [against_others(name, value, bandwidth, repeats) for name, value in photos.items()]
    rows += [of_crops(rng, bandwidth, repeats), of_chain(bandwidth, repeats)]
    figures = {"copy_gigabytes_per_second": bandwidth / 1e9, "rows": rows, **origin()}
    print(report(figures))
    write(options.json, figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
