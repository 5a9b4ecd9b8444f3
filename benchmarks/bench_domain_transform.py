"""Time of the recursive filter: scan and associative form against OpenCV's C++ (an OpenCV with ximgproc).

Run from the repository root: `python -m benchmarks.bench_domain_transform --sizes 512 2048`. The forms take
turns, so that a load from elsewhere meets all of them; the table shows the best time of each and its ratio to
OpenCV's.
"""

import dataclasses
import functools
from collections.abc import Callable

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import tyro

from benchmarks.measure import take_turns
from jaxblur.domain_transform import recursive_filter

SIGMA_S, SIGMA_R, ITERATIONS = 45.0, 3.75, 5


@dataclasses.dataclass(frozen=True)
class Options:
    sizes: tuple[int, ...] = (512, 2048)  # sides of the square images, px
    channels: int = 3  # of the signal; the guide has 3
    repeats: int = 5  # the best time counts


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
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, OpenCV {cv2.__version__}")
    if not hasattr(cv2, "ximgproc"):
        print(
            "cv2.ximgproc is not in this OpenCV (opencv-contrib-python-headless has it): its row is skipped"
        )
    rng = np.random.default_rng(0)
    for side in options.sizes:
        guide = rng.random((side, side, 3), dtype=np.float32)
        signal = rng.random((side, side, options.channels), dtype=np.float32)
        calls = contenders(signal, guide)
        best = take_turns(calls, options.repeats)
        reference = best.get("cv2.ximgproc.dtFilter")
        for name, seconds in best.items():
            ratio = "" if reference is None else f"{seconds / reference:6.2f} x OpenCV"
            print(f"{side:5d} x {side:<5d} {name:24s} {1e3 * seconds:9.1f} ms {ratio}")


if __name__ == "__main__":
    main(tyro.cli(Options))
