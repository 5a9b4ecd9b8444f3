"""Time of the recursive filter: both forms against OpenCV's C++ (an OpenCV with ximgproc) and the machine's floor.

Run from the repository root: `python -m benchmarks.bench_domain_transform --sizes 512 2048 --json filter.json`. The
forms take turns, so that a load from elsewhere meets all of them; the table shows the least time of each and its ratio
to OpenCV's, which runs in one thread. So does XLA with XLA_FLAGS="--xla_cpu_multi_thread_eigen=false
intra_op_parallelism_threads=1". The floor is what the passes have to move (`floors.filter_bytes`) at the rate of a copy
of the same run; a filter that stays in the processor's cache from pass to pass may be faster.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.floors import filter_bytes
from benchmarks.measure import copy_rate, origin, summary, time_in_turn, write
from jaxblur.propagation.domain_transform import recursive_filter

SIGMA_S, SIGMA_R, ITERATIONS = 45.0, 3.75, 5


@dataclasses.dataclass(frozen=True)
class Options:
    sizes: tuple[int, ...] = (512, 2048)  # sides of the square images, px
    channels: tuple[int, ...] = (1, 3, 4)  # of the signal; the guide has 3
    repeats: int = 5  # the least time counts
    json: Path | None = None  # where to write the figures too


def contenders(signal: np.ndarray, guide: np.ndarray) -> dict[str, Callable[[], object]]:
    """Name -> call that filters the signal."""
    calls = {}
    on_device = jnp.asarray(signal), jnp.asarray(guide)
    for method in ("scan", "associative"):
        run = functools.partial(
            recursive_filter, sigma_s=SIGMA_S, sigma_r=SIGMA_R, num_iterations=ITERATIONS, method=method
        )
        calls[method] = lambda run=run: run(*on_device)
    if hasattr(cv2, "ximgproc"):
        ximgproc = getattr(cv2, "ximgproc")  # noqa: B009 - absent from the type stubs of the headless build
        calls["cv2.ximgproc.dtFilter"] = functools.partial(
            ximgproc.dtFilter, guide, signal, SIGMA_S, SIGMA_R, mode=ximgproc.DTF_RF, numIters=ITERATIONS
        )
    return calls


def main(options: Options) -> None:
    bandwidth = copy_rate(options.repeats)
    print(
        f"{jax.devices()[0].device_kind}, jax {jax.__version__}, OpenCV {cv2.__version__}, "
        f"copy {bandwidth / 1e9:.1f} GB/s"
    )
    if not hasattr(cv2, "ximgproc"):
        print(
            "cv2.ximgproc is not in this OpenCV (opencv-contrib-python-headless has it): its row is skipped"
        )
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    rows = []
    for channels, side in itertools.product(options.channels, options.sizes):
        guide = rng.random((side, side, 3), dtype=np.float32)
        signal = rng.random((side, side, channels), dtype=np.float32)
        times = time_in_turn(contenders(signal, guide), options.repeats)
        reference = min(times.get("cv2.ximgproc.dtFilter", [math.nan]))
        floor = filter_bytes(side, side, channels=channels, iterations=ITERATIONS) / bandwidth
        for name, seconds in times.items():
            least = min(seconds)
            ratio = "" if math.isnan(reference) else f"{least / reference:6.2f} x OpenCV"
            print(
                f"{side:5d} x {side:<5d} {channels} channels  {name:24s} {1e3 * least:9.1f} ms "
                f"{least / floor:6.2f} x floor {ratio}"
            )
            rows.append(
                {
                    "side": side,
                    "channels": channels,
                    "form": name,
                    "seconds": summary(seconds),
                    "floor": floor,
                    "ratio_to_floor": least / floor,
                }
            )
    settings = {
        "sigma_s": SIGMA_S,
        "sigma_r": SIGMA_R,
        "iterations": ITERATIONS,
        "opencv": cv2.__version__,
        "copy_gigabytes_per_second": bandwidth / 1e9,
    }
    write(options.json, origin() | settings | {"rows": rows})


if __name__ == "__main__":
    main(tyro.cli(Options))
