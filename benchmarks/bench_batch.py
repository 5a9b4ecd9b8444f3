"""Throughput of `jaxblur.estimate_batch` by number of photos and devices, and of `estimate_stream` over many.

    python -m benchmarks.bench_batch --devices 1 8 --json result.json
    python -m benchmarks.bench_batch --side 1024 --counts 8 64 --devices 1

Photos are different square parts of one photo. Times are warm: median, least and most of `repeats`. The floor is the
arithmetic of the networks on these photos over the rate of a matrix product in the same run; the ratio is of the least
time. On CPU each number of devices is a process of its own, in which the cores pretend to be that many; elsewhere
there are as many as there are. The many photos are tiny and flat: without edges the networks have nothing to do, so the
rate is that of all the rest, and what is looked for is whether the second half goes as fast as the first, and in the
same memory.
"""

import dataclasses
import math
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro

from benchmarks.floors import edges_of_scales, reading_operations
from benchmarks.measure import matmul_rate, origin, run_alone, summary, time_in_turn, write
from jaxblur.batch import estimate_batch, estimate_stream
from jaxblur.config import DEFAULT
from jaxblur.files import images
from jaxblur.weights import load_weights


@dataclasses.dataclass(frozen=True)
class Options:
    photo: Path = Path("examples/vase.jpg")
    side: int = 128  # of the square photos, px
    counts: tuple[int, ...] = (1, 8, 32)  # photos per call
    devices: tuple[int, ...] = (1, 8)  # on CPU
    many: int = 1000  # tiny photos
    tiny: int = 48  # their side, px
    weights: Path | None = None  # None: those shipped
    repeats: int = 3
    json: Path | None = None  # where to write the figures too


def parts(photo: np.ndarray, side: int, count: int) -> list[np.ndarray]:
    """Squares from all over the photo, mirrored where it is too small."""
    more = [(0, max(side - length, 0)) for length in photo.shape[:2]]
    photo = np.pad(photo, [*more, (0, 0)], mode="symmetric")
    rng = np.random.default_rng(0)
    corners = [rng.integers(0, length - side + 1, count) for length in photo.shape[:2]]
    return [photo[r : r + side, c : c + side] for r, c in zip(*corners, strict=True)]


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(options: Options) -> dict[str, Any]:
    """All figures of one number of devices."""
    weights = load_weights(options.weights)
    photos = parts(images.read_image(options.photo), options.side, max(options.counts))
    calls = {str(n): lambda n=n: estimate_batch(photos[:n], weights) for n in options.counts}
    times = time_in_turn(calls, options.repeats)
    rate = matmul_rate(options.repeats)
    if jax.default_backend() != "cpu":  # where devices do not share the cores
        rate *= jax.local_device_count()
    work = [reading_operations(weights.network, edges_of_scales(photo, weights, DEFAULT)) for photo in photos]
    rows = []
    for name, seconds in times.items():
        middle = summary(seconds)
        pixels = int(name) * options.side**2
        floor = sum(work[: int(name)]) / rate
        rows.append(
            {
                "photos": int(name),
                **middle,
                "megapixels_per_second": pixels / 1e6 / middle["median"],
                "floor": floor,
                "ratio_to_floor": middle["least"] / floor if floor else None,  # no edges, no work
            }
        )

    flat = [np.full((options.tiny, options.tiny, 3), grey, np.uint8) for grey in range(100, 108)]
    estimate_batch(flat, weights)  # compiles

    def reader() -> Iterator[np.ndarray]:
        for index in range(options.many):
            yield flat[index % len(flat)]

    clock, peaks = [time.perf_counter()], [peak_bytes()]
    for index, _ in enumerate(estimate_stream(reader(), weights), start=1):
        if index in (options.many // 2, options.many):
            clock.append(time.perf_counter())
            peaks.append(peak_bytes())
    first, second = np.diff(clock).tolist()
    many = {
        "photos": options.many,
        "side": options.tiny,
        "first_half_seconds": first,
        "second_half_seconds": second,
        "peak_bytes_before": peaks[0],
        "peak_bytes_at_half": peaks[1],
        "peak_bytes_at_end": peaks[2],
    }
    return {
        "devices": jax.local_device_count(),
        "matmul_gflops": rate / 1e9,
        "side": options.side,
        "rows": rows,
        "many": many,
        **origin(),
    }


def report(figures: dict[str, Any]) -> str:
    many = figures["many"]
    lines = [
        f"{figures['device']} x {figures['devices']}, jax {figures['jax']}, commit {figures['commit']}, "
        f"matrix product {figures['matmul_gflops']:.1f} GFLOP/s",
        f"{'photos':>7s} {'side px':>8s} {'s':>9s} {'least':>9s} {'most':>9s} {'Mpx/s':>8s} {'floor s':>9s} "
        f"{'x floor':>8s}",
    ]
    lines += [
        f"{row['photos']:7d} {figures['side']:8d} {row['median']:9.4f} {row['least']:9.4f} {row['most']:9.4f} "
        f"{row['megapixels_per_second']:8.3f} {row['floor']:9.4f} {row['ratio_to_floor'] or math.nan:8.1f}"
        for row in figures["rows"]
    ]
    half = many["photos"] // 2
    lines.append(
        f"{many['photos']} flat photos of {many['side']} px: "
        f"{half / many['first_half_seconds']:.0f} per second in the first half, "
        f"{(many['photos'] - half) / many['second_half_seconds']:.0f} in the second; "
        f"peak {many['peak_bytes_before'] / 1e6:.0f} MB before, {many['peak_bytes_at_half'] / 1e6:.0f} MB at half, "
        f"{many['peak_bytes_at_end'] / 1e6:.0f} MB at the end"
    )
    return "\n".join(lines)


def main(options: Options) -> None:
    rows = []
    for devices in options.devices:
        os.environ["JAX_NUM_CPU_DEVICES"] = str(devices)
        rows.append(run_alone(measure, options, name=f"{devices} devices"))
        print(report(rows[-1]), flush=True)
    write(options.json, {"repeats": options.repeats, "rows": rows})


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
