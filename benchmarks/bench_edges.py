"""Edge detection against its float64 SciPy oracle and scikit-image's Canny: agreement and time.

    python -m benchmarks.bench_edges PHOTO...

The oracle is the slow one of the tests (Python loops), so the useful yardstick for speed is scikit-image,
whose thresholds are given, not found. Last rows: a batch of training crops, and a worst-case chain.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import cv2
import jax
import numpy as np
import skimage.feature

from jaxblur.config import PUBLISHED
from jaxblur.edges import detect_edges, hysteresis
from tests.jaxblur.test_edges import oracle, oracle_hysteresis, overlap, spiral


def milliseconds(function: Callable[..., Any], *arguments: Any, repeats: int = 5) -> float:
    """Least of some runs after one that compiles."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


def detect(value: Any) -> Any:
    return detect_edges(value, config=PUBLISHED.edges)


def row(name: str, value: np.ndarray) -> str:
    start = time.perf_counter()
    expected = oracle(value)
    slow = 1e3 * (time.perf_counter() - start)
    device_value = jax.numpy.asarray(value, np.float32)
    fast = milliseconds(jax.jit(detect), device_value)
    rival = milliseconds(lambda v: skimage.feature.canny(v, 2**0.5), value)
    agreement = overlap(np.asarray(detect(device_value)), expected)
    return f"{name:24s} {fast:9.2f} {slow / fast:9.0f} {rival / fast:9.1f} {agreement:10.5f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+")
    print(f"{'image':24s} {'ms':>9s} {'/ oracle':>9s} {'/ skimage':>9s} {'IoU':>10s}")
    for path in parser.parse_args().photos:
        photo = cv2.imread(path)
        if photo is None:
            parser.error(f"cannot read {path}")
        print(row(path.rsplit("/", 1)[-1], photo.max(-1) / 255), flush=True)
    rng = np.random.default_rng(0)
    print(row("noise 360x360", rng.integers(0, 256, (360, 360)) / 255))

    crops = jax.numpy.asarray(cv2.GaussianBlur(rng.random((96, 96 * 32), np.float32), (0, 0), 2))
    crops = crops.reshape(96, 32, 96).transpose(1, 0, 2)
    print(f"{'32 crops of 96x96':24s} {milliseconds(jax.jit(jax.vmap(detect)), crops):9.2f}")

    chain = spiral(362)
    seed = np.zeros_like(chain)
    seed[0, 0] = True
    fast = milliseconds(jax.jit(hysteresis), jax.numpy.asarray(chain), jax.numpy.asarray(seed))
    slow = milliseconds(oracle_hysteresis, chain, seed)
    print(f"{'hysteresis, spiral 362':24s} {fast:9.2f} {slow / fast:9.1f}")


if __name__ == "__main__":
    main()
